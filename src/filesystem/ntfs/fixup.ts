import { fixupDamaged, recordDamaged } from "./errors.ts";

/** The last two bytes of each are replaced when a record is written, whatever the sectors of the disk are. */
const STRIDE = 512;

/**
 * A record of several sectors with its own bytes put back, as a copy. What was torn while it was written throws CorruptError
 * NTFS_FIXUP, what is no such record NTFS_RECORD. `what` is for messages.
 */
export function fixed(bytes: Uint8Array, magic: string, what: string, file: string): Uint8Array {
  const copy = new Uint8Array(bytes);
  const view = new DataView(copy.buffer);
  for (let at = 0; at < 4; at++) {
    if (copy[at] === magic.charCodeAt(at)) continue;
    const found = Buffer.from(copy.subarray(0, 4)).toString("latin1");
    throw recordDamaged(what, `begins with ${JSON.stringify(found)} instead of "${magic}"`, file);
  }
  const offset = view.getUint16(4, true);
  const count = view.getUint16(6, true);
  if (count !== copy.length / STRIDE + 1 || offset % 2 !== 0 || offset + count * 2 > STRIDE) {
    throw recordDamaged(what, `has ${count} update numbers at 0x${offset.toString(16)}`, file);
  }
  const number = view.getUint16(offset, true);
  for (let sector = 1; sector < count; sector++) {
    const end = sector * STRIDE - 2;
    if (view.getUint16(end, true) !== number) throw fixupDamaged(what, sector - 1, file);
    view.setUint16(end, view.getUint16(offset + sector * 2, true), true);
  }
  return copy;
}
