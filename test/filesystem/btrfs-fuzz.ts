import fc from "fast-check";
import { expect } from "vitest";
import type { ByteSource } from "../../src/bytes/byte-source.ts";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { format } from "../../src/filesystem/btrfs/reader.ts";
import { metadata, NODE, patched, smallImage } from "./btrfs-nodes.ts";

const MOST_SECONDS = 10;
const MOST_BYTES = 512 << 20;

interface Change {
  /** All copies of a block. */
  readonly copies: readonly number[];
  readonly offset: number;
  readonly value: number;
  readonly width: 1 | 2 | 4;
}

const INTERESTING = fc.oneof(
  fc.constantFrom(0, 1, 2, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff),
  fc.nat(0xffffffff),
);

/** Opens, lists and reads; everything that a damaged image may answer is a result or a ConverterError. */
async function read(source: ByteSource): Promise<string> {
  try {
    const fileSystem = await format.open(source, createContext(), [], { subvolume: 5 });
    for await (const entry of fileSystem.walk()) {
      if (entry.type !== "file") continue;
      const content = fileSystem.content(entry);
      for (let at = 0, count = 0; at < entry.size && count < 200; count++) {
        const extent = await content.extentAt(at, entry.size - at);
        expect(extent.offset).toBe(at);
        expect(extent.length).toBeGreaterThan(0);
        await content.read(at, Math.min(extent.length, 1 << 16));
        at += extent.length;
      }
    }
    return "read";
  } catch (cause) {
    if (cause instanceof ConverterError) return cause.code;
    throw cause;
  }
}

/** Tries `inputs` images, each with some fields of its trees changed and sums that fit. */
export async function fuzz(inputs: number): Promise<void> {
  const image = smallImage();
  const blocks = metadata(image);
  const change: fc.Arbitrary<Change> = fc.record({
    copies: fc.constantFrom(...blocks),
    // Items stand at both ends of a node.
    offset: fc.oneof(fc.nat(400), fc.nat(NODE - 4)),
    value: INTERESTING,
    width: fc.constantFrom(1, 2, 4),
  });
  const answers = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (list) => {
      const changes = new Map<number, (block: Buffer) => void>();
      for (const { copies, offset, value, width } of list) {
        for (const block of copies) {
          const before = changes.get(block);
          changes.set(block, (bytes) => {
            before?.(bytes);
            bytes.writeUIntLE(width === 4 ? value : value % 2 ** (8 * width), Math.max(32, offset), width);
          });
        }
      }
      const start = performance.now();
      const answer = await read(patched(image, changes));
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
      expect(performance.now() - start).toBeLessThan(MOST_SECONDS * 1000);
    }),
    { numRuns: inputs },
  );
  expect(process.memoryUsage().rss).toBeLessThan(MOST_BYTES);
  process.stdout.write(`btrfs: ${inputs} inputs tried ${JSON.stringify(Object.fromEntries([...answers].sort()))}\n`);
}
