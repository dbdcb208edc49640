import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../../src/bytes/digest.ts";
import { createContext, DEFAULT_REGISTRIES } from "../../../src/context.ts";
import { imageManifest } from "../../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../src/oci/media-types.ts";
import { transport } from "../../../src/transport/docker/transport.ts";
import { openImage } from "../../../src/transport/open-image.ts";
import { describeWith, fixture } from "../../support/needs.ts";
import { pieces, putSample } from "../sample-image.ts";
import { FakeRegistry } from "./fake-registry.ts";
import { startRegistry } from "./real-registry.ts";

const MIB = 1 << 20;
const LAYERS = 16;
const LAYER_MIB = 128;
const CUTS = 10;

/** 128 MiB that are no other layer's. */
async function* layer(number: number) {
  const block = Buffer.alloc(MIB, number);
  for (let index = 0; index < LAYER_MIB; index++) {
    block.writeUInt32LE(index);
    yield block;
  }
}

describe("a push of 2 GiB", () => {
  it("that is cut ten times ends whole, sends no finished blob again, and needs little memory", async () => {
    await using registry = await FakeRegistry.start({ forgetful: true });
    let received = 0;
    let cuts = 0;
    registry.onUpload = (length) => {
      received += length;
      const isDue = cuts < CUTS && received > ((cuts + 1) * LAYERS * LAYER_MIB * MIB) / (CUTS + 1);
      if (isDue) cuts += 1;
      return isDue;
    };
    const ctx = createContext({ registries: { ...DEFAULT_REGISTRIES, backoff: 10 } });
    const before = process.memoryUsage().rss;
    let peak = before;
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss);
    }, 50);
    await using to = await transport.openDestination(`${registry.host}/large:1`, { force: false }, ctx);
    const layers = [];
    for (let number = 0; number < LAYERS; number++) {
      layers.push(await to.putBlob(() => layer(number), { mediaType: MEDIA_TYPES.layer }));
      expect(registry.manifests.size).toBe(0);
    }
    const config = await to.putBlob(() => pieces(Buffer.from("{}")), { mediaType: MEDIA_TYPES.empty });
    const bytes = imageManifest({ mediaType: MEDIA_TYPES.manifest, artifactType: "a/b", config, layers });
    const { digest } = await to.putManifest(bytes, MEDIA_TYPES.manifest);
    await to.commit();
    clearInterval(watch);
    expect(cuts).toBe(CUTS);
    expect(registry.finished).toEqual([...layers, config].map((blob) => blob.digest));
    expect(received).toBeLessThan((LAYERS + CUTS) * LAYER_MIB * MIB);
    expect(sha256(registry.manifests.get("1")?.bytes ?? Buffer.alloc(0))).toBe(digest);
    expect((peak - before) / MIB).toBeLessThan(256);
  });
});

describeWith({ tools: ["docker-registry", "podman"], root: true }, "podman", () => {
  it("pulls what we have pushed, and pushes what we pull", async () => {
    const folder = mkdtempSync(join(tmpdir(), "transload-podman-"));
    await using registry = await startRegistry();
    const place = ["--root", join(folder, "root"), "--runroot", join(folder, "run"), "--storage-driver", "vfs"];
    const podman = (...options: string[]) =>
      execFileSync("podman", [...place, ...options])
        .toString()
        .trim();
    const ctx = createContext();
    const ours = `${registry.host}/ours:1`;
    const theirs = `${registry.host}/theirs:1`;
    try {
      await using to = await transport.openDestination(ours, { force: false }, ctx);
      const { digest } = await putSample(to);
      await to.commit();
      await using from = await transport.openSource(ours, ctx);
      const { manifest } = await openImage(from, undefined, ctx);
      expect(`sha256:${podman("pull", "-q", "--tls-verify=false", ours)}`).toBe(manifest.config.digest);
      expect(podman("image", "inspect", "--format", "{{.Digest}}", ours)).toBe(digest);
      podman("push", "-q", "--tls-verify=false", ours, `docker://${theirs}`);
      await using back = await transport.openSource(theirs, ctx);
      expect((await openImage(back, undefined, ctx)).manifest.config.digest).toBe(manifest.config.digest);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

const BUILT = fileURLToPath(new URL("../../../dist/src/cli/main.js", import.meta.url));

describeWith({ tools: ["docker-registry", "skopeo"] }, "the command line", () => {
  it.skipIf(!existsSync(BUILT))("converts into a registry, copies within it, and looks into it", async () => {
    await using registry = await startRegistry();
    const program = fileURLToPath(new URL("../../../bin/transload.js", import.meta.url));
    const transload = (...words: string[]) =>
      execFileSync(process.execPath, [program, ...words])
        .toString()
        .trim();
    const at = `docker://${registry.host}`;
    const digest = transload("convert", fixture("appliances", "hello", "hello.ova"), `${at}/hello:1`, "-q");
    const raw = execFileSync("skopeo", ["inspect", "--tls-verify=false", "--raw", `${at}/hello:1`]);
    expect(sha256(raw)).toBe(digest);
    expect(transload("copy", `${at}/hello:1`, `${at}/other/hello:2`, "-q")).toBe(digest);
    expect(transload("verify", `${at}/other/hello:2`, "-q")).toMatch(/^ok: /);
    expect(transload("inspect", `${at}/hello:1`, "-q")).toContain(digest);
    expect(transload("ls", `${at}/hello:1`, "/etc", "-q")).toContain("/etc/os-release");
  });
});
