import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { sha256 } from "../../src/bytes/digest.ts";
import { outputFailed } from "../../src/bytes/output-file.ts";
import { createContext } from "../../src/context.ts";
import { imageConfig } from "../../src/oci/image-config.ts";
import { imageIndex, imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import type { ImageDestination } from "../../src/transport/image-transport.ts";
import { withLock } from "../../src/transport/layout-lock.ts";
import { transport } from "../../src/transport/oci.ts";
import { openImage } from "../../src/transport/open-image.ts";
import { verifyImage } from "../../src/transport/verify.ts";
import { pieces, putSample, sampleTar } from "./sample-image.ts";

let folder: string;
const ctx = createContext({ tmp: tmpdir() });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "transload-verify-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Parts {
  readonly layers: readonly (readonly [mediaType: string, bytes: Uint8Array])[];
  readonly diffIds: readonly Uint8Array[];
  readonly steps?: number;
}

async function put(to: ImageDestination, { layers, diffIds, steps = layers.length }: Parts) {
  const config = imageConfig({
    platform: { os: "linux", architecture: "amd64" },
    execution: {},
    diffIds: diffIds.map(sha256),
    history: Array.from({ length: steps }, () => ({ createdBy: "x" })),
  });
  const descriptors = [];
  for (const [mediaType, bytes] of layers) descriptors.push(await to.putBlob(pieces(bytes), { mediaType }));
  const configDescriptor = await to.putBlob(pieces(config), { mediaType: MEDIA_TYPES.config });
  const manifest = imageManifest({ mediaType: MEDIA_TYPES.manifest, config: configDescriptor, layers: descriptors });
  return await to.putManifest(manifest, MEDIA_TYPES.manifest);
}

async function findings(parts: Parts): Promise<string[]> {
  await using to = await transport.openDestination(folder, { force: false }, ctx);
  await put(to, parts);
  await to.commit();
  return await findingsOf();
}

async function findingsOf(): Promise<string[]> {
  await using source = await transport.openSource(folder, ctx);
  const report = await verifyImage(source, ctx);
  expect(report.ok).toBe(report.findings.every(({ severity }) => severity !== "error"));
  return report.findings.map(({ severity, code }) => `${severity} ${code}`);
}

const TAR = sampleTar({ a: "1" });
const OTHER = sampleTar({ b: "2" });
const TWICE = sampleTar({ d: "1", "./d": "2" });

describe("a full check", () => {
  it.each<[string, Parts, string[]]>([
    ["nothing wrong", { layers: [[MEDIA_TYPES.layerGzip, gzipSync(TAR)]], diffIds: [TAR] }, []],
    ["another DiffID", { layers: [[MEDIA_TYPES.layer, TAR]], diffIds: [OTHER] }, ["error OCI_DIFF_ID"]],
    ["too few DiffIDs", { layers: [[MEDIA_TYPES.layer, TAR]], diffIds: [] }, ["error OCI_DIFF_ID_COUNT"]],
    [
      "another number of steps",
      { layers: [[MEDIA_TYPES.layer, TAR]], diffIds: [TAR], steps: 3 },
      ["warning OCI_HISTORY_COUNT"],
    ],
    ["no history", { layers: [[MEDIA_TYPES.layer, TAR]], diffIds: [TAR], steps: 0 }, []],
    ["a path twice", { layers: [[MEDIA_TYPES.layer, TWICE]], diffIds: [TWICE] }, ["error LAYER_DUPLICATE_PATH"]],
    ["a wrong media type", { layers: [[MEDIA_TYPES.layerGzip, TAR]], diffIds: [TAR] }, ["error LAYER_COMPRESSION"]],
    ["an unknown layer", { layers: [["application/x", TAR]], diffIds: [TAR] }, ["warning LAYER_MEDIA_TYPE"]],
  ])("finds %s", async (_, parts, expected) => {
    expect(await findings(parts)).toEqual(expected);
  });

  it("finds damage to each blob", async () => {
    await using to = await transport.openDestination(folder, { force: false }, ctx);
    const image = await put(to, { layers: [[MEDIA_TYPES.layer, TAR]], diffIds: [TAR] });
    await to.commit();
    const blobs = join(folder, "blobs", "sha256");
    const layer = join(blobs, sha256(TAR).slice(7));
    writeFileSync(layer, Buffer.concat([TAR.subarray(0, 600), Buffer.from("!"), TAR.subarray(601)]));
    expect(await findingsOf()).toEqual(["error DIGEST_MISMATCH"]);
    truncateSync(layer, 700);
    expect(await findingsOf()).toEqual(["error DIGEST_SIZE"]);
    rmSync(layer);
    expect(await findingsOf()).toEqual(["error TRANSPORT_BLOB_MISSING"]);
    const config = readdirSync(blobs).find((name) => name !== image.digest.slice(7)) ?? "";
    truncateSync(join(blobs, config), 10);
    expect(await findingsOf()).toEqual(["error DIGEST_SIZE", "error TRANSPORT_BLOB_MISSING"]);
    truncateSync(join(blobs, image.digest.slice(7)), statSync(join(blobs, image.digest.slice(7))).size - 1);
    await expect(findingsOf()).rejects.toMatchObject({ code: "DIGEST_SIZE" });
  });

  it("walks indexes, but not without end", async () => {
    await using to = await transport.openDestination(folder, { force: false }, ctx);
    let entry = await putSample(to);
    for (let depth = 0; depth < 6; depth++) {
      entry = await to.putManifest(imageIndex({ mediaType: MEDIA_TYPES.index, manifests: [entry] }), MEDIA_TYPES.index);
    }
    await to.commit();
    expect(await findingsOf()).toEqual(["error TRANSPORT_INDEX_DEPTH"]);
    await using source = await transport.openSource(folder, ctx);
    await expect(openImage(source, undefined, ctx)).rejects.toMatchObject({ code: "TRANSPORT_INDEX_DEPTH" });
  });

  it("stops when it is told to", async () => {
    await findings({ layers: [[MEDIA_TYPES.layer, TAR]], diffIds: [TAR] });
    await using source = await transport.openSource(folder, ctx);
    const checking = verifyImage(source, createContext({ signal: AbortSignal.abort() }));
    await expect(checking).rejects.toMatchObject({ name: "AbortError" });
  });
});

describe("the lock of a layout", () => {
  it("is not waited for longer than a minute", async () => {
    const lock = join(folder, ".transload-lock");
    writeFileSync(lock, "");
    utimesSync(lock, 4e9, 4e9);
    const start = Date.now();
    let calls = 0;
    const clock = vi.spyOn(Date, "now").mockImplementation(() => start + 30_001 * calls++);
    const waiting = withLock(folder, ctx.signal, async () => undefined);
    await expect(waiting).rejects.toMatchObject({ code: "TRANSPORT_LOCKED", exitCode: 75 });
    clock.mockRestore();
  });
});

describe("what the operating system says about an output", () => {
  it.each([
    ["EACCES", "OUTPUT_PLACE", 73],
    ["ENOSPC", "OUTPUT_FAILED", 74],
    ["ERR_INVALID_ARG_TYPE", undefined, undefined],
  ])("%s is %s", (code, expected, exitCode) => {
    const error = outputFailed(Object.assign(new Error("x"), { code }), "out");
    expect(error).toMatchObject(expected === undefined ? { code } : { code: expected, exitCode });
  });
});
