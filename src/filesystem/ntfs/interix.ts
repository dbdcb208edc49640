import type { BytePath } from "../../bytes/byte-path.ts";
import { utf16Path } from "../utf16.ts";

/** How Interix, and by default ntfs-3g, store what Windows does not know: in files with the attribute "system". */
const MAGIC = { LINK: "IntxLNK\x01", CHARACTER: "IntxCHR\0", BLOCK: "IntxBLK\0" } as const;
/** Bytes: the magic, and a path or two numbers. */
export const LARGEST_INTERIX = 8 + 2 * 4096;
const DEVICE = 24;

export type Interix =
  | { readonly type: "symlink"; readonly target: BytePath }
  | { readonly type: "character-device" | "block-device"; readonly major: number; readonly minor: number };

/** Undefined for any other file. */
export function readInterix(bytes: Uint8Array): Interix | undefined {
  const magic = Buffer.from(bytes.subarray(0, 8)).toString("latin1");
  if (magic === MAGIC.LINK) {
    const target = utf16Path(bytes.subarray(8));
    return target === "" || target.includes("\0") ? undefined : { type: "symlink", target };
  }
  if ((magic !== MAGIC.CHARACTER && magic !== MAGIC.BLOCK) || bytes.length !== DEVICE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const type = magic === MAGIC.BLOCK ? "block-device" : "character-device";
  return { type, major: view.getUint32(8, true), minor: view.getUint32(16, true) };
}
