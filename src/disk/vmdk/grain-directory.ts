import type { ByteSource } from "../../bytes/byte-source.ts";
import { directoryOutOfRange, redundantDirectoryUsed, tablesTooLarge } from "./errors.ts";
import type { Session } from "./session.ts";
import { SECTOR, type SparseHeader } from "./sparse-header.ts";

/** `count` numbers of 32 bits. */
export function decodeSectors(bytes: Uint8Array, count: number): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, count * 4);
  const sectors = new Uint32Array(count);
  for (let index = 0; index < count; index++) sectors[index] = view.getUint32(index * 4, true);
  return sectors;
}

/**
 * The grain directory: for each grain table its sector, 0 where there is none. An entry that leaves the file (or a directory
 * that does) is taken from the redundant directory, if that has one which does not; else it stays, for the read that needs it
 * to fail.
 */
export async function readGrainDirectory(
  source: ByteSource,
  header: SparseHeader,
  session: Session,
): Promise<Uint32Array> {
  const count = header.directoryEntries;
  const inFile = (sector: number, bytes: number): boolean => sector * SECTOR + bytes <= source.size;
  const first = inFile(header.gdOffset, count * 4);
  const spare = header.hasRedundantDirectory && inFile(header.rgdOffset, count * 4);
  if (!first && !spare) throw directoryOutOfRange(source.name, header.gdOffset, count, source.size);
  if (!session.takeTable(count * 4)) throw tablesTooLarge(source.name, count * 4);
  const read = async (sector: number): Promise<Uint32Array> =>
    decodeSectors(await source.read(sector * SECTOR, count * 4), count);
  if (!first) {
    session.ctx.diagnostic(redundantDirectoryUsed(source.name, count));
    return await read(header.rgdOffset);
  }
  const directory = await read(header.gdOffset);
  const tableBytes = header.numGTEsPerGT * 4;
  if (!spare || directory.every((sector) => inFile(sector, tableBytes))) return directory;
  const redundant = await read(header.rgdOffset);
  let replaced = 0;
  for (const [index, sector] of directory.entries()) {
    const other = redundant[index] ?? 0;
    if (inFile(sector, tableBytes) || other === 0 || !inFile(other, tableBytes)) continue;
    directory[index] = other;
    replaced++;
  }
  if (replaced > 0) session.ctx.diagnostic(redundantDirectoryUsed(source.name, replaced));
  return directory;
}
