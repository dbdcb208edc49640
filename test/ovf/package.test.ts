import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bytePath } from "../../src/bytes/byte-path.ts";
import type { ByteSource } from "../../src/bytes/byte-source.ts";
import { DEFAULT_LIMITS } from "../../src/context.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import type { Package } from "../../src/ovf/package.ts";
import { describeWith } from "../support/needs.ts";
import { codeOf, descriptor, streamed, type TestFile, tarOf, watching } from "./appliance.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "transload-package-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function put(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
}

async function text(source: ByteSource): Promise<string> {
  return Buffer.from(await source.read(0, source.size)).toString("latin1");
}

/** The content of the disk with this index. */
async function disk(opened: Package, index = 0): Promise<string> {
  const file = opened.envelope?.disks[index]?.file;
  if (file === undefined) throw new Error("the descriptor has no such disk");
  return await text(await opened.open(file));
}

const PLAIN = { "vm.ovf": descriptor({ href: "disk.vmdk" }), "disk.vmdk": "KDMV and more" };

describe("openPackage on archives", () => {
  it("reads disks where they lie, without a copy", async () => {
    const { ctx, found } = watching();
    await using opened = await openPackage({ kind: "path", path: put("a.ova", await tarOf(PLAIN)) }, ctx);
    expect(await disk(opened)).toBe(PLAIN["disk.vmdk"]);
    expect(opened).toMatchObject({ kind: "ova", name: "a.ova", spooled: 0 });
    expect(opened.size).toBe(opened.archive?.source.size);
    expect(opened.members.map(({ name, role }) => [name, role])).toEqual([
      ["vm.ovf", "descriptor"],
      ["disk.vmdk", "disk"],
    ]);
    const content = await opened.openMember(opened.members[1] ?? { name: "", size: 0, offset: 0 });
    expect((await content.extentAt(0, 1)).stored?.offset).toBe(opened.members[1]?.offset);
    expect(await opened.resolve("disk.vmdk").then(text)).toBe(PLAIN["disk.vmdk"]);
    expect(await codeOf(opened.resolve("other.vmdk"))).toBe("OVF_MEMBER_MISSING");
    expect(await codeOf(opened.resolve("../disk.vmdk"))).toBe("OVF_HREF_UNSAFE");
    expect(found).toEqual([]);
  });

  it("goes by the bytes, not by the name", async () => {
    const tar = await tarOf(PLAIN);
    const { ctx } = watching({ tmp: folder });
    for (const [name, bytes] of [
      ["gzip.ova", gzipSync(tar)],
      ["a.tar.gz", gzipSync(tar)],
      ["noending", tar],
      ["wrong.ovf", tar],
    ] as const) {
      await using opened = await openPackage({ kind: "path", path: put(name, bytes) }, ctx);
      expect([opened.kind, await disk(opened)]).toEqual(["ova", PLAIN["disk.vmdk"]]);
      expect(opened.spooled).toBe(name.includes("g") && name !== "noending" && name !== "wrong.ovf" ? tar.length : 0);
    }
    expect(openFiles()).toEqual([]);
  });

  it.each([
    ["plain", 1],
    ["plain", 70_000],
    ["gzip", 1],
    ["gzip", 70_000],
  ])("takes a stream: %s in pieces of %d bytes", async (form, step) => {
    const tar = await tarOf(PLAIN);
    const { ctx, found } = watching({ tmp: folder });
    const content = streamed(form === "gzip" ? gzipSync(tar) : tar, step);
    await using opened = await openPackage({ kind: "stream", content, name: "stdin" }, ctx);
    expect([opened.kind, await disk(opened), opened.spooled]).toEqual(["ova", PLAIN["disk.vmdk"], tar.length]);
    expect(found.map(({ code }) => code)).toEqual(["OVF_SPOOLED"]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ["zip", Buffer.from("PK\x03\x04rest"), "a zip archive"],
    ["xz", Buffer.from("\xfd7zXZ\0rest", "latin1"), "an xz file"],
    ["zstd", Buffer.from("\x28\xb5\x2f\xfdrest", "latin1"), "a zstd file"],
    ["gzip twice", gzipSync(gzipSync("x")), "gzip inside gzip"],
  ])("names what is wrapped around a package: %s", async (_title, bytes, name) => {
    const { ctx } = watching({ tmp: folder });
    const path = put("a.ova", bytes);
    for (const place of [
      { kind: "path", path },
      { kind: "stream", content: streamed(bytes, 3), name: "a.ova" },
    ] as const) {
      const opening = openPackage(place, ctx);
      await expect(opening).rejects.toMatchObject({ code: "OVF_PACKAGE_WRAPPED", exitCode: 69 });
      await expect(opening).rejects.toThrow(name);
    }
    expect(openFiles()).toEqual([]);
  });

  it("tells what is inside an archive that is no appliance", async () => {
    const { ctx } = watching();
    const advice = async (members: Readonly<Record<string, string>>) =>
      await openPackage({ kind: "path", path: put("a.tar", await tarOf(members)) }, ctx).catch(
        (error: unknown) => error,
      );
    expect(await advice({ "disk.vmdk": "x" })).toMatchObject({ code: "OVF_DESCRIPTOR_MISSING", exitCode: 65 });
    expect(await advice({ "oci-layout": "{}" })).toMatchObject({ advice: expect.stringContaining("oci-archive:") });
    expect(await advice({ "manifest.json": "[]" })).toMatchObject({
      advice: expect.stringContaining("docker-archive:"),
    });
    expect(await advice({ "metadata.json": '{"provider":"libvirt"}', "box.img": "x" })).toMatchObject({
      code: "OVF_BOX_PROVIDER",
      exitCode: 69,
    });
    expect(await codeOf(openPackage({ kind: "path", path: put("b.ova", "no tar") }, ctx))).toBe(
      "OVF_PACKAGE_UNRECOGNISED",
    );
    expect(openFiles()).toEqual([]);
  });

  it("takes the first of several descriptors, wherever it stands, and says so", async () => {
    const { ctx, found } = watching();
    const members = { "._vm.ovf": "apple", "disk.vmdk": "x", "vm.ovf": PLAIN["vm.ovf"], "z.ovf": "<other/>" };
    await using opened = await openPackage({ kind: "path", path: put("a.ova", await tarOf(members)) }, ctx);
    expect(opened.descriptor?.name).toBe("vm.ovf");
    expect(found.map(({ code, severity }) => [code, severity])).toEqual([
      ["OVF_SEVERAL_DESCRIPTORS", "warning"],
      ["OVF_DESCRIPTOR_NOT_FIRST", "info"],
    ]);
  });

  it("refuses a name that occurs twice", async () => {
    const { ctx } = watching();
    const tar = await tarOf({ ...PLAIN, "./disk.vmdk": "evil" });
    expect(await codeOf(openPackage({ kind: "path", path: put("a.ova", tar) }, ctx))).toBe("OVF_MEMBER_DUPLICATE");
    expect(openFiles()).toEqual([]);
  });

  it("finds the manifest and the certificate by the descriptor's name, or as the only ones", async () => {
    const { ctx } = watching();
    const names = async (members: Readonly<Record<string, string>>) => {
      await using opened = await openPackage({ kind: "path", path: put("a.ova", await tarOf(members)) }, ctx);
      return [opened.manifest?.name, opened.certificate?.name];
    };
    expect(await names({ ...PLAIN, "a.mf": "", "VM.MF": "", "vm.cert": "" })).toEqual(["VM.MF", "vm.cert"]);
    expect(await names({ ...PLAIN, "renamed.mf": "" })).toEqual(["renamed.mf", undefined]);
    expect(await names({ ...PLAIN, "a.mf": "", "b.mf": "" })).toEqual([undefined, undefined]);
  });

  it("refuses a descriptor above the limit", async () => {
    const { ctx } = watching({ limits: { ...DEFAULT_LIMITS, descriptorBytes: 100 } });
    expect(await codeOf(openPackage({ kind: "path", path: put("a.ova", await tarOf(PLAIN)) }, ctx))).toBe(
      "OVF_TOO_LARGE",
    );
  });

  it("gives a result or a typed error wherever the archive is cut off", async () => {
    const tar = await tarOf({ ...PLAIN, "vm.mf": `SHA1(vm.ovf)= ${"0".repeat(40)}` });
    const { ctx } = watching({ tmp: folder });
    const codes = new Set<string>();
    for (let end = 0; end <= tar.length; end += 512) {
      const bytes = tar.subarray(0, end);
      const work = async () => {
        await using opened = await openPackage({ kind: "path", path: put("a.ova", bytes) }, ctx);
        await disk(opened);
      };
      codes.add(await codeOf(work()));
    }
    expect([...codes]).toEqual(["OVF_PACKAGE_UNRECOGNISED", "ARCHIVE_TRUNCATED", "OVF_MEMBER_MISSING", "none"]);
    expect(openFiles()).toEqual([]);
  });

  it("gives a result or a typed error for mutated archives", async () => {
    const tar = await tarOf(PLAIN);
    const { ctx } = watching({ tmp: folder });
    const byte = fc.tuple(fc.nat(tar.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(byte, { minLength: 1, maxLength: 5 }), async (changes) => {
        const mutated = Buffer.from(tar);
        for (const [at, value] of changes) mutated[at] = value;
        const work = async () => {
          await using opened = await openPackage({ kind: "path", path: put("a.ova", mutated) }, ctx);
          for (const file of opened.envelope?.files ?? []) await codeOf(opened.open(file));
        };
        await codeOf(work());
      }),
      { numRuns: 200 },
    );
    expect(openFiles()).toEqual([]);
  });
});

describe("references", () => {
  async function opened(files: readonly TestFile[], members: Readonly<Record<string, string | Uint8Array>>) {
    const { ctx, found } = watching({ tmp: folder });
    const path = put("a.ova", await tarOf({ "vm.ovf": descriptor(...files), ...members }));
    return { opened: await openPackage({ kind: "path", path }, ctx), found };
  }

  async function outcome(files: readonly TestFile[], members: Readonly<Record<string, string | Uint8Array>>) {
    const { opened: found, found: diagnostics } = await opened(files, members);
    await using owned = found;
    const content: string[] = [];
    for (let index = 0; index < files.length; index++) content.push(await disk(owned, index));
    return [...content, ...diagnostics.map(({ code }) => code)];
  }

  it("joins pieces in order, and takes a single one although nothing is said of pieces", async () => {
    const pieces = { "d.000000000": "aaaa", "d.000000001": "bbbb", "d.000000002": "c" };
    const file = { href: "d", more: 'ovf:chunkSize="4" ovf:size="9"' };
    expect(await outcome([file], pieces)).toEqual(["aaaabbbbc"]);
    expect(await outcome([{ href: "d" }], { "d.000000000": "only" })).toEqual(["only"]);
    const { opened: found } = await opened([file], pieces);
    await using owned = found;
    expect(owned.members.filter(({ role }) => role === "disk")).toHaveLength(3);
    const source = await owned.open(owned.envelope?.files[0] ?? expect.fail());
    expect((await source.extentAt(5, 4)).length).toBe(3);
  });

  it.each([
    ["the last piece is missing", { "d.000000000": "aaaa" }, "OVF_MEMBER_MISSING"],
    ["a piece is missing at the end", { "d.000000000": "aaaa", "d.000000001": "bbbb" }, "OVF_CHUNK_MISSING"],
    ["a piece is short", { "d.000000000": "aaaa", "d.000000001": "b", "d.000000002": "c" }, "OVF_CHUNK_SIZE"],
  ])("refuses when %s", async (title, pieces, code) => {
    const members = title.startsWith("the last") ? {} : pieces;
    const { opened: found } = await opened([{ href: "d", more: 'ovf:chunkSize="4" ovf:size="9"' }], members);
    await using owned = found;
    expect(await codeOf(disk(owned))).toBe(code);
  });

  it("undoes gzip once, declared or not, and says when the declaration is wrong", async () => {
    const packed = gzipSync("the disk");
    const declared = { href: "d", more: 'ovf:compression="gzip"' };
    expect(await outcome([declared], { d: packed })).toEqual(["the disk", "OVF_SPOOLED"]);
    expect(await outcome([{ href: "d" }], { d: packed })).toEqual(["the disk", "OVF_GZIP_UNDECLARED", "OVF_SPOOLED"]);
    expect(await outcome([declared], { d: "plain" })).toEqual(["plain", "OVF_GZIP_UNDECLARED"]);
    const { opened: found } = await opened([declared, { href: "e", more: 'ovf:compression="lzw"' }], {
      d: packed,
      e: "",
    });
    await using owned = found;
    const file = owned.envelope?.files[0] ?? expect.fail();
    expect(await owned.open(file)).toBe(await owned.open(file));
    expect(owned.spooled).toBe(8);
    expect(await codeOf(disk(owned, 1))).toBe("OVF_COMPRESSION");
  });

  it("warns of a size that is not as declared", async () => {
    expect(await outcome([{ href: "d", more: 'ovf:size="99"' }], { d: "abc" })).toEqual(["abc", "OVF_FILE_SIZE"]);
  });

  it.each([
    ["as written", "url%24encoded%a-1.vmdk", "url%24encoded%a-1.vmdk"],
    ["as written before decoded", "a%20b", "a%20b"],
    ["percent-decoded", "my%20disk.vmdk", "my disk.vmdk"],
    ["with ./ on either side", "./d", "d"],
    ["with ./ in the archive", "d", "./d"],
    ["with a backslash", "sub\\d", "sub/d"],
  ])("finds a file %s", async (_title, href, name) => {
    expect(await outcome([{ href }], { [name]: "right" })).toEqual(["right"]);
  });

  it("prefers the name as written, and disregards case only as the last resort, with a warning", async () => {
    expect(await outcome([{ href: "a%20b" }], { "a b": "wrong", "a%20b": "right" })).toEqual(["right"]);
    expect(await outcome([{ href: "d" }], { D: "wrong", d: "right" })).toEqual(["right"]);
    expect(await outcome([{ href: "Disk.VMDK" }], { "disk.vmdk": "right" })).toEqual(["right", "OVF_MEMBER_SIMILAR"]);
  });

  it.each(["../d", "/d", "C:\\d", "http://example.org/d", "%2e%2e/d"])("never looks outside: %s", async (href) => {
    const { opened: found } = await opened([{ href }], { d: "x" });
    await using owned = found;
    expect(["OVF_HREF_UNSAFE", "OVF_MEMBER_MISSING"]).toContain(await codeOf(disk(owned)));
  });

  it("looks beside the descriptor first, and beside an image for the files that it names", async () => {
    const { ctx } = watching();
    const members = {
      "x/vm.ovf": descriptor({ href: "disks/d.vmdk" }),
      d: "top",
      "x/d": "x",
      "x/disks/d.vmdk": "image",
      "x/disks/d": "deep",
    };
    await using owned = await openPackage({ kind: "path", path: put("a.ova", await tarOf(members)) }, ctx);
    expect(await disk(owned)).toBe("image");
    expect(await owned.resolve("d").then(text)).toBe("x");
    const [image] = owned.membersOf(owned.envelope?.files[0] ?? expect.fail());
    expect(await owned.resolve("d", image).then(text)).toBe("deep");
  });

  it("answers in time when thousands of names mean the same thousands of pieces", async () => {
    const files = Array.from({ length: 2000 }, (_, index) => ({
      href: `./${"./".repeat(index % 50)}${index % 2 ? "D" : "d"}`,
    }));
    const pieces = Array.from({ length: 2000 }, (_, index) => [`d.${`${index}`.padStart(9, "0")}`, "x"] as const);
    const { opened: found } = await opened(files, Object.fromEntries(pieces));
    await using owned = found;
    expect(owned.members).toHaveLength(2001);
  });
});

describe("openPackage on folders", () => {
  it("opens a folder, its .ovf, and what belongs to it", async () => {
    put("in/vm.ovf", descriptor({ href: "sub/d%C3%A4.vmdk" }));
    put("in/vm.mf", "");
    put("in/unrelated.txt", "");
    put("in/sub/da\u0308.vmdk", "image");
    for (const path of [join(folder, "in"), join(folder, "in/vm.ovf")]) {
      const { ctx, found } = watching();
      await using opened = await openPackage({ kind: "path", path }, ctx);
      expect([opened.kind, opened.archive, await disk(opened)]).toEqual(["ovf", undefined, "image"]);
      expect(opened.members.map(({ role }) => role)).toEqual(["descriptor", "manifest", "disk"]);
      expect(opened.members[2]?.name).toBe(bytePath("sub/da\u0308.vmdk"));
      expect(found).toEqual([]);
    }
    expect(openFiles()).toEqual([]);
  });

  it("finds names that differ in case, with a warning", async () => {
    const { ctx, found } = watching();
    put("sub/d", "image");
    await using opened = await openPackage({ kind: "path", path: put("vm.OVF", descriptor({ href: "Sub/D" })) }, ctx);
    expect(await disk(opened)).toBe("image");
    expect(found.map(({ code }) => code)).toEqual(["OVF_MEMBER_SIMILAR"]);
  });

  it("wants one descriptor", async () => {
    const { ctx } = watching();
    expect(await codeOf(openPackage({ kind: "path", path: folder }, ctx))).toBe("OVF_DESCRIPTOR_MISSING");
    put("a.ovf", "");
    put("b.ovf", "");
    const failure = await openPackage({ kind: "path", path: folder }, ctx).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "OVF_DESCRIPTOR_AMBIGUOUS", exitCode: 2 });
    expect(await codeOf(openPackage({ kind: "path", path: join(folder, "nothing") }, ctx))).toBe("FILE_NOT_FOUND");
  });

  it("follows links inside the folder, but none that lead out", async () => {
    const { ctx } = watching();
    put("secret", "secret");
    put("in/real", "image");
    const path = put("in/vm.ovf", descriptor({ href: "inside" }));
    symlinkSync("real", join(folder, "in/inside"));
    symlinkSync("../secret", join(folder, "in/outside"));
    symlinkSync("..", join(folder, "in/up"));
    await using good = await openPackage({ kind: "path", path }, ctx);
    expect(await disk(good)).toBe("image");
    expect(await codeOf(good.resolve("outside"))).toBe("OVF_MEMBER_OUTSIDE");
    expect(await codeOf(good.resolve("up/secret"))).toBe("OVF_MEMBER_OUTSIDE");
    expect(await codeOf(good.resolve("UP/Secret"))).toBe("OVF_MEMBER_OUTSIDE");
    put("in/evil.ovf", descriptor({ href: "outside" }));
    expect(await codeOf(openPackage({ kind: "path", path: join(folder, "in/evil.ovf") }, ctx))).toBe(
      "OVF_MEMBER_OUTSIDE",
    );
  });

  it("reads no folders, pipes and devices in place of files", async () => {
    const { ctx } = watching();
    const path = put("in/vm.ovf", descriptor());
    mkdirSync(join(folder, "in/sub"));
    execFileSync("mkfifo", [join(folder, "in/pipe")]);
    await using opened = await openPackage({ kind: "path", path }, ctx);
    expect(await codeOf(opened.resolve("sub"))).toBe("OVF_MEMBER_NOT_REGULAR");
    expect(await codeOf(opened.resolve("pipe"))).toBe("OVF_MEMBER_NOT_REGULAR");
  });

  it("goes to the real file where the user names a link", async () => {
    const { ctx } = watching();
    put("real/vm.ovf", descriptor({ href: "d" }));
    put("real/d", "image");
    symlinkSync("real/vm.ovf", join(folder, "link.ovf"));
    await using opened = await openPackage({ kind: "path", path: join(folder, "link.ovf") }, ctx);
    expect(await disk(opened)).toBe("image");
  });
});

