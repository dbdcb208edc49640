/** What the text part of a stream tells. */
export interface StreamDescriptor {
  /** Of the disk. */
  readonly sectors: number;
  /** The image's own name. */
  readonly fileName: string;
  readonly adapterType: "ide" | "lsilogic";
  readonly uuid: string;
  /** Content id, eight hex digits. */
  readonly cid: string;
}

const NO_UUID = "00000000-0000-0000-0000-000000000000";

/**
 * The descriptor of a streamOptimized image. The disk database has the keys that VMware asks for and those by which VirtualBox
 * knows an image; hardware version 4 is the oldest that is still taken.
 */
export function streamDescriptor({ sectors, fileName, adapterType, uuid, cid }: StreamDescriptor): string {
  const [cylinders, heads, sectorsPerTrack] = geometry(sectors, adapterType);
  return [
    "# Disk DescriptorFile",
    "version=1",
    `CID=${cid}`,
    "parentCID=ffffffff",
    'createType="streamOptimized"',
    "",
    "# Extent description",
    `RDONLY ${sectors} SPARSE "${fileName.replace(/[^\x20-\x7e]|["\\/]/g, "_").slice(0, 255)}"`,
    "",
    "# The Disk Data Base",
    "#DDB",
    "",
    `ddb.adapterType = "${adapterType}"`,
    `ddb.geometry.cylinders = "${cylinders}"`,
    `ddb.geometry.heads = "${heads}"`,
    `ddb.geometry.sectors = "${sectorsPerTrack}"`,
    `ddb.longContentID = "${uuid.replaceAll("-", "").slice(0, 24)}${cid}"`,
    `ddb.uuid.image = "${uuid}"`,
    `ddb.uuid.modification = "${NO_UUID}"`,
    `ddb.uuid.parent = "${NO_UUID}"`,
    `ddb.uuid.parentmodification = "${NO_UUID}"`,
    'ddb.virtualHWVersion = "4"',
    "",
  ].join("\n");
}

/** Cylinders, heads and sectors as the BIOS of each adapter counts them. */
function geometry(sectors: number, adapterType: StreamDescriptor["adapterType"]): readonly [number, number, number] {
  const [heads, track, most] = adapterType === "ide" ? [16, 63, 16383] : [...scsiTrack(sectors), 65535];
  return [Math.min(most, Math.max(1, Math.floor(sectors / (heads * track)))), heads, track];
}

/** LSI Logic's and BusLogic's rule: 1 GiB, 2 GiB, larger. */
function scsiTrack(sectors: number): readonly [number, number] {
  if (sectors <= 2 ** 21) return [64, 32];
  return sectors <= 2 ** 22 ? [128, 32] : [255, 63];
}
