import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { ConverterError } from "../../src/errors.ts";
import { type FixtureImage, fixtureImages, openFixture } from "./fixture-images.ts";
import { seal } from "./seal.ts";

const FORMATS = ["vdi", "vhd", "vhdx", "qcow2", "cowd", "sesparse"];
const RUNS = 1200;
const MOST_BYTES = 512 << 20;

/** Opens and reads what is there, however long the disk claims to be. */
async function use(image: FixtureImage, bytes: Buffer): Promise<void> {
  const disk = await openFixture(image, bytes);
  let data = 0;
  let seen = 0;
  for await (const extent of extents(disk)) {
    if (extent.kind === "data") await disk.read(extent.offset, Math.min(extent.length, 1 << 20));
    data += extent.length;
    if (data > 16 << 20 || seen++ > 500) return;
  }
}

/** The places where an image has other bytes than zeros and its pattern: what its tables and headers are made of. */
function interesting(bytes: Buffer): readonly number[] {
  const places: number[] = [];
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const sector = bytes.subarray(at, at + 512);
    if (sector.some((byte) => byte !== sector[0])) places.push(at);
  }
  const last = bytes.length - 512;
  return last > 0 && !places.includes(last) ? [...places, last] : places;
}

const word = fc.oneof(
  fc.constantFrom(0, 1, 2, 6, 7, 0x7f, 0xff, 0x200, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
  fc.integer({ min: 0, max: 0xffffffff }),
  fc.nat(0x20000),
);

const change = fc.record({
  sector: fc.nat(),
  within: fc.oneof(fc.nat(31), fc.nat(127)),
  value: word,
  big: fc.boolean(),
});

describe("damaged images", () => {
  it("give a result or a ConverterError, soon and in little memory", { timeout: 120_000 }, async () => {
    const images = fixtureImages(FORMATS).map((image) => ({ image, places: interesting(image.input) }));
    const codes = new Map<string, number>();
    let slowest = 0;
    let most = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...images),
        fc.array(change, { minLength: 1, maxLength: 3 }),
        fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat() }),
        fc.boolean(),
        async ({ image, places }, changes, cut, sealed) => {
          const bytes = Buffer.from(image.input);
          for (const { sector, within, value, big } of changes) {
            const at = (places[sector % places.length] ?? 0) + within * 4;
            if (big) bytes.writeUInt32BE(value, at);
            else bytes.writeUInt32LE(value, at);
          }
          const damaged = cut === null ? bytes : bytes.subarray(0, cut % bytes.length);
          const start = performance.now();
          try {
            await use(image, sealed ? seal(damaged) : damaged);
          } catch (error) {
            if (!(error instanceof ConverterError)) throw error;
            codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
          }
          slowest = Math.max(slowest, performance.now() - start);
          most = Math.max(most, process.memoryUsage().rss);
        },
      ),
      { numRuns: RUNS },
    );
    const found = [...codes].map(([code, count]) => `${code} ${count}`).join(", ");
    process.stdout.write(
      `${RUNS} damaged images: slowest ${Math.round(slowest)} ms, most ${Math.round(most / 2 ** 20)} MiB; ${found}\n`,
    );
    expect(slowest).toBeLessThan(10_000);
    expect(most).toBeLessThan(MOST_BYTES);
  });
});
