import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256 } from "../../src/bytes/digest.ts";
import { createContext } from "../../src/context.ts";
import { transports } from "../../src/transport/index.ts";
import { openImage } from "../../src/transport/open-image.ts";
import { verifyImage } from "../../src/transport/verify.ts";
import { describeWith } from "../support/needs.ts";
import { putSample } from "./sample-image.ts";

let folder: string;
let ctx: ReturnType<typeof createContext>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "transload-oracle-"));
  ctx = createContext({ tmp: folder });
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function write(prefix: string, details: string, name?: string): Promise<string> {
  const transport = await transports.byName(prefix)?.load();
  const options = { force: false, ...(name === undefined ? {} : { name }) };
  await using to = await transport?.openDestination(details, options, ctx);
  if (to === undefined) throw new Error(prefix);
  const { digest } = await putSample(to);
  await to.commit();
  return digest;
}

/** Manifest and config digest of an image that is whole. */
async function read(prefix: string, details: string): Promise<{ digest: string; config: string }> {
  const transport = await transports.byName(prefix)?.load();
  await using from = await transport?.openSource(details, ctx);
  if (from === undefined) throw new Error(prefix);
  expect(await verifyImage(from, ctx)).toMatchObject({ ok: true, findings: [] });
  const { descriptor, manifest } = await openImage(from, { os: "linux", architecture: "amd64" }, ctx);
  return { digest: descriptor.digest, config: manifest.config.digest };
}

describeWith({ tools: ["skopeo"] }, "skopeo", () => {
  const skopeo = (...options: string[]) =>
    execFileSync("skopeo", ["--insecure-policy", "--tmpdir", folder, ...options], {
      stdio: ["ignore", "pipe", "inherit"],
    });

  it.each([
    ["oci", "out:1.0", "out:1.0"],
    ["oci", "out", "out"],
    ["oci", "out:team/web:1.0", "out:team/web:1.0"],
    ["oci-archive", "out:1.0", "out:1.0"],
    ["oci-archive", "out", "out"],
  ])("finds the same manifest in %s:%s", async (prefix, details, reference) => {
    const digest = await write(prefix, join(folder, details));
    expect(sha256(skopeo("inspect", "--raw", `${prefix}:${join(folder, reference)}`))).toBe(digest);
    skopeo("copy", "--preserve-digests", `${prefix}:${join(folder, reference)}`, `oci:${join(folder, "copy")}:x`);
    expect((await read("oci", `${join(folder, "copy")}:x`)).digest).toBe(digest);
  });

  it("finds the same image in a docker archive, by its name", async () => {
    await write("docker-archive", `${join(folder, "out.tar")}:team/web:1.0`);
    skopeo("copy", `docker-archive:${join(folder, "out.tar")}:team/web:1.0`, `oci:${join(folder, "copy")}:x`);
    const ours = await read("docker-archive", join(folder, "out.tar"));
    expect((await read("oci", `${join(folder, "copy")}:x`)).config).toBe(ours.config);
  });

  it.each(["oci-archive", "docker-archive"])("writes a %s that we read", async (prefix) => {
    const digest = await write("oci", `${join(folder, "ours")}:x`);
    const theirs = `${join(folder, "theirs.tar")}:team/web:1.0`;
    // It compresses plain layers unless told not to, and cannot keep digests in a docker archive.
    const keep = prefix === "oci-archive" ? ["--preserve-digests"] : [];
    skopeo("copy", ...keep, `oci:${join(folder, "ours")}:x`, `${prefix}:${theirs}`);
    const found = await read(prefix, theirs);
    if (prefix === "oci-archive") expect(found.digest).toBe(digest);
    expect(found.config).toBe((await read("oci", join(folder, "ours"))).config);
  });

  it("adds to our layout, and we to what it made", async () => {
    const out = join(folder, "out");
    const digest = await write("oci", `${out}:a`);
    skopeo("copy", `oci:${out}:a`, `oci:${out}:b`);
    await write("oci", `${out}:c`);
    for (const tag of ["a", "b", "c"]) expect((await read("oci", `${out}:${tag}`)).digest).toBe(digest);
  });
});

