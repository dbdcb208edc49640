import type { ByteSource } from "../../src/bytes/byte-source.ts";
import type { Context } from "../../src/context.ts";
import type { FilesOptions } from "../files.ts";
import { openDisksAt } from "./sides.ts";

/** How two disks in the same place differ. Sizes and offsets in bytes. */
export interface DiskDifference {
  /** As Linux calls it. */
  readonly device: string;
  /** Undefined where that side has no such disk. */
  readonly sizeA: number | undefined;
  readonly sizeB: number | undefined;
  /** Of what both have; undefined where that is the same. */
  readonly firstOffset: number | undefined;
  /** Bytes in 4 KiB blocks that differ. */
  readonly differing: number;
}

export interface DiskDiffSummary {
  readonly same: number;
  readonly different: number;
}

const PIECE = 1 << 20;
const BLOCK = 4096;

/**
 * Compares what the disks of two machines hold, byte by byte, in the order of the disks; what neither side stores is not read. An
 * image of a disk counts as a machine with that disk, one of a package as its machine. Throws UsageError DIFF_NO_DISK for other images.
 */
export async function diffDisks(
  a: string,
  b: string,
  options: FilesOptions,
  report: (difference: DiskDifference) => void | Promise<void>,
  ctx: Context,
): Promise<DiskDiffSummary> {
  await using left = await openDisksAt(a, options, ctx);
  await using right = await openDisksAt(b, options, ctx);
  const counts = { same: 0, different: 0 };
  const most = Math.max(left.stack.disks.length, right.stack.disks.length);
  for (let index = 0; index < most; index++) {
    const one = left.stack.disks[index];
    const other = right.stack.disks[index];
    const found =
      one && other ? await compare(one.source, other.source, ctx) : { firstOffset: undefined, differing: 0 };
    const [sizeA, sizeB] = [one?.source.size, other?.source.size];
    if (sizeA === sizeB && found.firstOffset === undefined) counts.same++;
    else {
      counts.different++;
      await report({ device: (one ?? other)?.device ?? "", sizeA, sizeB, ...found });
    }
  }
  return counts;
}

async function compare(
  a: ByteSource,
  b: ByteSource,
  ctx: Context,
): Promise<Pick<DiskDifference, "firstOffset" | "differing">> {
  const size = Math.min(a.size, b.size);
  let firstOffset: number | undefined;
  let differing = 0;
  for (let at = 0; at < size; ) {
    ctx.signal.throwIfAborted();
    const one = await a.extentAt(at, size - at);
    const other = await b.extentAt(at, size - at);
    const common = Math.min(one.length, other.length);
    const areZeros = one.kind === "zero" && other.kind === "zero";
    const length = areZeros ? common : Math.min(PIECE, size - at);
    if (!areZeros) {
      const [bytesA, bytesB] = [await a.read(at, length), await b.read(at, length)];
      if (Buffer.compare(bytesA, bytesB) !== 0) {
        firstOffset ??= at + firstDifference(bytesA, bytesB);
        differing += differingBytes(bytesA, bytesB);
      }
    }
    at += length;
    ctx.progress({ stage: "read", item: a.name, done: at, total: size });
  }
  return { firstOffset, differing };
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  let at = 0;
  while (a[at] === b[at]) at++;
  return at;
}

function differingBytes(a: Uint8Array, b: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < a.length; at += BLOCK) {
    const end = Math.min(a.length, at + BLOCK);
    if (Buffer.compare(a.subarray(at, end), b.subarray(at, end)) !== 0) sum += end - at;
  }
  return sum;
}
