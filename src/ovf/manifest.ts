import { displayPath } from "../bytes/byte-path.ts";
import { readAll } from "../bytes/byte-source.ts";
import type { Context } from "../context.ts";
import { Digester } from "./digester.ts";
import type { Member, Package } from "./package.ts";
import { digestMismatch } from "./package-errors.ts";

/** An algorithm by node:crypto's name. */
export type ManifestAlgorithm = "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512";

/** `SHA256(disk1.vmdk)= 0f1e...`: a line of a manifest, or the first one of a certificate file. */
export interface ManifestLine {
  /** Undefined for an algorithm that is not known. */
  readonly algorithm: ManifestAlgorithm | undefined;
  /** As written. */
  readonly algorithmText: string;
  /** The file name as written. */
  readonly name: string;
  /** Hex digits in lower case. */
  readonly value: string;
  /** From 1. */
  readonly lineNumber: number;
}

/** What a manifest vouches for. Names are as the package spells them, for people. */
export interface ManifestReport {
  /** Undefined if the package has none. */
  readonly manifest: string | undefined;
  readonly verified: readonly {
    readonly name: string;
    readonly algorithm: ManifestAlgorithm;
    readonly digest: string;
    readonly size: number;
  }[];
  /** Files that belong to the package, but are in no line. */
  readonly unlisted: readonly string[];
  /** Lines for files that the package does not hold. */
  readonly extra: readonly string[];
}

/** OpenSSL 3 writes SHA2-256, Oracle SHA-256. */
const ALGORITHMS: ReadonlyMap<string, ManifestAlgorithm> = new Map([
  ["MD5", "md5"],
  ["SHA1", "sha1"],
  ["SHA224", "sha224"],
  ["SHA256", "sha256"],
  ["SHA384", "sha384"],
  ["SHA512", "sha512"],
]);

function algorithmOf(text: string): ManifestAlgorithm | undefined {
  const plain = text.toUpperCase().replace(/^SHA2-(?=[0-9]{3}$)/, "SHA");
  return ALGORITHMS.get(plain.replace(/^SHA-/, "SHA"));
}

/** One line in any spelling that producers use; undefined if it is no such line. Takes time in proportion to its length. */
export function parseManifestLine(text: string, lineNumber: number): ManifestLine | undefined {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const rest = text.slice(close + 1).trim();
  const algorithmText = text.slice(0, Math.max(0, open)).trim();
  const value = rest.slice(1).trim().toLowerCase();
  if (!/^[A-Za-z0-9-]+$/.test(algorithmText) || close <= open + 1) return undefined;
  if (!rest.startsWith("=") || !/^[0-9a-f]+$/.test(value)) return undefined;
  const name = text.slice(open + 1, close);
  return { algorithm: algorithmOf(algorithmText), algorithmText, name, value, lineNumber };
}

/**
 * The lines of a manifest. Blank ones, CRLF and padding are fine, an empty manifest too; a line that is none and an unknown
 * algorithm are warnings.
 */
export function parseManifest(bytes: Uint8Array, file: string, ctx: Context): readonly ManifestLine[] {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    .toString("utf8")
    .replace(/^\ufeff/, "");
  const lines: ManifestLine[] = [];
  for (const [index, raw] of text.split(/\r?\n|\r/).entries()) {
    const trimmed = raw.replaceAll("\0", "").trim();
    if (trimmed === "") continue;
    const line = parseManifestLine(trimmed, index + 1);
    if (line?.algorithm === undefined) {
      const what = line === undefined ? "is not understood" : `has the unknown algorithm ${line.algorithmText}`;
      warn(ctx, "MANIFEST_LINE", `line ${index + 1} of the manifest ${what}`, file);
    }
    if (line !== undefined) lines.push(line);
  }
  return lines;
}

function warn(ctx: Context, code: string, message: string, file: string): void {
  ctx.diagnostic({ code, severity: "warning", message, where: { file } });
}

/**
 * Checks every file that the manifest lists, in a thread of its own: call it without waiting, and a conversion overlaps with
 * it. What the manifest lacks (the descriptor excepted, which ovftool 4.0 leaves out) and what it lists too much are warnings.
 * The package must stay open meanwhile. Throws CorruptError MANIFEST_DIGEST_MISMATCH.
 */
export async function verifyManifest(opened: Package, ctx: Context): Promise<ManifestReport> {
  const { manifest } = opened;
  if (manifest === undefined) return { manifest: undefined, verified: [], unlisted: [], extra: [] };
  const source = await opened.openMember(manifest);
  const lines = parseManifest(await readAll(source, ctx.limits.descriptorBytes), source.name, ctx);
  const listed = new Set<string>();
  const verified: ManifestReport["verified"][number][] = [];
  const extra: string[] = [];
  await using digester = new Digester(ctx);
  for (const line of lines) {
    const member = memberOfLine(opened, line);
    if (member === undefined) extra.push(line.name);
    if (member === undefined || line.algorithm === undefined) continue;
    listed.add(member.name);
    if (member.role === "manifest") {
      warn(ctx, "MANIFEST_LISTS_ITSELF", "the manifest lists itself, which cannot be checked", source.name);
      continue;
    }
    const name = displayPath(member.name);
    const digest = await digester.digest(await opened.openMember(member), line.algorithm, name);
    if (digest !== line.value)
      throw digestMismatch(name, line.algorithmText, line.value, digest, { file: source.name });
    verified.push({ name, algorithm: line.algorithm, digest, size: member.size });
  }
  const unlisted = opened.members.filter((member) => isCovered(member) && !listed.has(member.name));
  const report = { manifest: displayPath(manifest.name), verified, unlisted: unlisted.map(nameOf), extra };
  tellGaps(report, source.name, ctx);
  return report;
}

/** Names with parentheses or blanks at their ends are names too, so it is tried as written first. */
function memberOfLine(opened: Package, line: ManifestLine): Member | undefined {
  return opened.find(line.name) ?? opened.find(line.name.trim());
}

const nameOf = (member: Member): string => displayPath(member.name);

/** What a manifest should list. */
function isCovered({ role }: Member): boolean {
  return role === "disk" || role === "iso" || role === "nvram" || role === "message-bundle";
}

function tellGaps({ verified, unlisted, extra }: ManifestReport, file: string, ctx: Context): void {
  for (const name of unlisted) {
    warn(ctx, "MANIFEST_UNLISTED", `${JSON.stringify(name)} is not in the manifest and was not checked`, file);
  }
  for (const name of extra) {
    warn(ctx, "MANIFEST_EXTRA", `the manifest lists ${JSON.stringify(name)}, which the package does not hold`, file);
  }
  if (verified.some(({ algorithm }) => algorithm === "md5")) {
    warn(ctx, "MANIFEST_WEAK", "the manifest uses MD5, which does not stop anybody from changing files", file);
  }
}
