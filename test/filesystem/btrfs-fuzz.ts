import fc from "fast-check";
import { createContext } from "../../src/context.ts";
import { format } from "../../src/filesystem/btrfs/reader.ts";
import { fuzz, readEverything, WORDS } from "../support/fuzz.ts";
import { metadata, NODE, patched, smallImage } from "./btrfs-nodes.ts";

interface Change {
  /** All copies of a block. */
  readonly copies: readonly number[];
  readonly offset: number;
  readonly value: number;
  readonly width: 1 | 2 | 4;
}

/** Tries `inputs` images, each with some fields of its trees changed and sums that fit. */
export async function fuzzBtrfs(inputs: number): Promise<void> {
  const image = smallImage();
  const blocks = metadata(image);
  const change: fc.Arbitrary<Change> = fc.record({
    copies: fc.constantFrom(...blocks),
    // Items stand at both ends of a node.
    offset: fc.oneof(fc.nat(400), fc.nat(NODE - 4)),
    value: WORDS,
    width: fc.constantFrom(1, 2, 4),
  });
  const list = fc.array(change, { minLength: 1, maxLength: 3 });
  await fuzz("btrfs", inputs, list, async (fields) => {
    const changes = new Map<number, (block: Buffer) => void>();
    for (const { copies, offset, value, width } of fields) {
      for (const block of copies) {
        const before = changes.get(block);
        changes.set(block, (bytes) => {
          before?.(bytes);
          bytes.writeUIntLE(value % 2 ** (8 * width), Math.max(32, offset), width);
        });
      }
    }
    await readEverything(await format.open(patched(image, changes), createContext(), [], { subvolume: 5 }));
  });
}
