import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convert, planConversion } from "../../converters/convert.ts";
import { type Context, createContext } from "../../src/context.ts";
import { imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import { transports } from "../../src/transport/index.ts";
import { codeOf } from "../ovf/appliance.ts";
import { pieces } from "../transport/sample-image.ts";

let folder: string;
let ctx: Context;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "transload-dispatch-"));
  ctx = createContext({ tmp: folder });
  const transport = await transports.byName("oci")?.load();
  await using to = await transport?.openDestination(join(folder, "layout:alien"), { force: true }, ctx);
  if (to === undefined) throw new Error("oci");
  const mediaType = MEDIA_TYPES.empty;
  const config = await to.putBlob(pieces(Buffer.from("{}")), { mediaType });
  const layers = [await to.putBlob(pieces(Buffer.from("x")), { mediaType: "text/plain" })];
  const artifactType = "application/vnd.example.poem.v1";
  const manifest = imageManifest({ mediaType: MEDIA_TYPES.manifest, artifactType, config, layers });
  await to.putManifest(manifest, MEDIA_TYPES.manifest);
  await to.commit();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the way from an image to a machine", () => {
  it("is refused by name where nobody knows what the image is", async () => {
    const request = { source: `oci:${folder}/layout:alien`, destination: `ova:${folder}/back.ova` };
    expect(await codeOf(convert(request, ctx))).toBe("CONVERT_IMAGE_KIND");
    await expect(planConversion(request, ctx)).rejects.toThrow(/vnd\.example\.poem/);
  });

  it("is for the platform that was asked for", async () => {
    const request = { source: `oci:${folder}/layout:alien`, destination: `ova:${folder}/back.ova`, platform: "a b" };
    expect(await codeOf(convert(request, ctx))).toBe("GUEST_OPTION");
  });
});
