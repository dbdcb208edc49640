/** LVM2's checksum, bit by bit. */
function checksum(bytes: Uint8Array): number {
  let crc = 0xf597a6cf;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return crc >>> 0;
}

export interface PhysicalVolumeOptions {
  /** 32 characters. */
  readonly uuid: string;
  /** Metadata; none leaves the area empty. */
  readonly text?: string;
  /** How many metadata areas it has, 1 if absent. */
  readonly areas?: number;
  /** Where in its area the text begins: near the end it runs over; 512 if absent. */
  readonly textOffset?: number;
  readonly ignored?: boolean;
  readonly labelSector?: number;
}

/** Bytes at which builders place the first extent. */
export const EXTENTS_AT = 64 << 10;
const AREA_AT = 4096;

/** Makes a disk a physical volume: label, header and metadata areas in its first 64 KiB. */
export function putPhysicalVolume(disk: Buffer, options: PhysicalVolumeOptions): Buffer {
  const { areas = 1, labelSector = 1 } = options;
  const areaSize = areas === 0 ? 0 : Math.floor((EXTENTS_AT - AREA_AT) / areas / 512) * 512;
  const label = disk.subarray(labelSector * 512, (labelSector + 1) * 512).fill(0);
  label.write("LABELONE", 0, "latin1");
  label.writeBigUInt64LE(BigInt(labelSector), 8);
  label.writeUInt32LE(32, 20);
  label.write("LVM2 001", 24, "latin1");
  label.write(options.uuid, 32, 32, "latin1");
  label.writeBigUInt64LE(BigInt(disk.length), 64);
  label.writeBigUInt64LE(BigInt(EXTENTS_AT), 72);
  for (let area = 0; area < areas; area++) {
    const at = AREA_AT + area * areaSize;
    label.writeBigUInt64LE(BigInt(at), 104 + area * 16);
    label.writeBigUInt64LE(BigInt(areaSize), 112 + area * 16);
    putArea(disk.subarray(at, at + areaSize), at, options);
  }
  return sealLabel(disk, labelSector);
}

/** Makes the checksum of a label right again. */
export function sealLabel(disk: Buffer, sector = 1): Buffer {
  const label = disk.subarray(sector * 512, (sector + 1) * 512);
  label.writeUInt32LE(checksum(label.subarray(20)), 16);
  return disk;
}

function putArea(area: Buffer, at: number, { text, textOffset = 512, ignored }: PhysicalVolumeOptions): void {
  area.fill(0, 0, 512);
  Buffer.from("204c564d3220785b35412572304e2a3e", "hex").copy(area, 4);
  area.writeUInt32LE(1, 20);
  area.writeBigUInt64LE(BigInt(at), 24);
  area.writeBigUInt64LE(BigInt(area.length), 32);
  if (text !== undefined) {
    const bytes = Buffer.from(`${text}\0`, "latin1");
    area.writeBigUInt64LE(BigInt(textOffset), 40);
    area.writeBigUInt64LE(BigInt(bytes.length), 48);
    area.writeUInt32LE(checksum(bytes), 56);
    area.writeUInt32LE(ignored === true ? 1 : 0, 60);
    for (const [index, byte] of bytes.entries()) {
      const place = textOffset + index;
      area[place < area.length ? place : place - area.length + 512] = byte;
    }
  }
  sealArea(area);
}

/** Makes the checksum of a metadata area's header right again. */
export function sealArea(area: Buffer): Buffer {
  area.writeUInt32LE(checksum(area.subarray(4, 512)), 0);
  return area;
}

/** Makes the checksum of a text right again, where it does not run over the end. */
export function sealText(area: Buffer): Buffer {
  const offset = Number(area.readBigUInt64LE(40));
  const length = Number(area.readBigUInt64LE(48));
  area.writeUInt32LE(checksum(area.subarray(offset, offset + length)), 56);
  return sealArea(area);
}

/** Without hyphens, as in a header. */
export function memberUuid(number: number): string {
  return `PhysicalVolume${number}`.padEnd(32, "x");
}

/** The same for a group. */
export function groupUuid(name: string): string {
  return name.replaceAll("-", "").padEnd(32, "g");
}

/** With them, as in a text. */
export function hyphenated(uuid: string): string {
  return [6, 10, 14, 18, 22, 26, 32].map((end, index) => uuid.slice([0, 6, 10, 14, 18, 22, 26][index], end)).join("-");
}

export interface MadeSegment {
  /** Extents; 1 if absent. */
  readonly count?: number;
  readonly type: string;
  /** Lines of settings. */
  readonly fields?: string;
}

export interface MadeLogicalVolume {
  readonly segments: readonly MadeSegment[];
  readonly hidden?: boolean;
}

