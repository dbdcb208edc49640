import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "../../src/bytes/digest.ts";
import { createContext } from "../../src/context.ts";
import { imageIndex, imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import type { ImageDestination, ImageSource } from "../../src/transport/image-transport.ts";
import { transports } from "../../src/transport/index.ts";
import { openImage } from "../../src/transport/open-image.ts";
import { verifyImage } from "../../src/transport/verify.ts";
import { contentOfBlob, pieces, putSample } from "./sample-image.ts";

let folder: string;
const ctx = () => createContext({ tmp: folder });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "transload-transport-"));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function destination(prefix: string, details: string, options: { force?: boolean; name?: string } = {}) {
  const transport = await transports.byName(prefix)?.load();
  if (transport === undefined) throw new Error(prefix);
  return await transport.openDestination(details, { force: false, ...options }, ctx());
}

async function source(prefix: string, details: string): Promise<ImageSource> {
  const transport = await transports.byName(prefix)?.load();
  if (transport === undefined) throw new Error(prefix);
  return await transport.openSource(details, ctx());
}

async function write(prefix: string, details: string, options: { force?: boolean; name?: string; mark?: string } = {}) {
  await using to: ImageDestination = await destination(prefix, details, options);
  const image = await putSample(to, options.mark);
  await to.commit();
  return image;
}

function indexOf(directory: string) {
  const { manifests } = JSON.parse(readFileSync(join(directory, "index.json"), "utf8"));
  return manifests as { digest: string; annotations?: Record<string, string> }[];
}

const PLACES = ["oci", "oci-archive", "docker-archive"] as const;