describeWith({ tools: ["umoci"], root: true }, "umoci", () => {
  it("unpacks our layout and packs one that we read", async () => {
    const out = join(folder, "out");
    await write("oci", `${out}:1.0`);
    execFileSync("umoci", ["unpack", "--image", `${out}:1.0`, join(folder, "bundle")], { stdio: "ignore" });
    expect(readFileSync(join(folder, "bundle", "rootfs", "usr", "lib", "mark"), "utf8")).toBe("sample");
    writeFileSync(join(folder, "bundle", "rootfs", "new"), "x");
    rmSync(join(folder, "bundle", "rootfs", "etc", "os-release"));
    execFileSync("umoci", ["repack", "--image", `${out}:2.0`, join(folder, "bundle")], { stdio: "ignore" });
    expect((await read("oci", `${out}:2.0`)).digest).not.toBe((await read("oci", `${out}:1.0`)).digest);
  });
});

describeWith({ tools: ["podman"], root: true }, "podman", () => {
  it.each(["oci-archive", "docker-archive"])("loads our %s under its name", async (prefix) => {
    await write(prefix, join(folder, "out.tar"), "localhost/team/web:1.0");
    const place = ["--root", join(folder, "root"), "--runroot", join(folder, "run"), "--storage-driver", "vfs"];
    const podman = (...options: string[]) => execFileSync("podman", [...place, ...options]).toString();
    podman("load", "-q", "-i", join(folder, "out.tar"));
    const { config } = await read(prefix, join(folder, "out.tar"));
    expect(podman("images", "--no-trunc", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}").trim()).toBe(
      `localhost/team/web:1.0 ${config}`,
    );
  });
});

/** Another process, since this one must not die; it runs what `npm run build` made. */
const BUILT = fileURLToPath(new URL("../../dist/src/transport/index.js", import.meta.url));

function script(prefix: string, body: string): string {
  return `
    import { transports } from ${JSON.stringify(BUILT)};
    import { createContext } from ${JSON.stringify(join(BUILT, "../../context.js"))};
    const transport = await transports.byName(${JSON.stringify(prefix)}).load();
    const ctx = createContext({ tmp: process.argv[2] });
    ${body}`;
}

describe.skipIf(!existsSync(BUILT))("a process of its own", () => {
  it.each(["oci", "oci-archive", "docker-archive"])(
    "that is killed while it writes %s leaves no image",
    async (prefix) => {
      const out = join(folder, "out");
      if (prefix === "oci") await write("oci", `${out}:old`);
      const endless = `
      const to = await transport.openDestination(process.argv[1], { force: false }, ctx);
      async function* content() { for (;;) { yield Buffer.alloc(65536, 1); process.stdout.write("."); } }
      await to.putBlob(content(), { mediaType: "x" });`;
      const details = prefix === "docker-archive" ? `${out}:web:new` : `${out}:new`;
      const child = spawn(process.execPath, ["--input-type=module", "-e", script(prefix, endless), details, folder]);
      await once(child.stdout, "data");
      child.kill("SIGKILL");
      await once(child, "close");
      await expect(read(prefix, details)).rejects.toMatchObject({ exitCode: 66 });
      const left = readdirSync(prefix === "oci" ? out : folder).filter((name) => name.includes("transload-"));
      expect(left).toHaveLength(1);
      const digest = await write(prefix, details);
      expect((await read(prefix, details)).digest).toBe(digest);
    },
  );

  it("writes an archive to a pipe and reads it from one", async () => {
    const digest = await write("oci", join(folder, "ours"));
    const copy = `
      const source = await transport.openSource("-", ctx);
      const { descriptor, bytes } = await source.manifest();
      const { config, layers } = JSON.parse(Buffer.from(bytes));
      const to = await transport.openDestination("-", { force: false, name: "web:1" }, ctx);
      for (const blob of [...layers, config]) await to.putBlob(source.blob(blob), blob);
      await to.putManifest(bytes, descriptor.mediaType);
      await to.commit();
      await source[Symbol.asyncDispose]();`;
    await write("oci-archive", join(folder, "in.tar"));
    const options = ["--input-type=module", "-e", script("oci-archive", copy), "x", folder];
    const input = readFileSync(join(folder, "in.tar"));
    writeFileSync(join(folder, "out.tar"), execFileSync(process.execPath, options, { input, maxBuffer: 1 << 30 }));
    expect((await read("docker-archive", `${join(folder, "out.tar")}:web:1`)).digest).toBe(digest);
    expect(readdirSync(folder).sort()).toEqual(["in.tar", "ours", "out.tar"]);
  });
});
