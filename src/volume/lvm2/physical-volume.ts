import { type ByteSource, readAll } from "../../bytes/byte-source.ts";
import { compose, type Region } from "../../bytes/regions.ts";
import { type Area, findLabel, lvmChecksum, MetadataAreaHeader, PhysicalVolumeHeader } from "./label.ts";

/** A text of a group of 10,000 volumes takes 4 MiB. */
const MOST_TEXT_BYTES = 16 << 20;
/** As many as pvcreate makes. */
const MOST_AREAS = 2;
const HEAD = 4 * 512;

/** What a physical volume tells of itself and of its group. */
export interface PhysicalVolume {
  /** 32 characters, without hyphens. */
  readonly uuid: string;
  readonly source: ByteSource;
  /** The metadata of its group, from each area that holds a valid copy; none where it belongs to no group or leaves that to others. */
  readonly texts: readonly string[];
  /** Why an area was left out. */
  readonly damages: readonly string[];
}

/** Reads the label, header and metadata areas; a sentence where the label or header cannot be used. */
export async function readPhysicalVolume(source: ByteSource): Promise<PhysicalVolume | string> {
  const found = findLabel(await source.read(0, Math.min(HEAD, source.size)));
  if (found === undefined) return "the label of the physical volume is gone";
  const { label, at } = found;
  if (label.crc !== label.computedCrc) return "the label of the physical volume has a wrong checksum";
  if (label.sector * 512 !== at) return `the label in sector ${at / 512} says that it stands in ${label.sector}`;
  const bytes = label.sectorBytes;
  if (label.offset + PhysicalVolumeHeader.SIZE > bytes.length) return `the label points to byte ${label.offset}`;
  const header = new PhysicalVolumeHeader(bytes, label.offset);
  const areas = header.metadataAreas;
  if (areas === undefined || areas.length > MOST_AREAS)
    return `the header lists no end, or more than ${MOST_AREAS} metadata areas`;
  const texts: string[] = [];
  const damages: string[] = [];
  for (const area of areas) {
    const text = await readText(source, area);
    if (typeof text === "string") damages.push(text);
    else if (text !== undefined) texts.push(Buffer.from(text).toString("latin1"));
  }
  return { uuid: header.uuid, source, texts, damages };
}

/** The committed text; undefined where there is none, a sentence where it is damaged. */
async function readText(source: ByteSource, area: Area): Promise<Uint8Array | string | undefined> {
  const name = `the metadata area at 0x${area.offset.toString(16)}`;
  if (area.offset + MetadataAreaHeader.SIZE > source.size) return `${name} lies beyond the end`;
  const header = new MetadataAreaHeader(await source.read(area.offset, MetadataAreaHeader.SIZE));
  if (!header.hasMagic || header.version !== 1) return `${name} has no header of version 1`;
  if (header.checksum !== header.computedChecksum) return `${name} has a header with a wrong checksum`;
  const { start, size, textOffset, textSize } = header;
  if (start !== area.offset || start + size > source.size) return `${name} is not where its header says`;
  if (textOffset === 0 || header.ignored) return undefined;
  const fits = textOffset >= MetadataAreaHeader.SIZE && textOffset < size && textSize <= size - MetadataAreaHeader.SIZE;
  if (!fits || textSize > MOST_TEXT_BYTES) return `${name} has no room for the ${textSize} bytes of its text`;
  const text = await readAll(ring(source, header), MOST_TEXT_BYTES);
  return lvmChecksum(text) === header.textChecksum ? text : `${name} has a text with a wrong checksum`;
}

/** The text goes on behind the header where it reaches the end of its area. */
function ring(source: ByteSource, { start, size, textOffset, textSize }: MetadataAreaHeader): ByteSource {
  const first = Math.min(textSize, size - textOffset);
  const regions: Region[] = [
    { offset: 0, length: first, content: source, contentOffset: start + textOffset },
    { offset: first, length: textSize - first, content: source, contentOffset: start + MetadataAreaHeader.SIZE },
  ];
  return compose(source.name, textSize, regions);
}
