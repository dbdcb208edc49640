import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Context, DEFAULT_LIMITS, type ProgressEvent } from "../../src/context.ts";
import { type CertificateReport, verifyCertificate } from "../../src/ovf/certificate.ts";
import { type ManifestReport, parseManifest, parseManifestLine, verifyManifest } from "../../src/ovf/manifest.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { codeOf, descriptor, tarOf, watching } from "./appliance.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "transload-manifest-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const OVF = descriptor({ href: "disk.vmdk" });
const DISK = Buffer.alloc(3 << 20, "disk");
const hex = (algorithm: string, content: string | Uint8Array) => createHash(algorithm).update(content).digest("hex");
const HALF = "0".repeat(20);

async function path(manifest: string | undefined, more: Readonly<Record<string, string>> = {}): Promise<string> {
  const members = {
    "vm.ovf": OVF,
    "disk.vmdk": DISK,
    ...(manifest === undefined ? {} : { "vm.mf": manifest }),
    ...more,
  };
  const file = join(folder, "a.ova");
  writeFileSync(file, await tarOf(members));
  return file;
}

async function verified(file: string, ctx: Context): Promise<ManifestReport> {
  await using opened = await openPackage({ kind: "path", path: file }, ctx);
  return await verifyManifest(opened, ctx);
}

describe("parseManifestLine", () => {
  it.each([
    ["SHA1(a.ovf)= AB12", "sha1", "a.ovf"],
    ["SHA256 (a.ovf) = ab12", "sha256", "a.ovf"],
    ["SHA2-256(a.ovf)= ab12", "sha256", "a.ovf"],
    ["SHA-256(./disk 1 (2).vmdk)=ab12", "sha256", "./disk 1 (2).vmdk"],
    ["SHA-1 (x)=\tab12", "sha1", "x"],
    ["sha512(x)=ab12", "sha512", "x"],
    ["MD5(x)= ab12", "md5", "x"],
    ["SIZE(x)= 12", undefined, "x"],
  ])("reads %s", (text, algorithm, name) => {
    expect(parseManifestLine(text, 1)).toMatchObject({
      algorithm,
      name,
      value: text.endsWith("12") ? expect.any(String) : "",
    });
    expect(parseManifestLine(text, 1)?.value).toMatch(/^(ab)?12$/);
  });

  it.each(["", "SHA1", "SHA1(a.ovf)", "SHA1(a.ovf) ab12", "SHA1()= ab12", "(a)= ab", "SHA1(a)= xyz", "SHA1)a(= 12"])(
    "does not read %j",
    (text) => expect(parseManifestLine(text, 1)).toBeUndefined(),
  );

  it("takes no longer for hostile lines", () => {
    for (const part of [" ", "(", ")", "= ", "a"]) {
      parseManifestLine(`SHA1(${part.repeat(4 << 20)}`, 1);
      parseManifestLine(part.repeat(4 << 20), 1);
    }
  });

  it("throws nothing, whatever the bytes", () => {
    const { ctx } = watching();
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseManifest(bytes, "a.mf", ctx)));
  });
});

describeWith({ corpus: "ovf" }, "manifests of real producers", () => {
  it.each([
    ["cot-input.mf", "sha1", 4],
    ["vbox-s1.12-ovf2.0-ubuntu.mf", "sha256", 2],
    ["vmware-esxi7-flp-iso.mf", "sha256", 5],
  ])("%s", (name, algorithm, count) => {
    const { ctx, found } = watching();
    const lines = parseManifest(readFileSync(corpus("ovf", name)), name, ctx);
    expect(lines.map((line) => line.algorithm)).toEqual(Array.from({ length: count }, () => algorithm));
    expect(found).toEqual([]);
  });

  it.each([
    ["tdAppliance1-t1", []],
    ["tdAppliance1-t2", ["sha1"]],
    ["tdAppliance1-t2-ovftool-4.1.0", ["sha1", "sha1"]],
    ["tdAppliance1-t3", ["sha256"]],
    ["tdAppliance1-t4-ovftool-4.1.0", ["sha256", "sha256", "sha256"]],
    ["tdAppliance1-t5", ["sha1"]],
    ["tdAppliance1-t7-bad-instance", ["sha1", "sha1", "sha1"]],
  ])("%s is verified without a complaint", async (name, algorithms) => {
    const { ctx, found } = watching({ tmp: folder });
    const report = await verified(corpus("ovf/ova", `${name}.ova`), ctx);
    expect(report.verified.map(({ algorithm }) => algorithm)).toEqual(algorithms);
    expect(found).toEqual([]);
  });

  it("reads the certificates that ovftool pads", async () => {
    const signers: (CertificateReport | undefined)[] = [];
    for (const name of ["tdAppliance1-t4-ovftool-4.1.0", "tdAppliance1-t5"]) {
      const { ctx } = watching({ tmp: folder });
      await using opened = await openPackage({ kind: "path", path: corpus("ovf/ova", `${name}.ova`) }, ctx);
      signers.push(await verifyCertificate(opened, ctx));
    }
    expect(signers).toMatchObject([
      { selfSigned: true, algorithm: "SHA1", subject: expect.stringContaining("CN=beispiel.example.org") },
      { selfSigned: false, issuer: expect.stringContaining("DigiCert"), validTo: new Date("2018-08-11T12:00:00Z") },
    ]);
  });
});

