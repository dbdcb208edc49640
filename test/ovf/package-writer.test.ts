import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, it } from "vitest";
import { encodeUstarHeader } from "../../src/archive/tar-encode.ts";
import { TarHeader } from "../../src/archive/tar-header.ts";
import { readAll } from "../../src/bytes/byte-source.ts";
import type { Writing } from "../../src/bytes/content.ts";
import { writeOutput } from "../../src/bytes/output-file.ts";
import { writeFolder } from "../../src/ovf/folder-writer.ts";
import { verifyManifest } from "../../src/ovf/manifest.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import { writeOva } from "../../src/ovf/ova-writer.ts";
import type { PackageContent } from "../../src/ovf/package-writer.ts";
import { describeWith } from "../support/needs.ts";
import { codeOf, watching } from "./appliance.ts";
import { appliance, system } from "./appliances.ts";

const run = promisify(execFile);
const scratch = mkdtempSync(join(tmpdir(), "transload-ova-"));
afterAll(() => rmSync(scratch, { recursive: true }));
const UUID = "5f042839-c478-43d9-9eb0-fd8a902146ec";

async function* bytes(...parts: readonly string[]): Writing {
  for (const part of parts) yield Buffer.from(part);
  return [];
}

const DISKS = [
  { href: "app-disk1.vmdk", content: "KDMV first disk" },
  { href: "app-disk2.vmdk", content: "KDMV second".repeat(700) },
];

function content(changes: Partial<PackageContent> = {}): PackageContent {
  const disks = DISKS.map(({ href }) => ({ href, capacity: 1 << 20, uuid: UUID }));
  return {
    baseName: "app",
    appliance: appliance("portable", system({ disks })),
    disks: DISKS.map(({ href, content }) => ({ href, write: () => bytes(content.slice(0, 5), content.slice(5)) })),
    manifest: "sha256",
    extras: [],
    mtime: 1_700_000_000,
    ...changes,
  };
}

let count = 0;
async function ova(changes: Partial<PackageContent> = {}): Promise<string> {
  const path = join(scratch, `${count++}.ova`);
  const { ctx } = watching();
  const size = await writeOutput(writeOva(content(changes)), path, { force: false }, ctx);
  expect(statSync(path).size).toBe(size);
  return path;
}

describe("an OVA that was written", () => {
  it.each(["sha256", "sha1", "sha512"] as const)("holds what it says, sealed with %s", async (manifest) => {
    const { ctx, found } = watching();
    await using opened = await openPackage({ kind: "path", path: await ova({ manifest }) }, ctx);
    expect(opened.members.map(({ name, role }) => `${role} ${name}`)).toEqual([
      "descriptor app.ovf",
      "manifest app.mf",
      "disk app-disk1.vmdk",
      "disk app-disk2.vmdk",
    ]);
    expect(opened.envelope?.files.map(({ size }) => size)).toEqual(DISKS.map(({ content }) => content.length));
    for (const [index, file] of (opened.envelope?.files ?? []).entries()) {
      const source = await opened.open(file);
      expect(Buffer.from(await readAll(source, 1 << 20)).toString()).toBe(DISKS[index]?.content);
    }
    const report = await verifyManifest(opened, ctx);
    expect(report.verified.map(({ name, algorithm }) => `${algorithm} ${name}`)).toEqual([
      `${manifest} app.ovf`,
      `${manifest} app-disk1.vmdk`,
      `${manifest} app-disk2.vmdk`,
    ]);
    expect([report.extra, report.unlisted, found]).toEqual([[], [], []]);
  });

  it("spells the manifest as every importer takes it, and leaves it out when asked", async () => {
    const whole = readFileSync(await ova()).toString("latin1");
    expect(whole).toMatch(/SHA256\(app\.ovf\)= [0-9a-f]{64}\nSHA256\(app-disk1\.vmdk\)= [0-9a-f]{64}\n/);
    const { ctx } = watching();
    await using opened = await openPackage({ kind: "path", path: await ova({ manifest: "none" }) }, ctx);
    expect(opened.manifest).toBeUndefined();
  });

  it("is the same when made again of the same", async () => {
    expect(readFileSync(await ova()).equals(readFileSync(await ova()))).toBe(true);
  });

  it("comes through a pipe", async () => {
    const { ctx } = watching({ tmp: scratch });
    const fifo = join(scratch, "fifo");
    await run("mkfifo", [fifo]);
    const reading = run("sha256sum", [fifo]);
    await writeOutput(writeOva(content()), fifo, { force: false }, ctx);
    const direct = await run("sha256sum", [await ova()]);
    expect((await reading).stdout.slice(0, 64)).toBe(direct.stdout.slice(0, 64));
  });

  it("has extra files that no manifest lists", async () => {
    const { ctx } = watching();
    const extras = [{ name: "metadata.json", bytes: Buffer.from('{"provider":"virtualbox"}') }];
    const path = await ova({ baseName: "box", extras, manifest: "none" });
    await using opened = await openPackage({ kind: "path", path }, ctx);
    expect([opened.kind, opened.provider, opened.members.length]).toEqual(["box", "virtualbox", 4]);
  });

  it("takes only names that every reader understands", async () => {
    expect(await codeOf(ova({ baseName: "é" }))).toBe("ARCHIVE_NAME_UNSAFE");
    expect(await codeOf(ova({ baseName: "a".repeat(97) }))).toBe("ARCHIVE_NAME_UNSAFE");
  });

  it("ends its disks when it ends early", async () => {
    let ended = false;
    async function* endless(): Writing {
      try {
        for (;;) yield Buffer.alloc(512, 1);
      } finally {
        ended = true;
      }
    }
    const stop = new AbortController();
    const { ctx } = watching({ signal: stop.signal });
    const writing = writeOutput(
      writeOva(content({ disks: [{ href: "app-disk1.vmdk", write: endless }] })),
      join(scratch, "never.ova"),
      { force: false },
      ctx,
    );
    setTimeout(() => stop.abort(new Error("enough")), 20);
    await expect(writing).rejects.toThrow("enough");
    expect(ended).toBe(true);
    expect(readdirSync(scratch).filter((name) => name.includes("never"))).toEqual([]);
  });
});

