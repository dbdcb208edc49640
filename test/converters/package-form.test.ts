import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type ConvertRequest, convert, planConversion } from "../../converters/convert.ts";
import { type ImageInspection, inspect } from "../../converters/inspect.ts";
import { packageForm } from "../../converters/ovf-to-oci/package.ts";
import { openOriginal } from "../../converters/ovf-to-oci/package-parts.ts";
import { PACKAGE_TYPE } from "../../converters/package-form/artifact.ts";
import { parseReference } from "../../converters/reference.ts";
import { verify } from "../../converters/verify.ts";
import { encodeTarHeader, paddingOf } from "../../src/archive/tar-encode.ts";
import { bytePath } from "../../src/bytes/byte-path.ts";
import { readAll } from "../../src/bytes/byte-source.ts";
import { renderInspection } from "../../src/cli/render/inspection.ts";
import { type Context, createContext, DEFAULT_LIMITS } from "../../src/context.ts";
import { type ImageManifest, parseManifest } from "../../src/oci/manifest.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import { transports } from "../../src/transport/index.ts";
import { codeOf, descriptor, tarOf, watching } from "../ovf/appliance.ts";
import { corpus, describeWith, fixture } from "../support/needs.ts";
import { contentOfBlob } from "../transport/sample-image.ts";

const HELLO = fixture("appliances", "hello", "hello.ova");
const NEVER = { seconds: 0, nanoseconds: 0 };
const root = mkdtempSync(join(tmpdir(), "transload-package-"));
const ctx: Context = createContext({ tmp: root, limits: { ...DEFAULT_LIMITS, threads: 0 } });
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(root, "case-"));
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

const at = (...parts: string[]): string => join(folder, ...parts);

async function pack(source: string, to = `oci:${at("layout")}:x`, more: Partial<ConvertRequest> = {}, used = ctx) {
  return await convert({ source, destination: to, as: "package", ...more }, used);
}

async function unpack(destination: string, from = `oci:${at("layout")}:x`, more: Partial<ConvertRequest> = {}) {
  return await convert({ source: from, destination, ...more }, ctx);
}

/** The manifest of the artifact in the layout. */
function manifestOf(layout = at("layout")): ImageManifest {
  const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
  const hex = String(index.manifests[0].digest).slice("sha256:".length);
  const manifest = parseManifest(readFileSync(join(layout, "blobs", "sha256", hex)), undefined, hex);
  if (manifest.kind !== "manifest") throw new Error("an index");
  return manifest;
}

const titles = (manifest: ImageManifest) =>
  manifest.layers.map(({ annotations }) => annotations?.["org.opencontainers.image.title"]);

/** What `oras pull` does. */
function pulled(layout = at("layout"), to = at("pulled")): string {
  for (const { digest, annotations } of manifestOf(layout).layers) {
    const title = annotations?.["org.opencontainers.image.title"];
    if (title === undefined) continue;
    mkdirSync(dirname(join(to, title)), { recursive: true });
    writeFileSync(join(to, title), readFileSync(join(layout, "blobs", "sha256", digest.slice(7))), { flag: "wx" });
  }
  return to;
}

