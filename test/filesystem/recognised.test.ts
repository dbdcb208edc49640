import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readAll } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { UnsupportedError } from "../../src/errors.ts";
import { recognise, refuse } from "../../src/filesystem/recognised.ts";
import { signatures } from "../../src/filesystem/signatures.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";

const UTIL_LINUX: readonly (readonly [file: string, name: string | undefined, kind: string | undefined])[] = [
  ["apfs", "apfs", "file-system"],
  ["bcache-B", "bcache", "volume-member"],
  ["bcache-C", "bcache", "volume-member"],
  ["bcache-journal", "bcache", "volume-member"],
  ["bcachefs", "bcachefs", "volume-member"],
  ["bcachefs-2", "bcachefs", "volume-member"],
  ["bcachefs-3", "bcachefs", "volume-member"],
  ["befs", "befs", "file-system"],
  ["bfs", "bfs", "file-system"],
  ["bluestore", "ceph_bluestore", "volume-member"],
  ["cramfs", "cramfs", "file-system"],
  ["cramfs-big", "cramfs", "file-system"],
  ["cs_fvault2", "cs_fvault2", "encrypted"],
  ["ddf-raid", "ddf_raid", "volume-member"],
  ["drbd-v08", "drbd", "volume-member"],
  ["drbdmanage-control-volume", "drbdmanage", "volume-member"],
  ["erofs", "erofs", "file-system"],
  ["erofs-minix-magic", "erofs", "file-system"],
  ["exfat", undefined, undefined],
  ["ext4", undefined, undefined],
  ["fat", undefined, undefined],
  ["hfs", "hfs", "file-system"],
  ["hfsplus", "hfsplus", "file-system"],
  ["hpfs", "hpfs", "file-system"],
  ["iso", undefined, undefined],
  ["iso-rr-joliet", undefined, undefined],
  ["isw-raid", "isw_raid", "volume-member"],
  ["luks1", "luks1", "encrypted"],
  ["luks2", "luks2", "encrypted"],
  ["lvm2", "lvm2", "volume-member"],
  ["mdraid", "linux_raid", "volume-member"],
  ["mdraid-1", "linux_raid", "volume-member"],
  ["mpool", "mpool", "other"],
  ["netware", "nss", "file-system"],
  ["nilfs2", "nilfs2", "file-system"],
  ["reiser4", "reiser4", "file-system"],
  ["squashfs4", undefined, undefined],
  ["swap-luks", "luks2", "encrypted"],
  ["swap1-big", "swap", "swap"],
  ["ubi", "ubi", "volume-member"],
  ["udf", "udf", "file-system"],
  ["udf-hdd-win7", "udf", "file-system"],
  ["udf-cd-nero-6", "udf", "file-system"],
  ["ufs", "ufs", "file-system"],
  ["vdo", "vdo", "volume-member"],
  ["vmfs", "vmfs", "file-system"],
  ["vmfs_volume", "vmfs_volume", "volume-member"],
  ["vxfs-be", "vxfs", "file-system"],
  ["vxfs-le", "vxfs", "file-system"],
  ["zfs", "zfs", "volume-member"],
  ["zonefs", "zonefs", "file-system"],
];

/** Here blkid knows more than we look for, or spells it in another way. */
const NO_UUID = new Set(["ddf_raid", "drbd", "drbdmanage", "hfsplus", "hpfs", "mpool", "nss", "ubi", "udf"]);
const NO_UUID_EITHER = new Set(["befs", "ceph_bluestore", "ufs", "vdo", "vmfs", "vmfs_volume", "zfs"]);

async function named(path: string) {
  await using source = FileSource.open(await unpacked(path), "sda1");
  return await recognise(source);
}

describeWith({ tools: ["xz", "blkid"], corpus: "disk/ident/util-linux" }, "util-linux's samples", () => {
  it.each(UTIL_LINUX)("%s.img is %s", async (file, name, kind) => {
    const path = corpus("disk", "ident", "util-linux", "images-fs", `${file}.img.xz`);
    const found = await named(path);
    expect([found?.name, found?.kind]).toEqual([name, kind]);
    if (found === undefined) return;
    const { stdout } = blkid(await unpacked(path));
    if (stdout === "") return;
    if (!NO_UUID.has(found.name) && !NO_UUID_EITHER.has(found.name)) expect(found.uuid).toBe(value(stdout, "UUID"));
    if (found.label !== undefined) expect(found.label).toBe(value(stdout, "LABEL"));
  });
});

