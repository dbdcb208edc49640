import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { isZeros } from "../../src/bytes/zeros.ts";
import { createContext } from "../../src/context.ts";
import { imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import { transports } from "../../src/transport/index.ts";
import { openImage } from "../../src/transport/open-image.ts";
import { verifyImage } from "../../src/transport/verify.ts";
import { pieces } from "./sample-image.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-holes-"));
const ctx = createContext({ tmp: folder });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each(["oci", "oci-archive"])(
  "blobs of zeros are holes in %s, also where another blob was before",
  async (prefix) => {
    const transport = await transports.byName(prefix)?.load();
    const path = join(folder, `${prefix}-image`);
    const content = [
      Buffer.alloc(1 << 20, 1),
      Buffer.alloc(1 << 20, 1),
      Buffer.alloc(8 << 20),
      Buffer.concat([Buffer.alloc(100_000), Buffer.from("x"), Buffer.alloc(300_000)]),
    ];
    {
      await using to = await transport?.openDestination(`${path}:x`, { force: false }, ctx);
      if (to === undefined) throw new Error(prefix);
      const put = (bytes: Buffer, mediaType: string) => to.putBlob(pieces(bytes, 50_000), { mediaType });
      const layers = [];
      for (const bytes of content) layers.push(await put(bytes, "application/octet-stream"));
      await expect(
        to.putBlob(pieces(Buffer.alloc(5000, 2)), { mediaType: "text/plain", size: 1 }),
      ).rejects.toMatchObject({ code: "DIGEST_SIZE" });
      layers.push(await put(Buffer.alloc(9000), "application/octet-stream"));
      const config = await put(Buffer.from("{}"), MEDIA_TYPES.empty);
      const artifactType = "application/vnd.example.holes.v1";
      const manifest = imageManifest({ mediaType: MEDIA_TYPES.manifest, artifactType, config, layers });
      await to.putManifest(manifest, MEDIA_TYPES.manifest);
      await to.commit();
    }
    await using source = await transport?.openSource(`${path}:x`, ctx);
    if (source === undefined) throw new Error(prefix);
    expect(await verifyImage(source, ctx)).toMatchObject({ ok: true, findings: [] });
    expect((await openImage(source, undefined, ctx)).manifest.layers).toHaveLength(5);
    const files =
      prefix === "oci"
        ? readdirSync(join(path, "blobs/sha256")).map((name) => join(path, "blobs/sha256", name))
        : [path];
    expect(files.reduce((sum, file) => sum + statSync(file).blocks * 512, 0)).toBeLessThan(2 << 20);
  },
);

it("zeros are told from data wherever that stands", () => {
  expect(isZeros(new Uint8Array(0))).toBe(true);
  for (const size of [1, 2, 3, 1 << 20, (1 << 20) + 1, (2 << 20) + 7]) {
    const bytes = new Uint8Array(size);
    expect(isZeros(bytes)).toBe(true);
    for (const place of [0, size >> 1, size - 1]) {
      bytes[place] = 1;
      expect(isZeros(bytes)).toBe(false);
      bytes[place] = 0;
    }
  }
});
