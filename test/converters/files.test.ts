import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Files, openFilesAt } from "../../converters/files.ts";
import { inspect } from "../../converters/inspect.ts";
import { openMachineAt } from "../../converters/open.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { imageConfig } from "../../src/oci/image-config.ts";
import { imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import type { ImageDestination } from "../../src/transport/image-transport.ts";
import { transports } from "../../src/transport/index.ts";
import { fixture } from "../support/needs.ts";
import { pieces, putSample, sampleTar } from "../transport/sample-image.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "transload-files-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const notes: Diagnostic[] = [];
const ctx = () => createContext({ tmp: folder, diagnostic: (note) => void notes.push(note) });

async function write(prefix: string, fill: (to: ImageDestination) => Promise<unknown>): Promise<string> {
  const transport = await transports.byName(prefix)?.load();
  await using to = await transport?.openDestination(join(folder, "image"), { force: false, name: "a:1" }, ctx());
  if (to === undefined) throw new Error(prefix);
  await fill(to);
  await to.commit();
  return `${prefix}:${join(folder, "image")}`;
}

async function textOf(files: Files, path: string): Promise<string | undefined> {
  const entry = await files.tree.follow(path);
  if (entry?.type !== "file") return undefined;
  const parts: Uint8Array[] = [];
  for await (const chunk of files.content(entry)) {
    parts.push(chunk.kind === "data" ? Uint8Array.from(chunk.bytes) : new Uint8Array(chunk.length));
  }
  return Buffer.concat(parts).toString();
}

describe("the files of an image", () => {
  it.each(["oci", "oci-archive", "docker-archive"])("are those of its layers, from %s:", async (prefix) => {
    const reference = await write(prefix, (to) => putSample(to));
    await using files = await openFilesAt(reference, {}, ctx());
    const paths: string[] = [];
    for await (const { path } of files.tree.walk()) paths.push(path);
    expect(paths).toEqual(["", "etc", "etc/os-release", "usr", "usr/lib", "usr/lib/mark"]);
    expect((await files.tree.list("usr")).map(({ path }) => path)).toEqual(["usr/lib"]);
    expect(await textOf(files, "etc/os-release")).toBe("ID=debian\n");
    expect(Buffer.from((await files.tree.readFile("usr/lib/mark")) ?? []).toString()).toBe("sample");
    expect(await textOf(files, "nothing")).toBeUndefined();
    const seen: string[] = [];
    for await (const { path } of files.tree.walk(({ path }) => path !== "usr")) seen.push(path);
    expect(seen).toEqual(["", "etc", "etc/os-release", "usr"]);
  });

  it("can be told of by inspect", async () => {
    const reference = await write("oci", (to) => putSample(to));
    const expected = { os: { id: "debian", name: "debian", version: undefined }, entries: 6, bytes: 16 };
    expect(await inspect(reference, { files: true }, ctx())).toMatchObject({ kind: "image", files: expected });
    expect(await inspect(reference, {}, ctx())).toMatchObject({ kind: "image", files: undefined });
    const other = inspect(reference, { platform: "linux/arm64" }, ctx());
    await expect(other).resolves.toMatchObject({ kind: "image" });
  });

  it("are not there in an artifact", async () => {
    const reference = await write("oci", async (to) => {
      const layers = [await to.putBlob(pieces(Buffer.from("x")), { mediaType: "text/plain" })];
      const config = await to.putBlob(pieces(Buffer.from("{}")), { mediaType: MEDIA_TYPES.empty });
      const fields = { mediaType: MEDIA_TYPES.manifest, artifactType: "text/plain", config, layers };
      return await to.putManifest(imageManifest(fields), MEDIA_TYPES.manifest);
    });
    await expect(openFilesAt(reference, {}, ctx())).rejects.toMatchObject({ code: "TRANSPORT_NO_FILES", exitCode: 69 });
  });

  it("are shown where the DiffIDs do not go with the layers, with a warning", async () => {
    const reference = await write("oci", async (to) => {
      const layers = [await to.putBlob(pieces(sampleTar({ a: "b" })), { mediaType: MEDIA_TYPES.layer })];
      const platform = { os: "linux", architecture: "amd64" };
      const bytes = imageConfig({ platform, execution: {}, diffIds: [], history: [] });
      const config = await to.putBlob(pieces(bytes), { mediaType: MEDIA_TYPES.config });
      return await to.putManifest(
        imageManifest({ mediaType: MEDIA_TYPES.manifest, config, layers }),
        MEDIA_TYPES.manifest,
      );
    });
    notes.length = 0;
    await using files = await openFilesAt(reference, {}, ctx());
    expect(await textOf(files, "a")).toBe("b");
    expect(notes).toMatchObject([{ code: "OCI_DIFF_ID_COUNT", severity: "warning" }]);
  });
});

describe("the files of a machine", () => {
  it("are not those of an image", async () => {
    await expect(openMachineAt("oci:a:b", {}, ctx())).rejects.toMatchObject({ code: "CONVERT_NOT_A_MACHINE" });
  });

  it("are found by the same way", async () => {
    await using files = await openFilesAt(fixture("appliances", "hello", "hello.ova"), {}, ctx());
    expect(files.image).toBeUndefined();
    expect(await textOf(files, "etc/os-release")).toContain("ID=");
  });
});
