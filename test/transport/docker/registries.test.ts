import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { sha256 } from "../../../src/bytes/digest.ts";
import { type Context, createContext, DEFAULT_REGISTRIES, type Registries } from "../../../src/context.ts";
import { imageIndex, imageManifest } from "../../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../src/oci/media-types.ts";
import { transport } from "../../../src/transport/docker/transport.ts";
import { transport as layout } from "../../../src/transport/oci.ts";
import { openImage } from "../../../src/transport/open-image.ts";
import { verifyImage } from "../../../src/transport/verify.ts";
import { describeWith } from "../../support/needs.ts";
import { contentOfBlob, pieces, putSample } from "../sample-image.ts";
import { type RealRegistry, startRegistry, USER } from "./real-registry.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "transload-docker-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function context(registries: Partial<Registries> = {}): Context {
  return createContext({ tmp: folder, registries: { ...DEFAULT_REGISTRIES, retries: 0, ...registries } });
}

async function push(details: string, ctx: Context, mark?: string, force = false) {
  await using to = await transport.openDestination(details, { force }, ctx);
  const image = await putSample(to, mark);
  await to.commit();
  return image;
}

async function digestAt(details: string, ctx: Context): Promise<string> {
  await using from = await transport.openSource(details, ctx);
  expect(await verifyImage(from, ctx)).toMatchObject({ ok: true, findings: [] });
  return (await from.manifest()).descriptor.digest;
}

const skopeo = (...options: string[]) =>
  execFileSync("skopeo", ["--insecure-policy", "--tmpdir", folder, ...options], { stdio: ["ignore", "pipe", "pipe"] });

