import type { Context, Diagnostic } from "../../src/context.ts";
import { createContext } from "../../src/context.ts";
import { type LayerItem, type LayerOptions, readLayer } from "../../src/oci/layer-reader.ts";

/** A layer's item with its content, as plain data for comparison. */
export interface ReadItem {
  readonly item: LayerItem;
  readonly content: Buffer;
}

export async function* inPieces(bytes: Uint8Array, length = 1000): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

/** Reads a whole layer; diagnostics are added to `notes`. */
export async function readItems(
  bytes: Uint8Array,
  options: Partial<LayerOptions> & { readonly limits?: Context["limits"] } = {},
  notes: Diagnostic[] = [],
): Promise<ReadItem[]> {
  const limits = options.limits === undefined ? {} : { limits: options.limits };
  const ctx = createContext({ diagnostic: (note) => notes.push(note), ...limits });
  const items: ReadItem[] = [];
  const layer = readLayer(inPieces(bytes), { name: "layer", mediaType: undefined, ...options }, ctx);
  for await (const item of layer) {
    const parts: Uint8Array[] = [];
    if (item.kind === "entry") {
      for await (const chunk of item.content) {
        parts.push(chunk.kind === "data" ? Uint8Array.from(chunk.bytes) : new Uint8Array(chunk.length));
      }
    }
    items.push({ item, content: Buffer.concat(parts) });
  }
  return items;
}
