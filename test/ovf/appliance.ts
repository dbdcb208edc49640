import { writeTar } from "../../src/archive/tar.ts";
import type { Context, Diagnostic } from "../../src/context.ts";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";

/** A File element of a descriptor made for a test. */
export interface TestFile {
  readonly href: string;
  /** More attributes, as XML. */
  readonly more?: string;
}

/** A descriptor with one disk for each file. */
export function descriptor(...files: readonly TestFile[]): string {
  const references = files.map(
    ({ href, more = "" }, index) => `<File ovf:id="file${index}" ovf:href="${href}" ${more}/>`,
  );
  const disks = files.map(
    (_file, index) => `<Disk ovf:diskId="d${index}" ovf:fileRef="file${index}" ovf:capacity="1048576"/>`,
  );
  return `<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1">
  <References>${references.join("")}</References>
  <DiskSection><Info>disks</Info>${disks.join("")}</DiskSection>
  <VirtualSystem ovf:id="vm"><Info>a machine</Info></VirtualSystem>
</Envelope>`;
}

/** Members by name, in order, as an archive. */
export async function tarOf(members: Readonly<Record<string, string | Uint8Array>>): Promise<Buffer> {
  const files = Object.entries(members).map(([name, content]) => {
    const bytes = Buffer.from(content as string);
    return { name, size: bytes.length, content: [bytes] };
  });
  const parts: Uint8Array[] = [];
  for await (const part of writeTar(files)) parts.push(part);
  return Buffer.concat(parts);
}

/** The content in pieces of `step` bytes, as a pipe would give it. */
export async function* streamed(content: Uint8Array, step = 1000): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < content.length; at += step) yield content.subarray(at, at + step);
}

/** A context that remembers its diagnostics. */
export function watching(overrides: Partial<Context> = {}): { readonly ctx: Context; readonly found: Diagnostic[] } {
  const found: Diagnostic[] = [];
  return { ctx: createContext({ diagnostic: (diagnostic) => found.push(diagnostic), ...overrides }), found };
}

/** The code of the ConverterError that `work` ends with, or "none". Other errors pass. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "none";
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}