export interface MadeGroup {
  readonly name?: string;
  readonly seqno?: number;
  /** Sectors; 8 (4 KiB) if absent. */
  readonly extentSize?: number;
  /** Extents of each physical volume. */
  readonly members: readonly number[];
  /** Indices of those that were away. */
  readonly missing?: readonly number[];
  readonly volumes: Readonly<Record<string, MadeLogicalVolume>>;
}

/** `count` extents from `start` of the physical volume with that number. */
export function linear(member: number, start: number, count = 1): MadeSegment {
  return { count, type: "striped", fields: `stripe_count = 1\nstripes = [ "pv${member}", ${start} ]` };
}

/** A volume of one segment. */
export function volume(segment: MadeSegment, hidden = false): MadeLogicalVolume {
  return { segments: [segment], hidden };
}

/** The text that lvm2 would write. */
export function groupText(group: MadeGroup): string {
  const { name = "vg", seqno = 7, extentSize = 8, missing = [] } = group;
  const members = group.members.map(
    (extents, index) => `pv${index} {
id = "${hyphenated(memberUuid(index))}"
device = "/dev/sd${index}"	# Hint only

status = ["ALLOCATABLE"]
flags = [${missing.includes(index) ? '"MISSING"' : ""}]
dev_size = 40960
pe_start = ${EXTENTS_AT / 512}
pe_count = ${extents}
}`,
  );
  const volumes = Object.entries(group.volumes).map(([key, made], index) => volumeText(key, made, index));
  return `${name} {
id = "${hyphenated(groupUuid(name))}"
seqno = ${seqno}
format = "lvm2"			# informational
status = ["RESIZEABLE", "READ", "WRITE"]
flags = []
extent_size = ${extentSize}
max_lv = 0
max_pv = 0
metadata_copies = 0

physical_volumes {

${members.join("\n\n")}
}

logical_volumes {

${volumes.join("\n\n")}
}
}
# Generated by a test
contents = "Text Format Volume Group"
version = 1
description = "a \\"test\\" of C:\\\\"
creation_host = "test"	# Linux { [ "
creation_time = 1700000000
`;
}

function volumeText(name: string, { segments, hidden }: MadeLogicalVolume, index: number): string {
  let start = 0;
  const texts = segments.map(({ count = 1, type, fields = "" }, at) => {
    const text = `segment${at + 1} {
start_extent = ${start}
extent_count = ${count}

type = "${type}"
${fields}
}`;
    start += count;
    return text;
  });
  return `${name} {
id = "${hyphenated(`LogicalVolume${index}`.padEnd(32, "y"))}"
status = ["READ", "WRITE"${hidden === true ? "" : ', "VISIBLE"'}]
flags = []
segment_count = ${segments.length}

${texts.join("\n")}
}`;
}

/** A disk with `extents` of 4 KiB, each filled with its own number and the disk's. */
export function memberDisk(number: number, extents: number, options: Partial<PhysicalVolumeOptions> = {}): Buffer {
  const disk = Buffer.alloc(EXTENTS_AT + extents * 4096);
  for (let extent = 0; extent < extents; extent++) extentOf(number, extent).copy(disk, EXTENTS_AT + extent * 4096);
  return putPhysicalVolume(disk, { uuid: memberUuid(number), ...options });
}

/** What stands in one extent of such a disk. */
export function extentOf(member: number, extent: number): Buffer {
  return Buffer.alloc(4096, Buffer.from([0xa0 + member, extent]));
}

/** The disks of a group; each holds the text. */
export function groupDisks(group: MadeGroup): Buffer[] {
  const text = groupText(group);
  return group.members.map((extents, index) => memberDisk(index, extents, { text }));
}

/** A superblock of dm-raid; `recovered` is in sectors, undefined for a leg that is whole. */
export function raidSuperblock(events: number, failed = 0, recovered?: number): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.writeUInt32LE(0x64526d44, 0);
  bytes.writeUInt32LE(2, 8);
  bytes.writeBigUInt64LE(BigInt(events), 16);
  bytes.writeBigUInt64LE(BigInt(failed), 24);
  bytes.writeBigUInt64LE(recovered === undefined ? 0xffff_ffff_ffff_ffffn : BigInt(recovered), 32);
  return bytes;
}

/** A group with a volume "a" over two physical volumes of eight extents. */
export function groupOf(
  a: MadeLogicalVolume,
  others: Readonly<Record<string, MadeLogicalVolume>> = {},
  more: Partial<MadeGroup> = {},
): MadeGroup {
  return { members: [8, 8], volumes: { a, ...others }, ...more };
}

/** Extents of several disks one after another. */
export function extentsOf(...list: readonly (readonly [member: number, extent: number])[]): Buffer {
  return Buffer.concat(list.map(([member, extent]) => extentOf(member, extent)));
}