describe("verifyManifest", () => {
  it("checks all files in every spelling", async () => {
    const { ctx, found } = watching();
    const manifest = `\ufeffSHA256(vm.ovf)= ${hex("sha256", OVF).toUpperCase()}\r\n\r\nSHA-1 (./disk.vmdk) = ${hex("sha1", DISK)}   \0\0`;
    const report = await verified(await path(manifest), ctx);
    expect(report).toEqual({
      manifest: "vm.mf",
      verified: [
        { name: "vm.ovf", algorithm: "sha256", digest: hex("sha256", OVF), size: OVF.length },
        { name: "disk.vmdk", algorithm: "sha1", digest: hex("sha1", DISK), size: DISK.length },
      ],
      unlisted: [],
      extra: [],
    });
    expect(found).toEqual([]);
  });

  it("refuses a wrong digest, and says of what", async () => {
    const { ctx } = watching();
    const file = await path(`SHA1(vm.ovf)= ${HALF}${HALF}\n`);
    const failure = verified(file, ctx);
    await expect(failure).rejects.toMatchObject({ code: "MANIFEST_DIGEST_MISMATCH", exitCode: 65 });
    await expect(failure).rejects.toThrow(
      `"vm.ovf" does not match the manifest: SHA1 ${HALF}${HALF} is expected, ${hex("sha1", OVF)} is found, vm.mf in a.ova`,
    );
  });

  it("warns of what is listed too much, too little, in vain or weakly", async () => {
    const { ctx, found } = watching();
    const lines = [
      `MD5(vm.ovf)= ${hex("md5", OVF)}`,
      "SHA1(gone.iso)= 12",
      "SHA1(vm.mf)= 12",
      "SIZE(vm.ovf)= 12",
      "what is this",
    ];
    const report = await verified(await path(lines.join("\n")), ctx);
    expect(report).toMatchObject({ unlisted: ["disk.vmdk"], extra: ["gone.iso"] });
    expect(found.map(({ code, severity }) => `${code} ${severity}`)).toEqual([
      "MANIFEST_LINE warning",
      "MANIFEST_LINE warning",
      "MANIFEST_LISTS_ITSELF warning",
      "MANIFEST_UNLISTED warning",
      "MANIFEST_EXTRA warning",
      "MANIFEST_WEAK warning",
    ]);
  });

  it("has nothing to say where there is no manifest", async () => {
    const { ctx, found } = watching();
    expect(await verified(await path(undefined), ctx)).toEqual({
      manifest: undefined,
      verified: [],
      unlisted: [],
      extra: [],
    });
    expect(found).toEqual([]);
  });

  it.each([
    ["off the main thread", 2],
    ["here", 0],
  ])("hashes with progress while other work goes on: %s", async (_title, threads) => {
    const events: ProgressEvent[] = [];
    const limits = { ...DEFAULT_LIMITS, threads };
    const { ctx } = watching({ limits, progress: (event) => events.push(event) });
    const file = await path(`SHA256(disk.vmdk)= ${hex("sha256", DISK)}`);
    let turns = 0;
    let done = false;
    const work = verified(file, ctx).finally(() => {
      done = true;
    });
    for (; !done; turns++) await setImmediate();
    expect((await work).verified).toHaveLength(1);
    expect(turns).toBeGreaterThan(2);
    expect(events.at(-1)).toEqual({ stage: "verify", item: "disk.vmdk", done: DISK.length, total: DISK.length });
  });

  it("hashes the holes of a spooled archive too", async () => {
    const { ctx } = watching({ tmp: folder });
    const disk = Buffer.concat([Buffer.from("x"), Buffer.alloc(400_000), Buffer.from("y")]);
    const tar = await tarOf({ "vm.ovf": OVF, "disk.vmdk": disk, "vm.mf": `SHA1(disk.vmdk)= ${hex("sha1", disk)}` });
    const file = join(folder, "a.ova");
    writeFileSync(file, gzipSync(tar));
    expect((await verified(file, ctx)).verified).toHaveLength(1);
  });

  it.each([2, 0])("stops when it is told to, with %d threads", async (threads) => {
    const stop = new AbortController();
    const limits = { ...DEFAULT_LIMITS, threads };
    const { ctx } = watching({ signal: stop.signal, limits });
    await using opened = await openPackage({ kind: "path", path: await path(`SHA256(disk.vmdk)= ${HALF}`) }, ctx);
    const work = verifyManifest(opened, ctx);
    setImmediate().then(() => stop.abort(new Error("enough")));
    await expect(work).rejects.toThrow("enough");
    await expect(verifyManifest(opened, ctx)).rejects.toThrow("enough");
  });
});

