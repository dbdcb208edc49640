import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ConvertRequest, convert, copy, planConversion } from "../../converters/convert.ts";
import { verify } from "../../converters/verify.ts";
import { sha256 } from "../../src/bytes/digest.ts";
import { createContext, type ProgressEvent } from "../../src/context.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { imageConfig } from "../../src/oci/image-config.ts";
import { imageIndex, imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import type { ImageDestination } from "../../src/transport/image-transport.ts";
import { transports } from "../../src/transport/index.ts";
import { describeWith, fixture } from "../support/needs.ts";
import { pieces, putSample, sampleTar } from "../transport/sample-image.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "transload-copy-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const events: ProgressEvent[] = [];
const ctx = () => createContext({ tmp: folder, progress: (event) => void events.push(event) });
const at = (name: string) => join(folder, name);

async function write(reference: string, fill: (to: ImageDestination) => Promise<unknown>): Promise<void> {
  const [, prefix = "", details = ""] = /^([a-z-]+):(.*)$/.exec(reference) ?? [];
  const transport = await transports.byName(prefix)?.load();
  await using to = await transport?.openDestination(details, { force: false }, ctx());
  if (to === undefined) throw new Error(prefix);
  await fill(to);
  await to.commit();
}

async function putImage(to: ImageDestination, architecture: string): Promise<Descriptor> {
  const tar = sampleTar({ "etc/architecture": architecture });
  const layer = await to.putBlob(pieces(tar), { mediaType: MEDIA_TYPES.layer });
  const platform = { os: "linux", architecture };
  const config = imageConfig({ platform, execution: {}, diffIds: [sha256(tar)], history: [{ createdBy: "test" }] });
  const descriptor = await to.putBlob(pieces(config), { mediaType: MEDIA_TYPES.config });
  const manifest = imageManifest({ mediaType: MEDIA_TYPES.manifest, config: descriptor, layers: [layer] });
  return { ...(await to.putManifest(manifest, MEDIA_TYPES.manifest)), platform };
}

/** An index of an index of one image, another image, and something that is no manifest. */
async function putIndex(to: ImageDestination): Promise<Descriptor> {
  const inner = imageIndex({ mediaType: MEDIA_TYPES.index, manifests: [await putImage(to, "arm64")] });
  const nested = await to.putManifest(inner, MEDIA_TYPES.index);
  const other = await to.putBlob(pieces(Buffer.from("notes")), { mediaType: "text/plain" });
  const manifests = [await putImage(to, "amd64"), await putImage(to, "s390x"), nested, other];
  return await to.putManifest(imageIndex({ mediaType: MEDIA_TYPES.index, manifests }), MEDIA_TYPES.index);
}

function request(source: string, destination: string, options: Partial<ConvertRequest> = {}): ConvertRequest {
  return { source, destination, ...options };
}

const PLACES = ["oci", "oci-archive", "docker-archive"] as const;

describe("an image that is copied", () => {
  it.each(PLACES.flatMap((from) => PLACES.map((to) => [from, to] as const)))(
    "from %s: to %s: is the same",
    async (from, to) => {
      await write(`${from}:${at("a")}:web:1`, (place) => putSample(place));
      const result = await copy(request(`${from}:${at("a")}`, `${to}:${at("b")}:web:2`), ctx());
      const again = await convert(request(`${to}:${at("b")}:web:2`, `oci:${at("c")}`), ctx());
      expect(again.target).toMatchObject({ mode: "copy", digest: result.target?.digest, platform: "linux/amd64" });
      expect(await verify(`${to}:${at("b")}`, ctx())).toMatchObject({ ok: true, findings: [] });
      expect(again.stats?.bytesWritten).toBe(again.target?.size);
    },
  );

  it("goes with all that its index lists, or alone", async () => {
    await write(`oci:${at("a")}:all`, putIndex);
    const whole = await copy(request(`oci:${at("a")}:all`, `oci-archive:${at("b")}`, { all: true }), ctx());
    expect(whole.target).toMatchObject({ mediaType: MEDIA_TYPES.index });
    expect(whole.target?.platform).toBeUndefined();
    expect(await verify(`oci-archive:${at("b")}`, ctx())).toMatchObject({ ok: true });
    for (const architecture of ["s390x", "amd64"]) {
      const platform = `linux/${architecture}`;
      const one = await copy(request(`oci-archive:${at("b")}`, `oci:${at(architecture)}`, { platform }), ctx());
      expect(one.target).toMatchObject({ mediaType: MEDIA_TYPES.manifest, platform });
    }
    const plan = await planConversion(request(`oci:${at("a")}:all`, `oci:${at("d")}`, { all: true }), ctx());
    expect(plan).toMatchObject({ form: "copy", uses: expect.arrayContaining(["4 manifests below it"]) });
    expect(existsSync(at("d"))).toBe(false);
    const docker = copy(request(`oci:${at("a")}:all`, `docker-archive:${at("e")}`, { all: true }), ctx());
    await expect(docker).rejects.toMatchObject({ code: "TRANSPORT_NOT_LOADABLE" });
    const missing = copy(request(`oci:${at("a")}:all`, `oci:${at("f")}`, { platform: "linux/riscv64" }), ctx());
    await expect(missing).rejects.toMatchObject({ code: "TRANSPORT_PLATFORM_MISSING" });
  });

  it("is not read where the destination has it, and tells how far it is", async () => {
    await write(`oci:${at("a")}:1`, (to) => putSample(to));
    await copy(request(`oci:${at("a")}:1`, `oci:${at("b")}:1`), ctx());
    events.length = 0;
    const again = await copy(request(`oci:${at("a")}:1`, `oci:${at("b")}:2`), ctx());
    const blobs = again.stats?.bytesReused ?? 0;
    expect(again.target?.size).toBe(blobs + (again.stats?.bytesWritten ?? 0));
    expect(events.at(-1)).toMatchObject({ stage: "push", done: blobs, total: blobs });
  });

  it("leaves nothing behind where a blob is not what it should be", async () => {
    await write(`oci:${at("a")}:1`, (to) => putSample(to));
    const blobs = at("a/blobs/sha256");
    const largest =
      readdirSync(blobs).sort((a, b) => readFileSync(join(blobs, b)).length - readFileSync(join(blobs, a)).length)[0] ??
      "";
    const bytes = readFileSync(join(blobs, largest));
    bytes[600] = 1;
    writeFileSync(join(blobs, largest), bytes);
    for (const to of PLACES) {
      const copying = copy(request(`oci:${at("a")}:1`, `${to}:${at("b")}:x:1`), ctx());
      await expect(copying).rejects.toMatchObject({ code: "DIGEST_MISMATCH", exitCode: 65 });
      expect(readdirSync(folder)).toEqual(["a"]);
    }
  });

  it("is no machine", async () => {
    const machine = fixture("appliances", "hello", "hello.ova");
    await expect(copy(request(machine, `oci:${at("a")}:1`), ctx())).rejects.toMatchObject({
      code: "CONVERT_NOT_AN_IMAGE",
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("stops when it is told to", async () => {
    await write(`oci:${at("a")}:1`, (to) => putSample(to));
    const stopped = createContext({ tmp: folder, signal: AbortSignal.abort() });
    const copying = copy(request(`oci:${at("a")}:1`, `oci:${at("b")}:1`), stopped);
    await expect(copying).rejects.toMatchObject({ name: "AbortError" });
    expect(readdirSync(folder)).toEqual(["a"]);
  });
});

describeWith({ tools: ["skopeo"] }, "an index", () => {
  it("is copied as skopeo copies it", async () => {
    await write(`oci:${at("a")}:all`, putIndex);
    const result = await copy(request(`oci:${at("a")}:all`, `oci:${at("b")}:all`, { all: true }), ctx());
    const raw = execFileSync("skopeo", ["inspect", "--raw", `oci:${at("b")}:all`]);
    expect(sha256(raw)).toBe(result.target?.digest);
    execFileSync("skopeo", [
      "copy",
      "--quiet",
      "--preserve-digests",
      "--override-arch",
      "s390x",
      `oci:${at("b")}:all`,
      `oci:${at("c")}:one`,
    ]);
    const one = await copy(request(`oci:${at("a")}:all`, `oci:${at("d")}:one`, { platform: "linux/s390x" }), ctx());
    expect(sha256(execFileSync("skopeo", ["inspect", "--raw", `oci:${at("c")}:one`]))).toBe(one.target?.digest);
  });
});