describe.each(PLACES)("%s as a destination", (prefix) => {
  const reference = () => `${join(folder, "out")}:${prefix === "docker-archive" ? "web:1.0" : "1.0"}`;

  it("gives back what was written, whole and verified", async () => {
    const image = await write(prefix, reference());
    await using from = await source(prefix, reference());
    const opened = await openImage(from, { os: "linux", architecture: "amd64" }, ctx());
    expect(opened.descriptor).toMatchObject(image);
    expect(opened.config?.execution.entrypoint).toEqual(["/sbin/init"]);
    const report = await verifyImage(from, ctx());
    expect(report).toMatchObject({ ok: true, images: 1, blobs: 3, findings: [] });
  });

  it("is the same bytes for the same image", async () => {
    await write(prefix, join(folder, "one"));
    await write(prefix, join(folder, "two"));
    const files = (name: string) => {
      const path = join(folder, name);
      if (!statSync(path).isDirectory()) return [readFileSync(path)];
      const names = readdirSync(path, { recursive: true, encoding: "utf8" }).sort();
      return names.map((file) => [file, statSync(join(path, file)).isFile() ? readFileSync(join(path, file)) : ""]);
    };
    expect(files("one")).toEqual(files("two"));
  });

  it("leaves nothing when it is disposed without commit", async () => {
    {
      await using to = await destination(prefix, reference());
      await putSample(to);
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it("shows nothing before commit, so that a killed run leaves no image", async () => {
    const to = await destination(prefix, reference());
    await putSample(to);
    await expect(source(prefix, reference())).rejects.toMatchObject({ exitCode: 66 });
    expect(
      readdirSync(folder, { recursive: true, encoding: "utf8" }).every((name) => /(^|\/)(out$|\.)/.test(name)),
    ).toBe(true);
    await write(prefix, reference());
    await to[Symbol.asyncDispose]();
    await using from = await source(prefix, reference());
    expect(await verifyImage(from, ctx())).toMatchObject({ ok: true });
  });

  it("checks what it is told to expect, and goes on afterwards", async () => {
    await using to = await destination(prefix, reference());
    const bytes = Buffer.from("content");
    const mediaType = MEDIA_TYPES.layer;
    await expect(to.putBlob(pieces(bytes), { mediaType, size: 8 })).rejects.toMatchObject({ code: "DIGEST_SIZE" });
    const wrong = sha256(Buffer.from("other"));
    await expect(to.putBlob(pieces(bytes), { mediaType, digest: wrong })).rejects.toMatchObject({
      code: "DIGEST_MISMATCH",
    });
    expect(await to.has(sha256(bytes))).toBe(false);
    await to.putBlob(pieces(bytes), { mediaType });
    await to.putBlob(pieces(bytes), { mediaType });
    expect(await to.has(sha256(bytes))).toBe(true);
    await putSample(to);
    await to.commit();
    await using from = await source(prefix, reference());
    expect(await verifyImage(from, ctx())).toMatchObject({ ok: true });
  });

  it("passes on what the content throws", async () => {
    await using to = await destination(prefix, reference());
    const broken = (async function* () {
      yield Buffer.from("x");
      throw new Error("the input broke");
    })();
    await expect(to.putBlob(broken, { mediaType: MEDIA_TYPES.layer })).rejects.toThrow("the input broke");
  });

  it("refuses a manifest whose blobs were not put", async () => {
    await using to = await destination(prefix, reference());
    const missing = { mediaType: MEDIA_TYPES.config, digest: sha256(Buffer.from("gone")), size: 4 };
    await to.putManifest(
      imageManifest({ mediaType: MEDIA_TYPES.manifest, config: missing, layers: [] }),
      MEDIA_TYPES.manifest,
    );
    await expect(to.commit()).rejects.toMatchObject({ code: "TRANSPORT_BLOB_MISSING" });
  });

  it("takes blobs that are put at the same time", async () => {
    await using to = await destination(prefix, reference());
    const blobs = Array.from({ length: 8 }, (_, index) => Buffer.alloc(100_000 + index, index));
    const put = await Promise.all(
      blobs.map((bytes) => to.putBlob(pieces(bytes, 7000), { mediaType: MEDIA_TYPES.layer })),
    );
    expect(put.map(({ digest }) => digest)).toEqual(blobs.map(sha256));
  });

  it("cannot be where a folder is missing or a file is in the way", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(destination(prefix, join(folder, "file", "out"))).rejects.toMatchObject({
      code: "OUTPUT_PLACE",
    });
  });
});

describe("a layout directory", () => {
  const out = () => join(folder, "out");

  it("keeps the other images, and what it does not know", async () => {
    await write("oci", `${out()}:a`, { mark: "a" });
    const index = JSON.parse(readFileSync(join(out(), "index.json"), "utf8"));
    const foreign = { mediaType: "x-unknown", digest: sha256(Buffer.from("x")), size: 1, urls: ["https://x.example"] };
    writeFileSync(
      join(out(), "index.json"),
      JSON.stringify({ ...index, "x-field": 1, manifests: [foreign, ...index.manifests] }),
    );
    const second = await write("oci", `${out()}:b`, { mark: "b" });
    expect(indexOf(out())).toMatchObject([
      foreign,
      { annotations: { "org.opencontainers.image.ref.name": "a" } },
      second,
    ]);
    expect(JSON.parse(readFileSync(join(out(), "index.json"), "utf8"))).toMatchObject({ "x-field": 1 });
    for (const tag of ["a", "b"]) {
      await using from = await source("oci", `${out()}:${tag}`);
      expect(await verifyImage(from, ctx())).toMatchObject({ ok: true });
    }
    await expect(source("oci", out())).rejects.toMatchObject({ code: "TRANSPORT_AMBIGUOUS", exitCode: 2 });
    await expect(source("oci", `${out()}:c`)).rejects.toMatchObject({ code: "TRANSPORT_TAG_MISSING", exitCode: 66 });
  });

  it("takes a tag again for the same image, for another one only by force", async () => {
    const first = await write("oci", `${out()}:a`, { mark: "1" });
    expect(await write("oci", `${out()}:a`, { mark: "1" })).toEqual(first);
    await expect(write("oci", `${out()}:a`, { mark: "2" })).rejects.toMatchObject({
      code: "TRANSPORT_TAG_EXISTS",
      exitCode: 73,
    });
    expect(indexOf(out())).toMatchObject([{ digest: first.digest }]);
    const second = await write("oci", `${out()}:a`, { mark: "2", force: true });
    expect(indexOf(out())).toMatchObject([{ digest: second.digest }]);
  });

  it("names the image for every client", async () => {
    await write("oci", `${out()}:1.0`, { name: "team/web:1.0" });
    expect(indexOf(out())[0]?.annotations).toEqual({
      "io.containerd.image.name": "docker.io/team/web:1.0",
      "org.opencontainers.image.ref.name": "1.0",
    });
  });

  it("takes many writers at the same time", async () => {
    const tags = Array.from({ length: 6 }, (_, index) => `t${index}`);
    await Promise.all(tags.map((tag) => write("oci", `${out()}:${tag}`, { mark: tag })));
    const names = indexOf(out()).map((entry) => entry.annotations?.["org.opencontainers.image.ref.name"]);
    expect(names.sort()).toEqual(tags);
    expect(readdirSync(out()).sort()).toEqual(["blobs", "index.json", "oci-layout"]);
  });

  it("breaks the lock of a program that was killed", async () => {
    mkdirSync(out());
    const lock = join(out(), ".transload-lock");
    writeFileSync(lock, "");
    utimesSync(lock, 1, 1);
    await write("oci", `${out()}:a`);
    expect(existsSync(lock)).toBe(false);
  });

  it("waits for a lock that is held, until it is told to stop", async () => {
    mkdirSync(out());
    writeFileSync(join(out(), ".transload-lock"), "");
    const transport = await transports.byName("oci")?.load();
    const waiting = createContext({ tmp: folder, signal: AbortSignal.timeout(200) });
    const to = await transport?.openDestination(`${out()}:a`, { force: false }, waiting);
    if (to === undefined) throw new Error("oci");
    await putSample(to);
    await expect(to.commit()).rejects.toMatchObject({ name: "TimeoutError" });
    await to[Symbol.asyncDispose]();
    expect(readdirSync(out())).toEqual([".transload-lock"]);
  });

  it("is not made of a directory with other things in it", async () => {
    writeFileSync(join(folder, "letter.txt"), "");
    await expect(destination("oci", folder)).rejects.toMatchObject({ code: "TRANSPORT_OUTPUT_FOREIGN", exitCode: 73 });
  });

  it("of another version is not touched", async () => {
    await write("oci", `${out()}:a`);
    writeFileSync(join(out(), "oci-layout"), '{"imageLayoutVersion":"2.0.0"}');
    await expect(source("oci", out())).rejects.toMatchObject({ code: "TRANSPORT_LAYOUT_VERSION", exitCode: 69 });
    await expect(destination("oci", out())).rejects.toMatchObject({ code: "TRANSPORT_LAYOUT_VERSION" });
  });

  it("with small faults is read, and they are told", async () => {
    const image = await write("oci", `${out()}:a`, { mark: "a" });
    const other = await write("oci", `${out()}:b`, { mark: "b" });
    const entry = (digest: typeof image) => ({ ...digest, annotations: { "org.opencontainers.image.ref.name": "x" } });
    writeFileSync(
      join(out(), "index.json"),
      JSON.stringify({ schemaVersion: 2, manifests: [entry(image), entry(other)] }),
    );
    rmSync(join(out(), "oci-layout"));
    const notes: string[] = [];
    const noting = createContext({ tmp: folder, diagnostic: ({ code }) => notes.push(code) });
    const transport = await transports.byName("oci")?.load();
    await using from = await transport?.openSource(`${out()}:x`, noting);
    expect((await from?.manifest())?.descriptor.digest).toBe(image.digest);
    expect(notes).toEqual(["TRANSPORT_LAYOUT_MARKER", "TRANSPORT_TAG_TWICE"]);
  });

  it("that does not exist is not found", async () => {
    await expect(source("oci", out())).rejects.toMatchObject({ code: "FILE_NOT_FOUND", exitCode: 66 });
    mkdirSync(out());
    await expect(source("oci", out())).rejects.toMatchObject({ code: "TRANSPORT_LAYOUT_MISSING", exitCode: 66 });
    writeFileSync(join(out(), "index.json"), '{"schemaVersion":2,"manifests":[]}');
    await expect(source("oci", out())).rejects.toMatchObject({ code: "TRANSPORT_IMAGE_MISSING", exitCode: 66 });
  });
});

describe("an archive", () => {
  const out = () => join(folder, "out.tar");

  it("is a layout and a docker archive in one", async () => {
    const image = await write("docker-archive", `${out()}:team/web:1.0`);
    const names = execFileSync("tar", ["tf", out()]).toString().trim().split("\n");
    expect(names.slice(0, 3)).toEqual(["blobs/", "blobs/sha256/", "oci-layout"]);
    expect(names.slice(-2)).toEqual(["index.json", "manifest.json"]);
    expect(JSON.parse(execFileSync("tar", ["xOf", out(), "manifest.json"]).toString())).toMatchObject([
      { RepoTags: ["team/web:1.0"] },
    ]);
    for (const reference of ["team/web:1.0", "docker.io/team/web:1.0", "@0"]) {
      await using from = await source("docker-archive", `${out()}:${reference}`);
      expect((await from.manifest()).descriptor.digest).toBe(image.digest);
    }
    for (const reference of [out(), `${out()}:1.0`, `${out()}:docker.io/team/web:1.0`]) {
      await using from = await source("oci-archive", reference);
      expect((await from.manifest()).descriptor.digest).toBe(image.digest);
    }
    await expect(source("docker-archive", `${out()}:other`)).rejects.toMatchObject({ code: "TRANSPORT_TAG_MISSING" });
    await expect(source("docker-archive", `${out()}:@1`)).rejects.toMatchObject({ code: "TRANSPORT_TAG_MISSING" });
  });

  it("is not replaced without force", async () => {
    await write("oci-archive", out());
    await expect(destination("oci-archive", out())).rejects.toMatchObject({
      code: "OUTPUT_EXISTS",
      exitCode: 73,
    });
    await write("oci-archive", out(), { force: true, mark: "2" });
    expect(readdirSync(folder)).toEqual(["out.tar"]);
  });

  it("that came to be in the meantime is not replaced either", async () => {
    await using to = await destination("oci-archive", out());
    await putSample(to);
    writeFileSync(out(), "mine");
    await expect(to.commit()).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    expect(readFileSync(out(), "utf8")).toBe("mine");
    expect(readdirSync(folder)).toEqual(["out.tar"]);
  });

  it("compressed as a whole is read all the same", async () => {
    const image = await write("oci-archive", out());
    writeFileSync(`${out()}.gz`, gzipSync(readFileSync(out())));
    await using from = await source("oci-archive", `${out()}.gz`);
    expect((await from.manifest()).descriptor.digest).toBe(image.digest);
    expect(await verifyImage(from, ctx())).toMatchObject({ ok: true });
  });

  it("holds an index of images, but none that Docker must load", async () => {
    for (const prefix of ["oci-archive", "docker-archive"]) {
      await using to = await destination(prefix, join(folder, prefix));
      const manifests = [await putSample(to, "a"), await putSample(to, "b")];
      const platforms = ["amd64", "arm64"].map((architecture) => ({ os: "linux", architecture }));
      const entries = manifests.map((entry, index) => ({
        ...entry,
        platform: platforms[index] ?? { os: "", architecture: "" },
      }));
      await to.putManifest(imageIndex({ mediaType: MEDIA_TYPES.index, manifests: entries }), MEDIA_TYPES.index);
      if (prefix === "docker-archive") {
        await expect(to.commit()).rejects.toMatchObject({ code: "TRANSPORT_NOT_LOADABLE", exitCode: 69 });
        continue;
      }
      await to.commit();
      await using from = await source(prefix, join(folder, prefix));
      const image = await openImage(from, { os: "linux", architecture: "arm64" }, ctx());
      expect(image.descriptor.digest).toBe(manifests[1]?.digest);
      const riscv = openImage(from, { os: "linux", architecture: "riscv64" }, ctx());
      await expect(riscv).rejects.toMatchObject({ code: "TRANSPORT_PLATFORM_MISSING", exitCode: 66 });
      expect(await verifyImage(from, ctx())).toMatchObject({ ok: true, images: 2 });
    }
  });

  it("goes through a pipe", async () => {
    const fifo = join(folder, "fifo");
    execFileSync("mkfifo", [fifo]);
    const reading = (await import("node:fs/promises")).readFile(fifo);
    const image = await write("oci-archive", fifo, { force: false });
    writeFileSync(out(), await reading);
    await using from = await source("oci-archive", out());
    expect((await from.manifest()).descriptor.digest).toBe(image.digest);
  });

  it("reads each blob where it lies", async () => {
    await write("oci-archive", out());
    await using from = await source("oci-archive", out());
    const { manifest } = await openImage(from, undefined, ctx());
    for (const layer of manifest.layers) expect(sha256(await contentOfBlob(from, layer))).toBe(layer.digest);
  });
});