function blkid(path: string): { stdout: string } {
  try {
    return { stdout: execFileSync("blkid", ["-p", "-o", "export", path], { encoding: "utf8", stdio: "pipe" }) };
  } catch {
    return { stdout: "" }; // Its version does not know the sample.
  }
}

function value(stdout: string, key: string): string | undefined {
  return new RegExp(`^${key}=(.*)$`, "m").exec(stdout)?.[1]?.replaceAll("\\ ", " ");
}

describeWith({ tools: ["xz", "bzip2"], corpus: "disk/ident" }, "samples of others", () => {
  it.each([
    ["cramfs", "cramfs"],
    ["ext3", undefined],
    ["fat", undefined],
    ["iso", undefined],
    ["jfs", "jfs"],
    ["ocfs2", "ocfs2"],
    ["reiser3", "reiserfs"],
    ["reiser4", "reiser4"],
    ["romfs", "romfs"],
    ["swap0", "swap"],
    ["swap1", "swap"],
    ["udf", "udf"],
    ["xfs", undefined],
    ["zfs", "zfs"],
  ])("e2fsprogs' %s.img is %s", async (file, name) => {
    expect((await named(corpus("disk", "ident", "e2fsprogs-blkid", `${file}.img.bz2`)))?.name).toBe(name);
  });

  it.each([
    ["btrfs", undefined],
    ["exfat", undefined],
    ["ext4", undefined],
    ["iso-rr", undefined],
    ["luks1", "luks1"],
    ["luks2", "luks2"],
    ["ntfs", undefined],
    ["squashfs-xz", undefined],
    ["swap", "swap"],
    ["vfat32", undefined],
    ["xfs-v4", undefined],
  ])("mkfs' %s is %s", async (file, name) => {
    expect((await named(corpus("disk", "made", "fs", `${file}.img.xz`)))?.name).toBe(name);
  });
});

function volume(parts: readonly (readonly [offset: number, text: string])[], size = 1 << 20): MemorySource {
  const bytes = Buffer.alloc(size);
  for (const [offset, text] of parts) bytes.write(text, offset, "latin1");
  return new MemorySource(bytes, "sda2");
}

describe("a volume that no reader is for", () => {
  it("is refused with its name and what can be done", async () => {
    const source = volume([[0, "LUKS\xba\xbe\0\x02"]]);
    const found = await recognise(source);
    expect(found).toMatchObject({ name: "luks2", kind: "encrypted", title: "LUKS2 encrypted volume" });
    if (found === undefined) return;
    const error = refuse(found, source);
    expect(error).toBeInstanceOf(UnsupportedError);
    expect(error.message).toBe("files cannot be read from this LUKS2 encrypted volume, sda2");
    expect(error.advice).toContain("--as disk");
  });

  it.each([
    ["FILESYSTEM_ENCRYPTED", 3, "-FVE-FS-"],
    ["FILESYSTEM_MEMBER", 536, "LVM2 001"],
    ["FILESYSTEM_NONE", 0, "verity\0\0"],
    ["FILESYSTEM_NOT_READ", 32, "NXSB"],
    ["FILESYSTEM_SWAP", 4086, "SWAPSPACE2"],
  ])("has the code %s by its kind", async (code, offset, magic) => {
    const source = volume([[offset, magic]]);
    const found = await recognise(source);
    expect(found && refuse(found, source).code).toBe(code);
  });

  it.each(["S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001"])("is known to sleep by %s", async (magic) => {
    const found = await recognise(
      volume([
        [4086, magic],
        [1052, "nap"],
      ]),
    );
    expect(found).toMatchObject({ name: "swsuspend", kind: "swap", label: "nap" });
    expect(found?.advice).toContain("shut it down");
  });

  it.each([8192, 16384, 65536])("is swap with pages of %d bytes", async (page) => {
    expect((await recognise(volume([[page - 10, "SWAPSPACE2"]])))?.name).toBe("swap");
  });

  it("is known by every signature, also at the end of a small volume", async () => {
    for (const { name, magic } of signatures(5 << 20)) {
      for (const { offset, bytes } of magic) {
        const image = Buffer.alloc(5 << 20);
        image.set(Buffer.from(bytes), offset < 0 ? image.length + offset : offset);
        const found = await recognise(new MemorySource(image));
        expect(found?.name, `${name} at ${offset}`).toBe(name);
      }
    }
  });

  it("is left without a name if there is none, however small", async () => {
    expect(await recognise(volume([]))).toBeUndefined();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), async (bytes) => {
        const source = new MemorySource(bytes);
        await recognise(source);
        await readAll(source, 3000);
      }),
    );
  });
});