describeWith({ tools: ["docker-registry", "skopeo"] }, "a registry without TLS on this machine", () => {
  let registry: RealRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(async () => await registry[Symbol.asyncDispose]());
  const at = (name: string) => `${registry.host}/${name}`;

  it("takes our image, which skopeo finds with the same digests", async () => {
    const image = await push(at("team/web:1.0"), context());
    expect(await digestAt(at("team/web:1.0"), context())).toBe(image.digest);
    const plain = "--tls-verify=false";
    expect(sha256(skopeo("inspect", plain, "--raw", `docker://${at("team/web:1.0")}`))).toBe(image.digest);
    skopeo(
      "copy",
      "--src-tls-verify=false",
      "--preserve-digests",
      `docker://${at("team/web:1.0")}`,
      `oci:${folder}/copy:x`,
    );
    await using copy = await layout.openSource(`${folder}/copy:x`, context());
    expect((await copy.manifest()).descriptor.digest).toBe(image.digest);
    expect(await verifyImage(copy, context())).toMatchObject({ ok: true });
  });

  it("gives us what skopeo has put there, by tag and by digest", async () => {
    {
      await using to = await layout.openDestination(`${folder}/ours:x`, { force: false }, context());
      await putSample(to, "theirs");
      await to.commit();
    }
    skopeo("copy", "--dest-tls-verify=false", "--preserve-digests", `oci:${folder}/ours:x`, `docker://${at("theirs")}`);
    const digest = await digestAt(at("theirs"), context());
    await using ours = await layout.openSource(`${folder}/ours:x`, context());
    expect(digest).toBe((await ours.manifest()).descriptor.digest);
    expect(await digestAt(at(`theirs@${digest}`), context())).toBe(digest);
    skopeo(
      "copy",
      "--dest-tls-verify=false",
      "--format",
      "v2s2",
      `oci:${folder}/ours:x`,
      `docker://${at("theirs:docker")}`,
    );
    expect(await digestAt(at("theirs:docker"), context())).not.toBe(digest);
  });

  it("does not have what was not put there", async () => {
    await expect(transport.openSource(at("nothing:here"), context())).rejects.toMatchObject({
      code: "TRANSPORT_IMAGE_MISSING",
      exitCode: 66,
    });
  });

  it("shows nothing before commit", async () => {
    {
      await using to = await transport.openDestination(at("half:1"), { force: false }, context());
      await putSample(to);
    }
    await expect(transport.openSource(at("half:1"), context())).rejects.toMatchObject({ exitCode: 66 });
  });

  it("keeps a tag for another image unless forced", async () => {
    const first = await push(at("tags:a"), context(), "1");
    expect(await push(at("tags:a"), context(), "1")).toEqual(first);
    await expect(push(at("tags:a"), context(), "2")).rejects.toMatchObject({
      code: "REGISTRY_TAG_EXISTS",
      exitCode: 73,
    });
    expect(await digestAt(at("tags:a"), context())).toBe(first.digest);
    const second = await push(at("tags:a"), context(), "2", true);
    expect(await digestAt(at("tags:a"), context())).toBe(second.digest);
  });

  it("takes an index for several platforms, of which one is chosen", async () => {
    await using to = await transport.openDestination(at("many:1"), { force: false }, context());
    const manifests = [
      { ...(await putSample(to, "a")), platform: { os: "linux", architecture: "amd64" } },
      { ...(await putSample(to, "b")), platform: { os: "linux", architecture: "arm64", variant: "v8" } },
    ];
    await to.putManifest(imageIndex({ mediaType: MEDIA_TYPES.index, manifests }), MEDIA_TYPES.index);
    await to.commit();
    await using from = await transport.openSource(at("many:1"), context());
    const image = await openImage(from, { os: "linux", architecture: "arm64" }, context());
    expect(image.descriptor.digest).toBe(manifests[1]?.digest);
    expect(await verifyImage(from, context())).toMatchObject({ ok: true, images: 2 });
    const raw = skopeo(
      "--override-arch",
      "arm64",
      "inspect",
      "--tls-verify=false",
      "--format",
      "{{.Digest}}",
      `docker://${at("many:1")}`,
    );
    expect(raw.toString().trim()).toBe((await from.manifest()).descriptor.digest);
  });

  it("has no list of referrers, so that a tag stands in for it", async () => {
    const subject = await push(at("subject:1"), context());
    await using from = await transport.openSource(at("subject:1"), context());
    expect(await from.referrers?.(subject.digest)).toEqual([]);
    for (const [index, tag] of ["sbom", "note"].entries()) {
      await using to = await transport.openDestination(at(`subject:${tag}`), { force: false }, context());
      const empty = Buffer.from("{}");
      const config = await to.putBlob(pieces(empty), { mediaType: MEDIA_TYPES.empty });
      const layer = await to.putBlob(pieces(Buffer.from(tag)), { mediaType: "text/plain" });
      const bytes = imageManifest({
        mediaType: MEDIA_TYPES.manifest,
        artifactType: `application/x-${tag}`,
        config,
        layers: [layer],
        subject,
        annotations: { tag },
      });
      const { digest } = await to.putManifest(bytes, MEDIA_TYPES.manifest);
      await to.commit();
      const found = await from.referrers?.(subject.digest);
      expect(found).toHaveLength(index + 1);
      expect(found?.at(-1)).toMatchObject({ digest, artifactType: `application/x-${tag}`, annotations: { tag } });
    }
  });

  it("mounts blobs of another repository instead of taking them again", async () => {
    await push(at("lender:1"), context(), "lent");
    await using from = await transport.openSource(at("lender:1"), context());
    const { manifest, descriptor } = await openImage(from, undefined, context());
    const { bytes } = await from.manifest();
    let read = 0;
    await using to = await transport.openDestination(
      at("borrower:1"),
      { force: false, mountFrom: at("lender:1") },
      context(),
    );
    for (const blob of [...manifest.layers, manifest.config]) {
      const content = () => {
        read += 1;
        return from.blob(blob);
      };
      expect(await to.putBlob(content, blob)).toMatchObject({ digest: blob.digest, size: blob.size });
    }
    await to.putManifest(bytes, descriptor.mediaType);
    await to.commit();
    expect(read).toBe(0);
    expect(await digestAt(at("borrower:1"), context())).toBe(descriptor.digest);
  });

  it("is not spoken to without TLS where TLS is asked for", async () => {
    const source = { tlsVerify: true };
    await expect(transport.openSource(at("team/web:1.0"), context({ source }))).rejects.toMatchObject({
      code: "REGISTRY_TLS",
      exitCode: 77,
    });
  });

  it("takes a large blob that is made while it is sent, and gives it back", async () => {
    const block = Buffer.alloc(1 << 20, 7);
    async function* content() {
      for (let index = 0; index < 64; index++) {
        block.writeUInt32LE(index);
        yield block;
      }
    }
    await using to = await transport.openDestination(at("large:1"), { force: false }, context());
    const layer = await to.putBlob(content, { mediaType: MEDIA_TYPES.layer });
    expect(layer.size).toBe(64 << 20);
    const config = await to.putBlob(pieces(Buffer.from("{}")), { mediaType: MEDIA_TYPES.empty });
    const bytes = imageManifest({ mediaType: MEDIA_TYPES.manifest, artifactType: "a/b", config, layers: [layer] });
    await to.putManifest(bytes, MEDIA_TYPES.manifest);
    await to.commit();
    await using from = await transport.openSource(at("large:1"), context());
    expect(sha256(await contentOfBlob(from, layer))).toBe(layer.digest);
  });
});

