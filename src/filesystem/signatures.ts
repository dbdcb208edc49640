import type { ByteSource } from "../bytes/byte-source.ts";
import type { Magic } from "../catalog.ts";

/** What holds no files (swap), holds them behind a key or in pieces, or holds them in a form that is not read. */
export type RecognisedKind = "file-system" | "encrypted" | "volume-member" | "swap" | "other";

/** A field of a superblock as text; undefined where it is empty or lies beyond the end. */
type Field = (source: ByteSource) => Promise<string | undefined>;

/** By what a kind of volume is known. One of `magic` is enough. */
export interface Signature {
  readonly kind: RecognisedKind;
  readonly name: string;
  readonly title: string;
  readonly magic: readonly Magic[];
  readonly uuid?: Field;
  readonly label?: Field;
  readonly detect?: (head: Uint8Array) => boolean;
}

type Row = readonly [
  name: string,
  title: string,
  magic: readonly Magic[],
  fields?: Pick<Signature, "uuid" | "label" | "detect">,
];

/**
 * All signatures for a volume of `size` bytes, in the order in which they are tried: what stands around a volume comes before
 * what may lie inside it, long magic numbers before short ones. A format that gains a reader loses its line.
 */
export function signatures(size: number): readonly Signature[] {
  return [
    ...rows("encrypted", ENCRYPTED),
    ...rows("volume-member", memberRows(size)),
    ...rows("other", OTHERS),
    ...rows("file-system", FILE_SYSTEMS),
    ...rows("swap", SWAP),
  ];
}

function rows(kind: RecognisedKind, table: readonly Row[]): Signature[] {
  return table.map(([name, title, magic, fields]) => ({ kind, name, title, magic, ...fields }));
}

function at(offset: number, bytes: string): Magic {
  return { offset, bytes: Buffer.from(bytes, "latin1") };
}

/** The same bytes at several places. */
function each(offsets: readonly number[], bytes: string): readonly Magic[] {
  return offsets.map((offset) => at(offset, bytes));
}

function steps(first: number, step: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => first + index * step);
}

function field(offset: number, length: number, decode: (bytes: Buffer) => string): Field {
  return async (source) => {
    const start = offset < 0 ? source.size + offset : offset;
    if (start < 0 || start + length > source.size) return undefined;
    return decode(Buffer.from(await source.read(start, length))) || undefined;
  };
}

/** Text up to a NUL, without the blanks that pad it. */
function text(offset: number, length: number, encoding: "utf8" | "utf16le" = "utf8"): Field {
  return field(offset, length, (bytes) => bytes.toString(encoding).replace(/\0.*$/s, "").trimEnd());
}

/** 16 bytes in the order in which they are shown. */
function guid(offset: number): Field {
  return field(offset, 16, (bytes) => dashed(bytes.toString("hex"), [8, 4, 4, 4, 12]));
}

function dashed(digits: string, groups: readonly number[]): string {
  const parts: string[] = [];
  let start = 0;
  for (const length of groups) {
    parts.push(digits.slice(start, start + length));
    start += length;
  }
  return parts.join("-");
}

const ENCRYPTED: readonly Row[] = [
  ["luks1", "LUKS1 encrypted volume", [at(0, "LUKS\xba\xbe\0\x01")], { uuid: text(168, 40) }],
  ["luks2", "LUKS2 encrypted volume", [at(0, "LUKS\xba\xbe\0\x02")], { uuid: text(168, 40), label: text(24, 48) }],
  ...[4, 5, 6, 7, 8, 9, 10, 11, 12].map((power) => secondLuks2Header(1024 << power)),
  ["bitlocker", "BitLocker encrypted volume", [at(3, "-FVE-FS-")]],
  ["cs_fvault2", "FileVault encrypted volume", [at(0x58, "CS\x01\0\0\0\x04\0")]],
  ["dm_integrity", "dm-integrity volume", [at(0, "integrt\0")]],
];

/** It stands behind the first one's area, and alone where that was overwritten. */
function secondLuks2Header(offset: number): Row {
  return ["luks2", "LUKS2 encrypted volume", [at(offset, "SKUL\xba\xbe\0\x02")], { uuid: text(offset + 168, 40) }];
}

const BCACHE = "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81";
const BCACHEFS = "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef";
const DRBD = { V8: "\x83\x74\x02\x67", V8_CLEAN: "\x83\x74\x02\x6b", V9: "\x83\x74\x02\x6d" } as const;
const MD = "\xfc\x4e\x2b\xa9";
const LVM2 = steps(0, 512, 4).map((sector) => at(sector + 24, "LVM2 001"));

