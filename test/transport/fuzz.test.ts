import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, it } from "vitest";
import { createContext } from "../../src/context.ts";
import { transports } from "../../src/transport/index.ts";
import { openImage } from "../../src/transport/open-image.ts";
import { verifyImage } from "../../src/transport/verify.ts";
import { fuzz } from "../support/fuzz.ts";
import { putSample } from "./sample-image.ts";

let folder: string;
let whole: Buffer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "transload-fuzz-"));
  const transport = await transports.byName("docker-archive")?.load();
  const ctx = createContext({ tmp: folder });
  await using to = await transport?.openDestination(join(folder, "whole.tar:web:1"), { force: true }, ctx);
  if (to === undefined) throw new Error("docker-archive");
  await putSample(to);
  await to.commit();
  whole = readFileSync(join(folder, "whole.tar"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("an archive of any bytes at all", () => {
  it.each(["oci-archive", "docker-archive"])("is read or refused as %s", async (prefix) => {
    const transport = await transports.byName(prefix)?.load();
    const path = join(folder, `${prefix}.tar`);
    const ctx = createContext({ tmp: folder });
    const change = fc.tuple(fc.nat(1 << 20), fc.integer({ min: 0, max: 255 }));
    const cut = fc.option(fc.nat(1 << 20), { freq: 5 });
    const damaged = fc.tuple(fc.array(change, { minLength: 1, maxLength: 5 }), cut);
    await fuzz(prefix, 100, damaged, async ([changes, length]) => {
      const mutant = Buffer.from(whole.subarray(0, length === null ? whole.length : length % whole.length));
      for (const [at, byte] of changes) if (mutant.length > 0) mutant[at % mutant.length] = byte;
      writeFileSync(path, mutant);
      await using source = await transport?.openSource(path, ctx);
      if (source === undefined) throw new Error(prefix);
      await verifyImage(source, ctx);
      await openImage(source, undefined, ctx);
    });
  });
});
