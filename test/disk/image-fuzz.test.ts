import fc from "fast-check";
import { describe, it } from "vitest";
import { extents } from "../../src/bytes/byte-source.ts";
import { fuzz, WORDS } from "../support/fuzz.ts";
import { type FixtureImage, fixtureImages, openFixture } from "./fixture-images.ts";
import { seal } from "./seal.ts";

const FORMATS = ["vdi", "vhd", "vhdx", "qcow2", "cowd", "sesparse"];
const RUNS = 1200;

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

const change = fc.record({
  sector: fc.nat(),
  within: fc.oneof(fc.nat(31), fc.nat(127)),
  value: fc.oneof(WORDS, fc.nat(0x20000)),
  big: fc.boolean(),
});

describe("damaged images", () => {
  it("give a result or a ConverterError, soon and in little memory", { timeout: 120_000 }, async () => {
    const images = fixtureImages(FORMATS).map((image) => ({ image, places: interesting(image.input) }));
    const damaged = fc.record({
      of: fc.constantFrom(...images),
      changes: fc.array(change, { minLength: 1, maxLength: 3 }),
      cut: fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.nat() }),
      sealed: fc.boolean(),
    });
    await fuzz(FORMATS.join(", "), RUNS, damaged, async ({ of: { image, places }, changes, cut, sealed }) => {
      const bytes = Buffer.from(image.input);
      for (const { sector, within, value, big } of changes) {
        const at = (places[sector % places.length] ?? 0) + within * 4;
        if (big) bytes.writeUInt32BE(value, at);
        else bytes.writeUInt32LE(value, at);
      }
      const whole = cut === null ? bytes : bytes.subarray(0, cut % bytes.length);
      await use(image, sealed ? seal(whole) : whole);
    });
  });
});