describe("openPackage on bare disks", () => {
  it("gives the image, and what stands beside it under a name that it knows", async () => {
    const { ctx, found } = watching();
    put("disk-flat.vmdk", "flat");
    await using opened = await openPackage({ kind: "path", path: put("disk.vmdk", "# Disk DescriptorFile") }, ctx);
    expect(opened).toMatchObject({ kind: "disk", envelope: undefined, descriptor: undefined, spooled: 0 });
    expect(opened.members.map(({ name, role }) => [name, role])).toEqual([["disk.vmdk", "disk"]]);
    expect(await opened.resolve("disk-flat.vmdk", opened.members[0]).then(text)).toBe("flat");
    expect(await codeOf(opened.resolve("../disk-flat.vmdk"))).toBe("OVF_HREF_UNSAFE");
    expect(found).toEqual([]);
  });

  it("decompresses one that is gzip", async () => {
    const { ctx, found } = watching({ tmp: folder });
    await using opened = await openPackage({ kind: "path", path: put("disk.vmdk.gz", gzipSync("KDMV")) }, ctx);
    expect(opened.members.map(({ name, role, size }) => [name, role, size])).toEqual([["disk.vmdk", "disk", 4]]);
    expect(await opened.openMember(opened.members[0] ?? expect.fail()).then(text)).toBe("KDMV");
    expect(opened.spooled).toBe(4);
    expect(found.map(({ code }) => code)).toEqual(["OVF_SPOOLED"]);
  });

  it("is not taken in by the text at the start of a VDI", async () => {
    const { ctx } = watching();
    await using opened = await openPackage(
      { kind: "path", path: put("a", "<<< Oracle VM VirtualBox Disk Image >>>\n") },
      ctx,
    );
    expect(opened.kind).toBe("disk");
  });

  it("takes a lone descriptor from a stream, without its disks", async () => {
    const { ctx } = watching({ tmp: folder });
    const content = streamed(Buffer.from(`\ufeff${PLAIN["vm.ovf"]}`));
    await using opened = await openPackage({ kind: "stream", content, name: "stdin" }, ctx);
    expect(opened.kind).toBe("ovf");
    expect(await codeOf(disk(opened))).toBe("OVF_MEMBER_MISSING");
  });
});