describe("a package in an image", () => {
  it("is an artifact whose titles are the members, and comes back byte for byte", async () => {
    const result = await pack(HELLO);
    const manifest = manifestOf();
    expect(manifest.artifactType).toBe(PACKAGE_TYPE);
    expect(manifest.config).toMatchObject({ mediaType: "application/vnd.oci.empty.v1+json", size: 2 });
    expect(existsSync(at("layout", "blobs", "sha256", manifest.config.digest.slice(7)))).toBe(true);
    expect(titles(manifest)).toEqual(["hello.ovf", "hello-disk001.vmdk", "hello.mf", undefined]);
    expect(result.target?.layers?.map(({ kind }) => kind)).toEqual(["descriptor", "disk", "manifest", "layout"]);
    await unpack(at("back.ova"));
    expect(readFileSync(at("back.ova")).equals(readFileSync(HELLO))).toBe(true);
    await pack(pulled(), `oci:${at("again")}:x`);
  });

  it.each(["oci-archive", "oci"])("travels by %s", async (transport) => {
    await pack(HELLO, `${transport}:${at("image")}:x`);
    await unpack(at("back.ova"), `${transport}:${at("image")}:x`);
    expect(readFileSync(at("back.ova")).equals(readFileSync(HELLO))).toBe(true);
  });

  it("is nothing for a docker archive, which is said before anything is read", async () => {
    expect(await codeOf(pack("ova:nowhere.ova", `docker-archive:${at("x.tar")}`))).toBe("TRANSPORT_NOT_LOADABLE");
  });

  it("gives the members of an archive as a folder, which is a package of its own and returns as the same folder", async () => {
    await pack(HELLO);
    await unpack(`ovf:${at("folder")}`);
    expect(readdirSync(at("folder")).sort()).toEqual(["hello-disk001.vmdk", "hello.mf", "hello.ovf"]);
    await pack(at("folder"), `oci:${at("layout")}:folder`);
    await unpack(`ovf:${at("same")}`, `oci:${at("layout")}:folder`);
    for (const name of readdirSync(at("folder"))) {
      expect(readFileSync(at("same", name)).equals(readFileSync(at("folder", name)))).toBe(true);
    }
    expect(readdirSync(at("same"))).toHaveLength(3);
  });

  it("keeps a compressed archive as the file that it is", async () => {
    writeFileSync(at("a.ova.gz"), gzipSync(readFileSync(HELLO), { level: 3 }));
    await pack(at("a.ova.gz"));
    expect(titles(manifestOf())).toEqual(["a.ova.gz", undefined]);
    expect(manifestOf().annotations?.["io.transload.machines"]).toContain("hello");
    await unpack(at("back.ova.gz"));
    expect(readFileSync(at("back.ova.gz")).equals(readFileSync(at("a.ova.gz")))).toBe(true);
    expect(await codeOf(unpack(`ovf:${at("folder")}`))).toBe("PACKAGE_TARGET");
    const { warnings } = await unpack(at("back.ova"));
    expect(warnings).toMatchObject([{ code: "PACKAGE_COMPRESSED", path: at("back.ova") }]);
  });

  it("keeps a bare disk, whatever is in it, under its own name only", async () => {
    writeFileSync(at("disk.vmdk"), "KDMV and then nothing that makes sense");
    await pack(at("disk.vmdk"));
    await unpack(at("back.vmdk"));
    expect(readFileSync(at("back.vmdk")).equals(readFileSync(at("disk.vmdk")))).toBe(true);
    expect(await codeOf(unpack(at("back.ova")))).toBe("PACKAGE_TARGET");
    writeFileSync(at("split.vmdk"), '# Disk DescriptorFile\nversion=1\nRW 8 FLAT "split-flat.vmdk" 0\n');
    expect(await codeOf(pack(at("split.vmdk"), `oci:${at("layout")}:s`))).toBe("PACKAGE_DISK_IN_PIECES");
  });

  it("is not for a destination that means something else, nor over what is there", async () => {
    await pack(HELLO);
    expect(await codeOf(unpack(at("x.vmdk")))).toBe("PACKAGE_TARGET");
    expect(await codeOf(unpack(at("x.ovf")))).toBe("PACKAGE_TARGET");
    writeFileSync(at("there.ova"), "mine");
    expect(await codeOf(unpack(at("there.ova")))).toBe("OUTPUT_EXISTS");
    expect(readFileSync(at("there.ova"), "utf8")).toBe("mine");
    mkdirSync(at("there"));
    await unpack(`ovf:${at("there")}`);
    expect(await codeOf(unpack(`ovf:${at("there")}`))).toBe("OUTPUT_EXISTS");
    await unpack(`ovf:${at("there")}`, undefined, { force: true });
    writeFileSync(at("there", "letter.txt"), "mine");
    expect(await codeOf(unpack(`ovf:${at("there")}`, undefined, { force: true }))).toBe("OUTPUT_FOREIGN");
    expect(readFileSync(at("there", "letter.txt"), "utf8")).toBe("mine");
    expect(readdirSync(folder).filter((name) => name.includes("transload-part"))).toEqual([]);
  });

  it("tells in the manifest what the descriptor says, so that nothing else needs to be fetched", async () => {
    await pack(HELLO, undefined, { annotations: ["org.example.who=me"] }, { ...ctx, epoch: 1_700_000_000 });
    rmSync(at("layout", "blobs", "sha256", manifestOf().layers[1]?.digest.slice(7) ?? ""));
    const found = (await inspect(`oci:${at("layout")}:x`, {}, ctx)) as ImageInspection;
    expect(found.package).toMatchObject({
      kind: "ova",
      name: "hello.ova",
      ovfVersion: "1",
      members: [{ name: "hello.ovf", role: "descriptor" }, { role: "disk" }, { role: "manifest" }],
      machines: [
        {
          name: "hello",
          operatingSystem: "Debian12_64",
          hardware: { cpus: 2, memory: 512 << 20, firmware: "bios", networkAdapters: ["E1000 on NAT"] },
          disks: [{ file: "hello-disk001.vmdk", capacity: 64 << 20 }],
        },
      ],
    });
    expect(found.manifest.annotations).toMatchObject({
      "org.opencontainers.image.created": "2023-11-14T22:13:20Z",
      "org.opencontainers.image.vendor": "The transload authors",
      "org.example.who": "me",
    });
    expect(renderInspection(found)).toMatch(/machine hello\n {2}product +The transload authors Hello 1.0\n/);
  });

  it("that is not there is told", async () => {
    expect(await codeOf(pack(at("nowhere.ova")))).toBe("FILE_NOT_FOUND");
    expect(await codeOf(pack(`ova:${at("x".repeat(5000))}`))).toMatch(/^FILE_/);
  });

  it("says what would be done", async () => {
    const plan = await planConversion({ source: HELLO, destination: `oci:${at("layout")}:x`, as: "package" }, ctx);
    expect(plan).toMatchObject({ form: "package", omissions: [], tempBytes: 0 });
    expect(plan.uses).toHaveLength(3);
    await pack(HELLO);
    const back = (destination: string) => planConversion({ source: `oci:${at("layout")}:x`, destination }, ctx);
    expect((await back(at("b.ova"))).uses).toEqual([`hello.ova (${statSync(HELLO).size} bytes)`]);
    expect((await back(`ovf:${at("b")}`)).uses).toHaveLength(3);
  });
});