/** Where the superblocks of md 0.90 and 1.0 lie, at the end of the volume. */
function mdOffsets(size: number): readonly [md090: number, md10: number] {
  return [size - (size % 65536) - 65536, Math.floor((Math.floor(size / 512) - 16) / 8) * 4096];
}

function memberRows(size: number): readonly Row[] {
  const [md090, md10] = mdOffsets(size);
  return [
    ["lvm2", "LVM2 physical volume", LVM2, { uuid: lvm2Uuid }],
    ["lvm1", "LVM1 physical volume", [at(0, "HM\x01\0"), at(0, "HM\x02\0")]],
    ["linux_raid", "member of a Linux md array", [at(4096, MD)], mdFields(4096)],
    ["linux_raid", "member of a Linux md array", [at(0, MD)], mdFields(0)],
    ["linux_raid", "member of a Linux md array", md10 > 0 ? [at(md10, MD)] : [], mdFields(md10)],
    ["linux_raid", "member of a Linux md array", md090 > 0 ? [at(md090, MD)] : [], { uuid: md090Uuid(md090) }],
    ["drbd", "DRBD volume", [at(-4036, DRBD.V8), at(-4036, DRBD.V8_CLEAN), at(-4044, DRBD.V9)]],
    ["drbdmanage", "control volume of drbdmanage", [at(0, "$DRBDmgr=q")]],
    ["stratis", "Stratis pool member", [at(516, "!Stra0tis\x86\xff\x02^\x41rh")]],
    ["vdo", "VDO volume", [at(0, "dmvdo001")]],
    ["ldm", "Windows dynamic disk", [at(0xc00, "PRIVHEAD"), at(-512, "PRIVHEAD")]],
    ["vmfs_volume", "VMFS extent", [at(1 << 20, "\x0d\xd0\x01\xc0")]],
    ["ddf_raid", "DDF RAID member", [at(-512, "\xde\x11\xde\x11"), at(-257 * 512, "\xde\x11\xde\x11")]],
    ["isw_raid", "Intel RAID member", [at(-1024, "Intel Raid ISM Cfg Sig. ")]],
    ["thin_pool", "metadata of an LVM thin pool", [at(32, "\xba\x52\x9c\x01\0\0\0\0")]],
    ["snapshot_cow", "store of an LVM snapshot", [at(0, "SnAp")]],
    ["bcachefs", "bcachefs member", [at(4120, BCACHEFS)], BCACHEFS_FIELDS],
    ["bcache", "bcache member", [at(4120, BCACHE)], { uuid: guid(4136) }],
    ["ubi", "UBI flash volume", [at(0, "UBI#")]],
    ["ceph_bluestore", "Ceph BlueStore", [at(0, "bluestore block device\n")]],
    ["zfs", "ZFS pool member", zfsUberblocks(["\x0c\xb1\xba\0\0\0\0\0", "\0\0\0\0\0\xba\xb1\x0c"])],
  ];
}

function mdFields(superblock: number): Pick<Signature, "uuid" | "label"> {
  return { uuid: guid(superblock + 16), label: text(superblock + 32, 32) };
}

/** Four numbers of 32 bits, of which the first stands alone. */
function md090Uuid(superblock: number): Field {
  return field(superblock + 20, 44, (bytes) => {
    const numbers = [0, 32, 36, 40].map((offset) => bytes.readUInt32LE(offset).toString(16).padStart(8, "0"));
    return dashed(numbers.join(""), [8, 4, 4, 4, 12]);
  });
}

/** Before 2020 bcachefs had the magic of bcache, whose versions end with 6. */
const BCACHEFS_FIELDS: Pick<Signature, "uuid" | "detect"> = {
  uuid: guid(4152),
  detect: (head) => (head[4112] ?? 0) > 6 && Buffer.from(head.subarray(4120, 4136)).toString("latin1") === BCACHE,
};

/** The label of a PV is in one of four sectors; the UUID follows it. */
const lvm2Uuid: Field = async (source) => {
  const head = Buffer.from(await source.read(0, Math.min(source.size, 4 * 512)));
  const label = head.indexOf("LVM2 001");
  const digits = head.toString("latin1", label + 8, label + 40);
  return dashed(digits, [6, 4, 4, 4, 4, 4, 6]);
};

/** The ring of 128 KiB of the first label; an entry has 1 KiB or more. */
function zfsUberblocks(magics: readonly string[]): readonly Magic[] {
  return magics.flatMap((magic) => each(steps(128 << 10, 1 << 10, 128), magic));
}

const OTHERS: readonly Row[] = [
  ["dm_verity", "dm-verity hash tree", [at(0, "verity\0\0")]],
  ["mpool", "mpool device", [at(0, "mpoolDev")]],
];

