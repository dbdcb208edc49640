import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "../../src/bytes/digest.ts";
import { createContext } from "../../src/context.ts";
import { imageConfig } from "../../src/oci/image-config.ts";
import { transport } from "../../src/transport/docker-archive.ts";
import { openImage } from "../../src/transport/open-image.ts";
import { verifyImage } from "../../src/transport/verify.ts";
import { sampleTar } from "./sample-image.ts";

let folder: string;
let ctx: ReturnType<typeof createContext>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "transload-archive-"));
  ctx = createContext({ tmp: folder });
  mkdirSync(join(folder, "in"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

const LAYERS = [sampleTar({ a: "1" }), sampleTar({ b: "2" })];

function put(name: string, bytes: Uint8Array | string): void {
  mkdirSync(join(folder, "in", name, ".."), { recursive: true });
  writeFileSync(join(folder, "in", name), bytes);
}

function putConfig(layers: readonly Buffer[], name = "config.json"): void {
  const diffIds = layers.map(sha256);
  put(name, imageConfig({ platform: { os: "linux", architecture: "amd64" }, execution: {}, diffIds, history: [] }));
}

function putManifest(layers: readonly string[], more: object = {}): void {
  put("manifest.json", JSON.stringify([{ Config: "config.json", RepoTags: null, Layers: layers, ...more }]));
}

/** With the members in this order, as tar itself writes them. */
function archive(...members: string[]): string {
  const path = join(folder, "out.tar");
  execFileSync("tar", ["-C", join(folder, "in"), "-cf", path, ...members]);
  return path;
}

async function outcome(path: string): Promise<object> {
  await using source = await transport.openSource(path, ctx);
  const { manifest } = await openImage(source, undefined, ctx);
  const { ok, findings } = await verifyImage(source, ctx);
  return { layers: manifest.layers.map(({ mediaType }) => mediaType.split(".tar")[1]), ok, findings };
}

describe("an archive of docker save", () => {
  it("may have its manifest anywhere, and layers as links", async () => {
    putConfig(LAYERS);
    put("abc.tar", LAYERS[0] ?? "");
    put("def/layer.tar", LAYERS[1] ?? "");
    mkdirSync(join(folder, "in", "id"));
    symlinkSync("../abc.tar", join(folder, "in", "id", "layer.tar"));
    putManifest(["id/layer.tar", "./def/layer.tar"]);
    for (const order of [
      ["manifest.json", "id", "abc.tar", "def", "config.json"],
      ["id", "abc.tar", "manifest.json", "config.json", "def"],
      ["./def", "./abc.tar", "./id", "./config.json", "./manifest.json"],
    ]) {
      expect(await outcome(archive(...order))).toEqual({ layers: ["", ""], ok: true, findings: [] });
    }
  });

  it("may have compressed layers, and one layer twice", async () => {
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = LAYERS;
    putConfig([first, second, first]);
    put("one", gzipSync(first));
    put("two", second);
    putManifest(["one", "two", "one"]);
    const path = archive("config.json", "one", "two", "manifest.json");
    expect(await outcome(path)).toEqual({ layers: ["+gzip", "", "+gzip"], ok: true, findings: [] });
  });

  it.each<[string, string[] | string, string]>([
    ["TRANSPORT_ARCHIVE_MANIFEST", ["one"], "more diff_ids than layers"],
    ["TRANSPORT_ARCHIVE_MANIFEST", ["one", "one"], "one layer for two diff_ids"],
    ["TRANSPORT_ARCHIVE_MANIFEST", ["one", "gone"], "a layer that is not there"],
    ["TRANSPORT_ARCHIVE_MANIFEST", ["one", "loop"], "a link to itself"],
    ["OCI_DOCUMENT_FORM", "one", "layers that are no list"],
  ])("is refused with %s: %j, %s", async (code, layers) => {
    putConfig(LAYERS);
    put("one", LAYERS[0] ?? "");
    symlinkSync("loop", join(folder, "in", "loop"));
    putManifest(layers as string[]);
    const path = archive("config.json", "one", "loop", "manifest.json");
    await expect(transport.openSource(path, ctx)).rejects.toMatchObject({ code });
  });

  it("without its config is refused", async () => {
    putManifest([]);
    const path = archive("manifest.json");
    await expect(transport.openSource(path, ctx)).rejects.toMatchObject({ code: "TRANSPORT_ARCHIVE_MANIFEST" });
  });

  it("whose layer is not what the config says is found out", async () => {
    putConfig(LAYERS);
    put("one", LAYERS[0] ?? "");
    put("two", Buffer.concat([LAYERS[1] ?? Buffer.alloc(0), Buffer.alloc(512)]));
    putManifest(["one", "two"]);
    const path = archive("config.json", "one", "two", "manifest.json");
    expect(await outcome(path)).toMatchObject({ ok: false, findings: [{ code: "DIGEST_MISMATCH" }] });
  });

  it("cannot be written by number", async () => {
    const writing = transport.openDestination(join(folder, "x:@0"), { force: false }, ctx);
    await expect(writing).rejects.toMatchObject({ code: "TRANSPORT_REFERENCE" });
  });
});