describe("members", () => {
  it("are kept although the disk is damaged; what the manifest says is checked, or not", async () => {
    const bytes = Buffer.from(readFileSync(HELLO));
    bytes.fill(0xee, 0x10000, 0x18000);
    writeFileSync(at("damaged.ova"), bytes);
    expect(await codeOf(pack(at("damaged.ova")))).toBe("MANIFEST_DIGEST_MISMATCH");
    expect(existsSync(at("layout"))).toBe(false);
    await pack(at("damaged.ova"), undefined, { verify: false });
    await unpack(at("back.ova"));
    expect(readFileSync(at("back.ova")).equals(bytes)).toBe(true);
  });

  it("get no title that would write a file elsewhere; they come back all the same, but not into a folder", async () => {
    const { ctx: used, found } = watching({ tmp: root });
    const ovf = descriptor({ href: "a.vmdk" });
    const names = ["../../escape", "/etc/passwd", "a\u0007b", "C:\\x", "sub/dir/file", "./dotted"];
    const members = Object.fromEntries(names.map((name) => [name, name]));
    const header = (name: string, size: number) =>
      encodeTarHeader({ name: bytePath(name), type: "0", mode: 0o644, uid: 0, gid: 0, size, mtime: NEVER });
    const parts = Object.entries({ "m.ovf": ovf, "a.vmdk": "disk", ...members }).map(([name, text]) =>
      Buffer.concat([header(name, text.length), Buffer.from(text), Buffer.alloc(paddingOf(text.length))]),
    );
    const latin = Buffer.concat([
      encodeTarHeader({ name: "caf\xe9", type: "0", mode: 0o644, uid: 0, gid: 0, size: 0, mtime: NEVER }),
    ]);
    writeFileSync(at("bad.ova"), Buffer.concat([...parts, latin, Buffer.alloc(1024)]));
    await pack(at("bad.ova"), undefined, {}, used);
    expect(titles(manifestOf()).filter((title) => title !== undefined)).toEqual([
      "m.ovf",
      "a.vmdk",
      "sub/dir/file",
      "dotted",
    ]);
    expect(found.filter(({ code }) => code === "PACKAGE_UNTITLED")).toHaveLength(5);
    await unpack(at("back.ova"));
    expect(readFileSync(at("back.ova")).equals(readFileSync(at("bad.ova")))).toBe(true);
    expect(await codeOf(unpack(`ovf:${at("folder")}`))).toBe("PACKAGE_MEMBER_NAME");
    expect(existsSync(at("folder"))).toBe(false);
  });

  it("are refused where a manifest could not hold them all", async () => {
    const many = Object.fromEntries(Array.from({ length: 15_000 }, (_, index) => [`${index}`.padStart(90, "n"), "x"]));
    writeFileSync(at("many.ova"), await tarOf({ "m.ovf": descriptor(), ...many }));
    expect(await codeOf(pack(at("many.ova")))).toBe("PACKAGE_MEMBERS");
    expect(existsSync(at("layout"))).toBe(false);
  });
});