describeWith({ tools: ["tar"] }, "an OVA with a disk above 8 GiB", () => {
  it("is read by tar and by us", async () => {
    const size = 9 * 2 ** 30;
    const zeros = Buffer.alloc(1 << 20);
    async function* large(): Writing {
      for (let at = 0; at < size; at += zeros.length) yield zeros;
      return [];
    }
    const path = await ova({ disks: [{ href: "app-disk1.vmdk", write: large }], manifest: "none" });
    const { stdout } = await run("tar", ["-tvf", path]);
    expect(stdout).toContain(`${size}`);
    expect(stdout).not.toMatch(/PaxHeader/i);
    const { ctx } = watching();
    await using opened = await openPackage({ kind: "path", path }, ctx);
    expect(opened.members.find(({ role }) => role === "disk")?.size).toBe(size);
  });

  it("says so in base-256, as VirtualBox does", () => {
    const fields = {
      name: "x",
      type: "0",
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: { seconds: 0, nanoseconds: 0 },
    } as const;
    const header = encodeUstarHeader({ ...fields, size: 9 * 2 ** 30 });
    expect([header.length, header[124], new TarHeader(header).size]).toEqual([512, 0x80, 9 * 2 ** 30]);
  });
});

describe("a package that was written into a folder", () => {
  it("holds the same, without padding, and is seen only when whole", async () => {
    const { ctx, found } = watching();
    const folder = join(scratch, "folder");
    const size = await writeFolder(content(), folder, { force: false }, ctx);
    const names = readdirSync(folder).sort();
    expect(names).toEqual(["app-disk1.vmdk", "app-disk2.vmdk", "app.mf", "app.ovf"]);
    expect(names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)).toBe(size);
    expect(readFileSync(join(folder, "app.ovf"), "latin1")).toMatch(/<\/Envelope>\n$/);
    await using opened = await openPackage({ kind: "path", path: folder }, ctx);
    expect((await verifyManifest(opened, ctx)).verified).toHaveLength(3);
    expect(found).toEqual([]);
  });

  it("goes beside other files, and replaces its own only when told to", async () => {
    const { ctx } = watching();
    const folder = join(scratch, "standing");
    mkdirSync(folder);
    writeFileSync(join(folder, "mine.txt"), "mine");
    await writeFolder(content(), folder, { force: false }, ctx);
    expect(await codeOf(writeFolder(content(), folder, { force: false }, ctx))).toBe("OUTPUT_EXISTS");
    await writeFolder(content({ manifest: "sha1" }), folder, { force: true }, ctx);
    expect(readFileSync(join(folder, "app.mf"), "utf8")).toContain("SHA1(app.ovf)= ");
    expect(readdirSync(folder)).toHaveLength(5);
    expect(await codeOf(writeFolder(content(), join(folder, "mine.txt"), { force: true }, ctx))).toBe("OUTPUT_EXISTS");
  });

  it("leaves nothing behind when a disk fails", async () => {
    const { ctx } = watching();
    async function* broken(): Writing {
      yield Buffer.from("x");
      throw new Error("no more");
    }
    const failing = content({ disks: [{ href: "app-disk1.vmdk", write: broken }] });
    const folder = join(scratch, "broken");
    await expect(writeFolder(failing, folder, { force: false }, ctx)).rejects.toThrow("no more");
    expect(existsSync(folder)).toBe(false);
    expect(readdirSync(scratch).filter((name) => name.startsWith(".broken"))).toEqual([]);
  });
});