const VOLUME_DESCRIPTORS = steps(0x8001, 2048, 16);

const FILE_SYSTEMS: readonly Row[] = [
  ["refs", "ReFS file system", [at(3, "ReFS\0\0\0\0")]],
  ["udf", "UDF file system", [...each(VOLUME_DESCRIPTORS, "NSR02"), ...each(VOLUME_DESCRIPTORS, "NSR03")]],
  ["erofs", "EROFS file system", [at(1024, "\xe2\xe1\xf5\xe0")], { uuid: guid(1072), label: text(1088, 16) }],
  ["cramfs", "cramfs file system", [at(0, "\x45\x3d\xcd\x28"), at(0, "\x28\xcd\x3d\x45")], { label: text(48, 16) }],
  ["romfs", "romfs file system", [at(0, "-rom1fs-")], { label: text(16, 16) }],
  ["reiser4", "Reiser4 file system", [at(0x10000, "ReIsEr4")], { uuid: guid(0x10014), label: text(0x10024, 16) }],
  [
    "reiserfs",
    "ReiserFS file system",
    [...each([0x10034, 0x2034], "ReIsEr")],
    { uuid: guid(0x10054), label: text(0x10064, 16) },
  ],
  ["jfs", "JFS file system", [at(0x8000, "JFS1")], { uuid: guid(0x8088), label: text(0x8098, 16) }],
  [
    "f2fs",
    "F2FS file system",
    [at(1024, "\x10\x20\xf5\xf2")],
    { uuid: guid(1132), label: text(1148, 1024, "utf16le") },
  ],
  ["apfs", "APFS container", [at(32, "NXSB")], { uuid: guid(72) }],
  ["vmfs", "VMFS file system", [at(2 << 20, "\x5e\xf1\xab\x2f")], { label: text((2 << 20) + 29, 128) }],
  ["ufs", "UFS file system", [...each(ufsPlaces(), "\x54\x19\x01\0"), ...each(ufsPlaces(), "\x19\x01\x54\x19")]],
  ["gfs2", "GFS2 file system", [at(0x10000, "\x01\x16\x19\x70\0\0\0\x01")]],
  ["ocfs2", "OCFS2 file system", each([1024, 2048, 4096, 8192], "OCFSV2")],
  ["ubifs", "UBIFS file system", [at(0, "\x31\x18\x10\x06")]],
  ["befs", "BeFS file system", [at(544, "1SFB"), at(544, "BFS1")], { label: text(512, 32) }],
  ["bfs", "SCO BFS file system", [at(0, "\xce\xfa\xad\x1b")]],
  ["vxfs", "VxFS file system", [at(1024, "\xf5\xfc\x01\xa5"), at(8192, "\xa5\x01\xfc\xf5")]],
  ["hpfs", "HPFS file system", [at(0x2000, "\x49\xe8\x95\xf9")]],
  ["nss", "NetWare file system", [at(4096, "SPB5")]],
  ["zonefs", "zonefs file system", [at(0, "SFOZ")]],
  ["nilfs2", "NILFS2 file system", [at(1030, "\x34\x34")], { uuid: guid(1176), label: text(1192, 80) }],
  ["hfsplus", "HFS+ file system", [at(1024, "H+\0\x04"), at(1024, "HX\0\x05")]],
  ["hfs", "HFS file system", [at(1024, "BD")]],
];

/** The superblock is at 0, 8 KiB, 64 KiB or 256 KiB, the magic 1372 bytes into it. */
function ufsPlaces(): readonly number[] {
  return [0, 8 << 10, 64 << 10, 256 << 10].map((superblock) => superblock + 1372);
}

/** Ten bytes in front of the end of the first page, which the machine's processor sizes. */
const PAGE_ENDS = [4096, 8192, 16384, 32768, 65536].map((page) => page - 10);
const SWAP_FIELDS = { uuid: guid(1036), label: text(1052, 16) };

const SWAP: readonly Row[] = [
  ["swap", "swap area", each(PAGE_ENDS, "SWAPSPACE2"), SWAP_FIELDS],
  ["swap", "swap area of an old form", each(PAGE_ENDS, "SWAP-SPACE")],
  ["swsuspend", "swap area with a hibernated system", hibernations(), SWAP_FIELDS],
];

/** Suspension replaces the swap area's magic by its own. */
function hibernations(): readonly Magic[] {
  const magics = ["S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001", "\xed\xc3\x02\xe9\x98\x56\xe5\x0c"];
  return magics.flatMap((magic) => each(PAGE_ENDS, magic));
}