/** The archive as an artifact in a layout, its members in pieces of a few bytes. */
async function packInPieces(path: string, pieceBytes: number, to = at("layout"), remote = false): Promise<void> {
  await using original = await openOriginal(await parseReference(`ova:${path}`, ctx), ctx);
  const plan = await packageForm.plan(original, { transport: "ova", pieceBytes, remote }, ctx);
  const transport = await transports.byName("oci")?.load();
  await using destination = await transport?.openDestination(`${to}:x`, { force: true }, ctx);
  if (destination === undefined) throw new Error("oci");
  await packageForm.run(plan, destination, ctx);
}

describe("large members", () => {
  it("are in pieces whose titles join in order, and which an OVF reader takes as they are", async () => {
    const disk = Buffer.from(Array.from({ length: 2500 }, (_, index) => index % 251));
    const members = { "m.ovf": descriptor({ href: "d.vmdk" }), "d.vmdk": disk, "d.vmdk.note": "short" };
    writeFileSync(at("large.ova"), await tarOf(members));
    for (const remote of [false, true]) {
      await packInPieces(at("large.ova"), 1000, at(`layout-${remote}`), remote);
      expect(titles(manifestOf(at(`layout-${remote}`))).slice(0, 5)).toEqual([
        "m.ovf",
        "d.vmdk.000000000",
        "d.vmdk.000000001",
        "d.vmdk.000000002",
        "d.vmdk.note",
      ]);
      await unpack(at(`back-${remote}.ova`), `oci:${at(`layout-${remote}`)}:x`);
      expect(readFileSync(at(`back-${remote}.ova`)).equals(readFileSync(at("large.ova")))).toBe(true);
    }
    const found = (await inspect(`oci:${at("layout-true")}:x`, {}, ctx)) as ImageInspection;
    expect(found.package?.members[1]).toEqual({ name: "d.vmdk", role: "disk", size: 2500 });
    await using pkg = await openPackage({ kind: "path", path: pulled(at("layout-true")) }, ctx);
    const [file] = pkg.envelope?.files ?? [];
    if (file === undefined) throw new Error("no file");
    expect(Buffer.from(await readAll(await pkg.open(file), 10_000))).toEqual(disk);
  });

  it("leave the titles of other members alone", async () => {
    const members = { "m.ovf": descriptor({ href: "d.vmdk" }), "d.vmdk": "x".repeat(1500), "d.vmdk.000000001": "mine" };
    writeFileSync(at("clash.ova"), await tarOf(members));
    await packInPieces(at("clash.ova"), 1000);
    expect(titles(manifestOf())).toEqual(["m.ovf", undefined, undefined, "d.vmdk.000000001", undefined]);
    await unpack(at("back.ova"));
    expect(readFileSync(at("back.ova")).equals(readFileSync(at("clash.ova")))).toBe(true);
  });

  it("are written once where they repeat, and holes stay holes", async () => {
    const disk = Buffer.concat([Buffer.alloc(4 << 20), Buffer.alloc(2 << 20, 7), Buffer.alloc(2 << 20, 7)]);
    writeFileSync(at("sparse.ova"), await tarOf({ "m.ovf": descriptor({ href: "d.vmdk" }), "d.vmdk": disk }));
    await packInPieces(at("sparse.ova"), 1 << 20);
    expect(readdirSync(at("layout", "blobs", "sha256"))).toHaveLength(6);
    await unpack(at("back.ova"));
    expect(readFileSync(at("back.ova")).equals(readFileSync(at("sparse.ova")))).toBe(true);
    expect(statSync(at("back.ova")).blocks * 512).toBeLessThan(6 << 20);
  });
});