describeWith({ tools: ["openssl"] }, "verifyCertificate", () => {
  const manifest = `SHA256(vm.ovf)= ${hex("sha256", OVF)}\n`;

  function openssl(input: string, ...args: string[]): Buffer {
    return execFileSync("openssl", args, { cwd: folder, input, stdio: ["pipe", "pipe", "ignore"] });
  }

  beforeAll(() => {
    const subject = ["-subj", "/O=Example/CN=signer", "-days", "1000"];
    openssl("", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "rsa.key", "-out", "rsa.pem", ...subject);
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    openssl("", "req", "-x509", ...curve, "-nodes", "-keyout", "ec.key", "-out", "ec.pem", ...subject);
  });

  function certificate(key: "rsa" | "ec", digest: string, signed = manifest): string {
    const signature = openssl(signed, "dgst", `-${digest}`, "-sign", `${key}.key`).toString("hex");
    const pem = readFileSync(join(folder, `${key}.pem`), "latin1");
    return `${digest.toUpperCase()}(vm.mf)= ${signature}\r\n${pem}${" ".repeat(5000)}`;
  }

  async function check(cert: string, mf: string | undefined = manifest) {
    const { ctx, found } = watching();
    await using opened = await openPackage({ kind: "path", path: await path(mf, { "vm.cert": cert }) }, ctx);
    return { report: await verifyCertificate(opened, ctx), codes: found.map(({ code }) => code) };
  }

  it.each([
    ["rsa", "sha1"],
    ["rsa", "sha256"],
    ["rsa", "sha512"],
    ["ec", "sha256"],
  ] as const)("accepts the signature: %s %s", async (key, digest) => {
    const { report, codes } = await check(certificate(key, digest));
    expect(report).toMatchObject({
      certificate: "vm.cert",
      subject: "O=Example\nCN=signer",
      issuer: "O=Example\nCN=signer",
      selfSigned: true,
      algorithm: digest.toUpperCase(),
    });
    expect((report?.validTo.getTime() ?? 0) - (report?.validFrom.getTime() ?? 0)).toBe(1000 * 86_400_000);
    expect(codes).toEqual([]);
  });

  it("refuses the signature of another manifest", async () => {
    const other = check(certificate("rsa", "sha256", "SHA1(vm.ovf)= 12"));
    await expect(other).rejects.toMatchObject({ code: "CERTIFICATE_SIGNATURE_MISMATCH", exitCode: 65 });
    await expect(other).rejects.toThrow('"O=Example, CN=signer"');
  });

  it.each([
    ["nothing", ""],
    ["no signature", "-----BEGIN CERTIFICATE-----"],
    ["no certificate", "SHA1(vm.mf)= 12"],
    ["an unknown digest", "SIZE(vm.mf)= 12"],
    ["garbage in the certificate", "SHA1(vm.mf)= 12\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
  ])("refuses a certificate file with %s", async (_title, cert) => {
    expect(await codeOf(check(cert))).toBe("CERTIFICATE_DAMAGED");
  });

  it("warns of a certificate that has nothing to sign, and says nothing where there is none", async () => {
    const { ctx } = watching();
    const file = await path(undefined, { "vm.cert": "x" });
    await using alone = await openPackage({ kind: "path", path: file }, ctx);
    expect(await verifyCertificate(alone, ctx)).toBeUndefined();
    expect((await check("", manifest).catch(() => ({ codes: [] }))).codes).toEqual([]);
    await using none = await openPackage({ kind: "path", path: await path(manifest) }, ctx);
    expect(await verifyCertificate(none, ctx)).toBeUndefined();
  });
});