describeWith({ tools: ["tar", "mkfifo"] }, "openPackage on what tar writes", () => {
  it.each(["-c", "-cz"])("reads a Vagrant box: tar %s", async (option) => {
    const { ctx, found } = watching({ tmp: folder });
    put("in/box.ovf", descriptor({ href: "box-disk001.vmdk" }));
    put("in/box-disk001.vmdk", "image");
    put("in/metadata.json", '{"provider":"virtualbox"}');
    put("in/Vagrantfile", "");
    const path = join(folder, "a.box");
    const names = ["./metadata.json", "./Vagrantfile", "./box-disk001.vmdk", "./box.ovf"];
    execFileSync("tar", [option, "-f", path, "-C", join(folder, "in"), ...names]);
    await using opened = await openPackage({ kind: "path", path }, ctx);
    expect(opened).toMatchObject({ kind: "box", provider: "virtualbox" });
    expect(opened.descriptor?.name).toBe("./box.ovf");
    expect(await disk(opened)).toBe("image");
    expect(found.map(({ code }) => code)).toEqual(option === "-cz" ? ["OVF_SPOOLED"] : []);
  });

  it("warns of metadata that is not JSON, and of members that are no files", async () => {
    const { ctx, found } = watching();
    put("in/box.ovf", descriptor());
    put("in/metadata.json", "{");
    symlinkSync("/etc/passwd", join(folder, "in/link.ovf"));
    execFileSync("tar", ["-cf", join(folder, "a.box"), "-C", join(folder, "in"), "."]);
    await using opened = await openPackage({ kind: "path", path: join(folder, "a.box") }, ctx);
    expect(opened.kind).toBe("box");
    expect(found.map(({ code }) => code)).toEqual(["OVF_MEMBER_SKIPPED", "OVF_BOX_METADATA"]);
  });

  it("reads a named pipe as it comes", async () => {
    const { ctx } = watching({ tmp: folder });
    const source = put("a.ova", await tarOf(PLAIN));
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    const writer = spawn("sh", ["-c", 'cat "$1" > "$2"', "sh", source, pipe]);
    await using opened = await openPackage({ kind: "path", path: pipe }, ctx);
    expect(await disk(opened)).toBe(PLAIN["disk.vmdk"]);
    writer.kill();
  });
});

/** Files of the test that are still open. */
function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`);
      return target.startsWith(folder) ? [target] : [];
    } catch {
      return [];
    }
  });
}