describeWith(
  { tools: ["docker-registry", "skopeo", "openssl", "python3"] },
  "a registry with TLS and a password",
  () => {
    let registry: RealRegistry;
    beforeAll(async () => {
      registry = await startRegistry({ tls: true });
    });
    afterAll(async () => await registry[Symbol.asyncDispose]());
    const at = (name: string) => `${registry.host}/${name}`;

    /** A home where the registry's authority is trusted. */
    function home(): Registries["environment"] {
      const certificates = join(folder, ".config/containers/certs.d", registry.host);
      mkdirSync(certificates, { recursive: true });
      writeFileSync(join(certificates, "ca.crt"), execFileSync("cat", [registry.authority]));
      return { HOME: folder, PATH: process.env["PATH"] };
    }

    const trusting = (more: Partial<Registries> = {}) => context({ environment: home(), ...more });

    it("takes and gives images for whoever has the password, the same for skopeo", async () => {
      const ctx = trusting({ destination: { credentials: USER }, source: { credentials: USER } });
      const image = await push(at("team/web:1.0"), ctx);
      expect(await digestAt(at("team/web:1.0"), ctx)).toBe(image.digest);
      const options = ["--creds", `${USER.username}:${USER.password}`, "--cert-dir", join(registry.authority, "..")];
      expect(sha256(skopeo("inspect", ...options, "--raw", `docker://${at("team/web:1.0")}`))).toBe(image.digest);
    });

    it("refuses others", async () => {
      const wrong = { ...USER, password: "hunter2" };
      for (const source of [{}, { credentials: wrong }]) {
        const failure = await transport.openSource(at("team/web:1.0"), trusting({ source })).catch((cause) => cause);
        expect(failure).toMatchObject({ code: "REGISTRY_UNAUTHORISED", exitCode: 77 });
        expect(`${failure.stack} ${JSON.stringify(failure)}`).not.toContain("hunter2");
      }
      await expect(push(at("team/web:2.0"), trusting())).rejects.toMatchObject({ exitCode: 77 });
    });

    it("is not trusted without its authority, unless that is switched off", async () => {
      await expect(transport.openSource(at("team/web:1.0"), context())).rejects.toMatchObject({
        code: "REGISTRY_CERTIFICATE",
        exitCode: 77,
      });
      await push(at("loose:1"), context({ destination: { credentials: USER, tlsVerify: false } }));
      const ctx = context({ environment: { SSL_CERT_FILE: registry.authority }, source: { credentials: USER } });
      await digestAt(at("loose:1"), ctx);
    });

    it("finds the password in the file that skopeo has written", async () => {
      const authFile = join(folder, "auth.json");
      const options = ["--authfile", authFile, "--cert-dir", join(registry.authority, "..")];
      skopeo("login", ...options, "-u", USER.username, "-p", USER.password, registry.host);
      await push(at("file:1"), trusting({ authFile }));
      await digestAt(at("file:1"), trusting({ authFile }));
      const environment = { ...home(), REGISTRY_AUTH_FILE: authFile };
      await digestAt(at("file:1"), context({ environment }));
    });
  },
);
