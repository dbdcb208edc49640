import { createHash } from "node:crypto";
import { allPlaces, type Content, openStack } from "../../converters/machine/stack.ts";
import { type ByteSource, chunks } from "../../src/bytes/byte-source.ts";

import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { openImage } from "../disk/images.ts";
import { listingDigest } from "./listing-digest.ts";

/**
 * What becomes of an image from its container down to the last byte of its files, in one line: the container's format with
 * a digest of the disk, then every place with a digest of its listing, each or an error's code.
 */
export async function imageOutcome(path: string): Promise<string> {
  try {
    const { disk } = await openImage(path);
    const parts = disk.format === "raw" ? [] : [`${disk.format} ${disk.size} ${await diskDigest(disk)}`];
    await using stack = await openStack([disk], createContext());
    for (const { device, content } of allPlaces(stack)) parts.push(`${device} ${await contentOutcome(content)}`);
    return parts.join("; ");
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}

async function contentOutcome(content: Content): Promise<string> {
  switch (content.kind) {
    case "file-system":
      return `${content.type} ${await listingOutcome(content)}`;
    case "volumes":
      return content.system.scheme;
    case "member":
      return `in ${content.scheme}`;
    case "recognised":
      return content.recognised.name;
    case "damaged":
      return content.error.code;
    default:
      return content.kind;
  }
}

async function listingOutcome({ fileSystem }: Extract<Content, { kind: "file-system" }>): Promise<string> {
  try {
    return await listingDigest(fileSystem);
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}

const STEP = 1 << 20;

/** A digest of the mebibytes that are not all zeros and of their numbers: the same however the disk is stored. */
export async function diskDigest(disk: ByteSource): Promise<string> {
  const hash = createHash("sha256");
  const part = Buffer.alloc(STEP);
  let number = -1;
  const flush = (length: number): void => {
    const bytes = part.subarray(0, length);
    if (number >= 0 && !bytes.every((byte) => byte === 0)) hash.update(`${number}\n`).update(bytes);
  };
  let at = 0;
  for await (const chunk of chunks(disk)) {
    const length = chunk.kind === "data" ? chunk.bytes.length : chunk.length;
    for (let done = 0; done < length; ) {
      const next = Math.floor((at + done) / STEP);
      if (next !== number) {
        flush(STEP);
        part.fill(0);
        number = next;
      }
      const inside = (at + done) % STEP;
      const step = chunk.kind === "zero" && inside === 0 ? length - done : Math.min(length - done, STEP - inside);
      if (chunk.kind === "data") part.set(chunk.bytes.subarray(done, done + step), inside);
      done += step;
    }
    at += length;
  }
  flush(Math.min(STEP, disk.size - number * STEP));
  return hash.digest("hex").slice(0, 16);
}
