import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ConvertRequest, convert, planConversion } from "../../converters/convert.ts";
import { eachSystem } from "../../converters/each-system.ts";
import { openMachine } from "../../converters/machine/machine.ts";
import { createContext } from "../../src/context.ts";
import { verifyManifest } from "../../src/ovf/manifest.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import { codeOf } from "../ovf/appliance.ts";
import { fixture } from "../support/needs.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-fleet-"));
afterAll(() => rmSync(folder, { recursive: true }));
const ctx = createContext({ tmp: folder });
const HELLO = fixture("appliances", "hello", "hello.ova");
const RAW = Buffer.alloc(2 << 20, "a disk ");
const image = (tag: string) => `oci:${join(folder, "images")}:${tag}`;
const fleet = join(folder, "fleet.ova");

beforeAll(async () => {
  writeFileSync(join(folder, "db.raw"), RAW);
  await convert({ source: HELLO, destination: image("web"), as: "disk" }, ctx);
  const raw = `raw:${join(folder, "db.raw")}`;
  await convert({ source: raw, destination: image("db"), as: "disk", platform: "linux/amd64" }, ctx);
  await convert({ source: image("web"), more: [image("db"), image("web")], destination: fleet }, ctx);
}, 60_000);

describe("several images", () => {
  it("become the machines of one appliance, each with its hardware and disks", async () => {
    await using pkg = await openPackage({ kind: "path", path: fleet }, ctx);
    expect(pkg.envelope?.entities).toMatchObject([{ kind: "collection", id: "fleet" }]);
    const [web, db, again] = pkg.envelope?.systems ?? [];
    expect([web?.id, again?.id]).toEqual(["hello", "hello-2"]);
    expect((await verifyManifest(pkg, ctx)).verified).toHaveLength(4);
    await using first = await openMachine(pkg, { system: "hello" }, ctx);
    await using original = await openPackage({ kind: "path", path: HELLO }, ctx);
    await using hello = await openMachine(original, {}, ctx);
    expect(first.hardware).toMatchObject({ cpus: hello.hardware?.cpus, memory: hello.hardware?.memory });
    const [left, right] = [first.disks[0]?.disk, hello.disks[0]?.disk];
    if (left === undefined || right === undefined) throw new Error("no disks");
    expect(Buffer.compare(await left.read(0, right.size), await right.read(0, right.size))).toBe(0);
    await using second = await openMachine(pkg, { system: db?.id ?? "" }, ctx);
    expect(Buffer.from((await second.disks[0]?.disk.read(0, RAW.length)) ?? []).equals(RAW)).toBe(true);
  });

  it("can be planned", async () => {
    const request = { source: image("web"), more: [image("db")], destination: join(folder, "never.ova") };
    const { uses } = await planConversion(request, ctx);
    expect(uses.map((line) => line.split(" ").slice(0, 2))).toEqual([
      ["machine", "hello"],
      ["machine", "db.raw"],
    ]);
  });

  it.each([
    ["a machine among them", { source: HELLO, more: [image("db")], destination: join(folder, "x.ova") }],
    ["a box", { source: image("web"), more: [image("db")], destination: join(folder, "x.box") }],
    ["a disk", { source: image("web"), more: [image("db")], destination: `qcow2:${join(folder, "x.qcow2")}` }],
    ["a package", { source: image("web"), more: [image("package")], destination: join(folder, "x.ova") }],
  ])("are refused with %s", async (_, request) => {
    if (request.more[0] === image("package")) {
      await convert({ source: HELLO, destination: image("package"), as: "package" }, ctx);
    }
    expect(await codeOf(convert(request, ctx))).toBe("CONVERT_SEVERAL");
  });
});

describe("a package of several machines", () => {
  it("becomes an image of each with one destination", async () => {
    const asked: ConvertRequest = {
      source: fleet,
      destination: `oci:${join(folder, "back")}:{system}`,
      as: "disk",
      platform: "linux/amd64",
    };
    const requests = await eachSystem(asked, ctx);
    expect(requests.map(({ system, destination }) => [system, destination.replace(/.*:/, "")])).toEqual([
      ["hello", "hello"],
      [expect.any(String), "db"],
      ["hello-2", "hello-2"],
    ]);
    for (const request of requests) expect((await convert(request, ctx)).target?.digest).toMatch(/^sha256:/);
  });

  it("is one request where nothing else is asked for", async () => {
    const asked = { source: fleet, destination: "oci:x" };
    expect(await eachSystem(asked, ctx)).toEqual([asked]);
  });

  it.each([
    { source: "ova:-", destination: "oci:x:{system}" },
    { source: "oci:a:b", destination: "oci:x:{system}" },
    { source: HELLO, more: ["oci:a:b"], destination: "oci:x:{system}" },
  ])("needs a file: %j", async (asked) => {
    expect(await codeOf(eachSystem(asked, ctx))).toBe("CONVERT_SEVERAL");
  });
});
