import { packUnits } from "../../bytes/pack/units.ts";
import type { DiskWriter } from "../disk-writer.ts";

const SECTOR = 512;
/** A whole task of the workers. */
const UNIT_BYTES = 1 << 20;
const ZEROS = new Uint8Array(UNIT_BYTES);

/** The bytes of the disk and nothing else, up to a whole sector. */
export const writer: DiskWriter = {
  name: "raw",
  async *write(content, _options, ctx) {
    const size = Math.ceil(content.size / SECTOR) * SECTOR;
    const coding = { coding: "plain", unitBytes: UNIT_BYTES, level: 0 } as const;
    let at = 0;
    for await (const { index, bytes } of packUnits(content.pieces(), coding, { done: 0, reused: 0 }, ctx)) {
      const start = index * UNIT_BYTES;
      yield* zeros(start - at);
      yield bytes.subarray(0, size - start);
      at = Math.min(size, start + UNIT_BYTES);
      ctx.progress({ stage: "disk", item: content.name, done: at, total: size });
    }
    yield* zeros(size - at);
    return [];
  },
};

function* zeros(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= UNIT_BYTES) yield ZEROS.subarray(0, left);
}
