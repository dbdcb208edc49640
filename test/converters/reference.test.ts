import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { parseReference } from "../../converters/reference.ts";
import { writeTar } from "../../src/archive/tar.ts";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";

const ctx = createContext();
const folder = mkdtempSync(join(tmpdir(), "transload-reference-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
}

async function tarOf(name: string, members: readonly string[]): Promise<string> {
  async function* files() {
    for (const member of members)
      yield {
        name: member,
        size: 2,
        content: (async function* () {
          yield Buffer.from("{}");
        })(),
      };
  }
  const parts: Uint8Array[] = [];
  for await (const part of writeTar(files())) parts.push(part);
  return file(name, Buffer.concat(parts));
}

describe("a reference with a transport", () => {
  it.each([
    ["ova:web01.ova", "machine", "ova", "web01.ova"],
    ["ova:-", "machine", "ova", "-"],
    ["ovf:/a/folder", "machine", "ovf", "/a/folder"],
    ["vmdk:a:b.vmdk", "machine", "vmdk", "a:b.vmdk"],
    ["raw:disk.img", "machine", "raw", "disk.img"],
    ["qcow2:x", "machine", "qcow2", "x"],
    ["oci:images:web01", "image", "oci", "images:web01"],
    ["oci-archive:a.tar:latest", "image", "oci-archive", "a.tar:latest"],
    ["docker-archive:-", "image", "docker-archive", "-"],
    ["docker://localhost:5000/web01:1.0", "image", "docker", "localhost:5000/web01:1.0"],
  ])("%s", async (text, side, transport, details) => {
    expect(await parseReference(text, ctx)).toEqual({ side, transport, details });
  });

  it.each([
    ["", "REFERENCE_EMPTY", /ova:-/],
    ["-", "REFERENCE_EMPTY", /ova:-/],
    ["oci:", "REFERENCE_EMPTY", /oci:web01/],
    ["docker://", "REFERENCE_EMPTY", /docker:\/\/web01/],
    ["docker:web01", "REFERENCE_TRANSPORT_UNKNOWN", /write docker:\/\/web01/],
    ["ocu-archive:a.tar", "REFERENCE_TRANSPORT_UNKNOWN", /write oci-archive:a\.tar/],
    ["OVA:a", "REFERENCE_TRANSPORT_UNKNOWN", /write ova:a/],
    ["doker://x/y", "REFERENCE_TRANSPORT_UNKNOWN", /write docker:\/\/x\/y/],
    ["https://host/web01.ova", "REFERENCE_TRANSPORT_UNKNOWN", /curl/],
    ["localhost:5000/web01", "REFERENCE_TRANSPORT_UNKNOWN", /docker:\/\/localhost:5000\/web01/],
    ["host.example/web01:1.0", "REFERENCE_TRANSPORT_MISSING", /docker:\/\/host\.example\/web01:1\.0/],
    ["new.tar", "REFERENCE_TRANSPORT_MISSING", /ova:new\.tar/],
  ])("refuses %j with a suggestion", async (text, code, advice) => {
    await expect(parseReference(text, ctx)).rejects.toMatchObject({
      code,
      exitCode: 2,
      advice: expect.stringMatching(advice),
    });
  });

  it("names the transports that there are", async () => {
    await expect(parseReference("dir:x", ctx)).rejects.toThrow(/ova: ovf: vmdk: .* docker-archive: docker:\/\//);
  });
});

describe("a reference without a transport", () => {
  it.each([
    ["web01.ova", "ova"],
    ["./a/WEB01.OVA", "ova"],
    ["b.ovf", "ovf"],
    ["c.vhdx", "vhdx"],
    ["d.raw", "raw"],
    ["e.box", "ova"],
    ["f.ova.gz", "ova"],
    ["f.vmdk.gz", "vmdk"],
    ["f.VHDX.GZ", "vhdx"],
  ])("is told by the ending of %s", async (text, transport) => {
    expect(await parseReference(text, ctx)).toEqual({ side: "machine", transport, details: text });
  });

  it("is told by what a directory holds", async () => {
    const layout = join(file("layout.ova/oci-layout", "{}"), "..");
    const appliance = join(file("appliance/web01.OVF", "<Envelope/>"), "..");
    const other = join(file("other/README", ""), "..");
    expect(await parseReference(layout, ctx)).toEqual({ side: "image", transport: "oci", details: layout });
    expect(await parseReference(appliance, ctx)).toEqual({ side: "machine", transport: "ovf", details: appliance });
    await expect(parseReference(other, ctx)).rejects.toMatchObject({ code: "REFERENCE_TRANSPORT_MISSING" });
  });

  it("is told by the first bytes of a file", async () => {
    const transportOf = async (path: string) => (await parseReference(path, ctx)).transport;
    expect(await transportOf(file("descriptor", "\ufeff<?xml version='1.0'?><Envelope/>"))).toBe("ovf");
    expect(await transportOf(file("disk", `KDMV${"\0".repeat(2044)}`))).toBe("vmdk");
    expect(await transportOf(file("with:colon", Buffer.from("QFI\xfb\0\0\0\x03", "latin1")))).toBe("qcow2");
    expect(await transportOf(await tarOf("a.tar", ["web01.ovf", "manifest.json"]))).toBe("ova");
    expect(await transportOf(await tarOf("b.tar", ["oci-layout", "index.json", "manifest.json"]))).toBe("oci-archive");
    expect(await transportOf(await tarOf("c.tar", ["0a.json", "manifest.json"]))).toBe("docker-archive");
    for (const path of [await tarOf("d.tar", ["etc"]), file("empty", ""), file("zeros.img", new Uint8Array(4096))]) {
      await expect(parseReference(path, ctx)).rejects.toMatchObject({ code: "REFERENCE_TRANSPORT_MISSING" });
    }
  });

  it("is a reference or a typed error, whatever it is", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 30 }), async (text) => {
        const result = await parseReference(text, ctx).catch((error: unknown) => error);
        if (result instanceof Error) expect(result).toBeInstanceOf(ConverterError);
      }),
    );
  });
});