describe("any archive", () => {
  it("comes back byte for byte: headers, padding and whatever stands behind its end", async () => {
    const member = fc.record({
      name: fc.stringMatching(/^[a-z./ ]{1,120}$/),
      body: fc.uint8Array({ maxLength: 3000 }),
      type: fc.constantFrom("0" as const, "1" as const, "2" as const, "5" as const),
      dirt: fc.nat(255),
      mtime: fc.constantFrom(NEVER, { seconds: 2 ** 34, nanoseconds: 5 }),
    });
    const trailer = fc.oneof(
      fc.constant(new Uint8Array(0)),
      fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.concat([Buffer.alloc(1024), bytes])),
      fc.constant(Buffer.concat([Buffer.alloc(70_000), Buffer.from("end")])),
    );
    const all = fc.record({
      members: fc.array(member, { maxLength: 8 }),
      trailer,
      pieceBytes: fc.integer({ min: 100, max: 4000 }),
    });
    await fc.assert(
      fc.asyncProperty(all, async ({ members, trailer, pieceBytes }) => {
        const seen = new Set(["m.ovf"]);
        const blocks: Uint8Array[] = [await tarOf({ "m.ovf": descriptor() })].map((tar) => tar.subarray(0, -1024));
        for (const [index, { name, body, type, dirt, mtime }] of members.entries()) {
          const unique = `${index}${name}`;
          if (seen.has(unique)) continue;
          const size = type === "0" ? body.length : 0;
          const header = { name: unique, type, mode: 0o644, uid: 1, gid: 2, size, mtime, linkName: "m.ovf" };
          blocks.push(encodeTarHeader(header), body.subarray(0, size), Buffer.alloc(paddingOf(size), dirt));
        }
        const bytes = Buffer.concat([...blocks, trailer]);
        writeFileSync(at("any.ova"), bytes);
        rmSync(at("layout"), { recursive: true, force: true });
        await packInPieces(at("any.ova"), pieceBytes);
        await unpack(at("back.ova"), undefined, { force: true });
        expect(readFileSync(at("back.ova")).equals(bytes)).toBe(true);
        expect((await verify(`oci:${at("layout")}:x`, ctx)).findings).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });
});

describeWith({ corpus: "ovf/ova" }, "the appliances of others", () => {
  const REFUSED: Readonly<Record<string, string>> = {
    "glance-testserver-bad-ovf.ova": "OVF_XML_MALFORMED",
    "glance-testserver-no-ovf.ova": "OVF_DESCRIPTOR_MISSING",
    "glance-testserver-not-tar.ova": "OVF_PACKAGE_UNRECOGNISED",
  };
  const names = existsSync(corpus("ovf", "ova")) ? readdirSync(corpus("ovf", "ova")) : [];

  it.each(names)("%s comes back by layout and archive", async (name) => {
    const path = corpus("ovf", "ova", name);
    for (const place of [`oci:${at("layout")}:x`, `oci-archive:${at("archive.tar")}:x`]) {
      expect(await codeOf(pack(path, place))).toBe(REFUSED[name] ?? "none");
      if (REFUSED[name] !== undefined) continue;
      await unpack(at("back.ova"), place, { force: true });
      expect(readFileSync(at("back.ova")).equals(readFileSync(path))).toBe(true);
    }
  });
});

describe("an artifact that somebody else made", () => {
  let manifest: ImageManifest;
  let layout: Record<string, unknown>;
  let blobs: ReadonlyMap<string, Buffer>;

  beforeAll(async () => {
    const place = mkdtempSync(join(root, "honest-"));
    await pack(HELLO, `oci:${place}/layout:x`);
    manifest = manifestOf(`${place}/layout`);
    const transport = await transports.byName("oci")?.load();
    await using source = await transport?.openSource(`${place}/layout:x`, ctx);
    if (source === undefined) throw new Error("oci");
    const found = new Map<string, Buffer>();
    for (const layer of manifest.layers) found.set(layer.digest, await contentOfBlob(source, layer));
    blobs = found;
    layout = JSON.parse(String(found.get(manifest.layers.at(-1)?.digest ?? "")));
  });

  /** The artifact with another layout, and other annotations on its first layer. */
  async function forged(text: string, annotations?: Record<string, string>, twice = false): Promise<void> {
    const transport = await transports.byName("oci")?.load();
    await using to = await transport?.openDestination(`${at("layout")}:x`, { force: true }, ctx);
    if (to === undefined) throw new Error("oci");
    const put = async (bytes: Buffer, mediaType: string, more: Record<string, string> | undefined) => {
      const { digest, size } = await to.putBlob(() => once(bytes), { mediaType });
      return { mediaType, digest, size, ...(more === undefined ? {} : { annotations: more }) };
    };
    const { layers: all } = manifest;
    const layers = [];
    for (const [index, layer] of all.slice(0, -1).entries()) {
      const more = index === 0 && annotations !== undefined ? annotations : layer.annotations;
      layers.push(await put(blobs.get(layer.digest) ?? Buffer.alloc(0), layer.mediaType, more && { ...more }));
    }
    const last = await put(Buffer.from(text), all.at(-1)?.mediaType ?? "", undefined);
    layers.push(last, ...(twice ? [last] : []));
    const config = await put(Buffer.from("{}"), manifest.config.mediaType, undefined);
    const { imageManifest } = await import("../../src/oci/manifest.ts");
    await to.putManifest(imageManifest({ ...manifest, config, layers }), manifest.mediaType);
    await to.commit();
  }

  const json = (change: Record<string, unknown>): string => JSON.stringify({ ...layout, ...change });

  it.each<[string, () => string, string]>([
    ["no JSON", () => "{", "OCI_DOCUMENT_FORM"],
    ["another version", () => json({ schema: "transload.package-layout/v9" }), "PACKAGE_LAYOUT_VERSION"],
    ["another shape", () => json({ shape: "circle" }), "PACKAGE_LAYOUT"],
    ["sizes that do not add up", () => json({ size: 1 }), "PACKAGE_LAYOUT"],
    ["no parts", () => json({ parts: [] }), "PACKAGE_LAYOUT"],
    ["the parts of an archive for a file", () => json({ shape: "file" }), "PACKAGE_LAYOUT"],
    [
      "a blob that is no layer",
      () => json({ parts: [{ size: 2, blobs: [`sha256:${"0".repeat(64)}`] }] }),
      "PACKAGE_LAYOUT",
    ],
    ["a digest that is none", () => json({ parts: [{ size: 2, blobs: ["../../etc"] }] }), "DIGEST_FORM"],
    ["a size that lies", () => json({ parts: [{ size: 2, blobs: [manifest.layers[0]?.digest] }] }), "PACKAGE_LAYOUT"],
    ["bytes that are none", () => json({ parts: [{ bytes: "*" }] }), "PACKAGE_LAYOUT"],
    ["a negative size", () => json({ parts: [{ size: -1, blobs: [] }] }), "OCI_DOCUMENT_FORM"],
  ])("is refused for a layout with %s", async (_, text, code) => {
    await forged(text());
    expect(await codeOf(unpack(at("back.ova")))).toBe(code);
    expect(readdirSync(folder)).toEqual(["layout"]);
    expect((await verify(`oci:${at("layout")}:x`, ctx)).findings.map((finding) => finding.code)).toEqual([code]);
  });

  it("is refused for a second layout", async () => {
    await forged(json({}), undefined, true);
    expect(await codeOf(unpack(at("back.ova")))).toBe("PACKAGE_LAYOUT");
  });

  it.each(["../up", "/etc/passwd", "a\\..\\b", "C:x", "", "a//b", "hello.mf", "hello.mf/x", "\u001b[2J"])(
    "is refused for the title %j",
    async (title) => {
      await forged(json({}), { "org.opencontainers.image.title": title });
      expect(await codeOf(unpack(at("back.ova")))).toBe("PACKAGE_TITLE");
    },
  );

  it("writes no file outside its folder", async () => {
    const parts = (layout["parts"] as { name?: string }[]).map((part) =>
      part.name === "hello.mf" ? { ...part, name: "../escaped" } : part,
    );
    await forged(json({ parts }));
    expect(await codeOf(unpack(`ovf:${at("folder")}`))).toBe("PACKAGE_MEMBER_NAME");
    expect(readdirSync(folder)).toEqual(["layout"]);
  });

  it("shows claims that make no sense as none", async () => {
    const text = manifest.annotations ?? {};
    for (const claim of ["{", "[1]", '[{"name":1}]', '[{"name":"x","hardware":{"cpus":"many"}}]']) {
      manifest = { ...manifest, annotations: { ...text, "io.transload.machines": claim } };
      await forged(json({}));
      const found = (await inspect(`oci:${at("layout")}:x`, {}, ctx)) as ImageInspection;
      expect(found.package?.machines).toEqual([]);
    }
    manifest = { ...manifest, annotations: text };
  });

  it("is taken or refused, whatever is changed in it", async () => {
    const honest = Buffer.from(json({}));
    const change = fc.tuple(fc.nat(honest.length - 1), fc.integer({ min: 0x20, max: 0x7e }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const mutant = Buffer.from(honest);
        for (const [place, byte] of changes) mutant[place] = byte;
        await forged(mutant.toString("latin1"));
        await codeOf(unpack(at("back.ova"), undefined, { force: true }));
        await codeOf(unpack(`ovf:${at("back")}`, undefined, { force: true }));
        expect(readdirSync(folder).filter((name) => !["layout", "back.ova", "back"].includes(name))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield bytes;
}

it("a file that shrinks while it is read is told, and leaves nothing", async () => {
  writeFileSync(
    at("web.ova"),
    await tarOf({ "m.ovf": descriptor({ href: "d.vmdk" }), "d.vmdk": Buffer.alloc(3 << 20, 1) }),
  );
  const shrinking: Context = {
    ...ctx,
    progress: ({ stage }) => {
      if (stage === "layer") truncateSync(at("web.ova"), 1 << 20);
    },
  };
  expect(await codeOf(pack(at("web.ova"), undefined, {}, shrinking))).toBe("BYTES_TRUNCATED");
  expect(existsSync(at("layout"))).toBe(false);
});
