import type { BytePath } from "../../bytes/byte-path.ts";
import { bytePath } from "../../bytes/byte-path.ts";
import { LittleEndianView } from "../../bytes/view.ts";
import { utf16Path } from "../utf16.ts";

const TAG = {
  MOUNT_POINT: 0xa0000003,
  SYMLINK: 0xa000000c,
  /** Of the Windows Subsystem for Linux. */
  LX_SYMLINK: 0xa000001d,
  WOF: 0x80000017,
  DEDUPLICATED: 0x80000013,
  CLOUD: 0x9000001a,
} as const;
/** Sixteen tags of cloud storage differ in these bits. */
const CLOUD_VARIANT = 0x0000f000;
const RELATIVE = 0x1;
/** Windows allows no more. */
export const LARGEST_REPARSE_POINT = 16 << 10;

/** What a reparse point makes of a file or directory. */
export type Reparse =
  | { readonly kind: "symlink"; readonly target: BytePath }
  /** It is what it is, and its content where it would be without. */
  | { readonly kind: "cloud" }
  /** `what` completes "the file is ...". */
  | { readonly kind: "other"; readonly what: string };

/** A reparse point's header, and that of the links among them. */
class ReparsePoint extends LittleEndianView {
  static readonly HEADER = 0x08;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, bytes.length);
  }
  get tag(): number {
    return this.u32(0x00);
  }
  get targetOffset(): number {
    return this.u16(0x08);
  }
  get targetLength(): number {
    return this.u16(0x0a);
  }
  /** Only of symlinks. */
  get isRelative(): boolean {
    return (this.u32(0x10) & RELATIVE) !== 0;
  }
}

/** `path` is where it stands: absolute targets are given as seen from there. */
export function readReparsePoint(bytes: Uint8Array, path: BytePath): Reparse {
  if (bytes.length < ReparsePoint.HEADER) return { kind: "other", what: "a damaged reparse point" };
  const point = new ReparsePoint(bytes);
  switch (point.tag) {
    case TAG.SYMLINK:
      return link(bytes, 0x14, point, path);
    case TAG.MOUNT_POINT:
      return link(bytes, 0x10, point, path);
    case TAG.LX_SYMLINK: {
      const target = bytePath(bytes.subarray(0x0c));
      return isTarget(target) ? { kind: "symlink", target } : { kind: "other", what: "a damaged symlink of WSL" };
    }
    case TAG.WOF:
      return { kind: "other", what: "compressed by Windows itself (CompactOS)" };
    case TAG.DEDUPLICATED:
      return { kind: "other", what: "deduplicated" };
    default: {
      const isCloud = (point.tag & ~CLOUD_VARIANT) >>> 0 === TAG.CLOUD;
      return isCloud
        ? { kind: "cloud" }
        : { kind: "other", what: `a reparse point of tag 0x${point.tag.toString(16)}` };
    }
  }
}

function link(bytes: Uint8Array, pathBuffer: number, point: ReparsePoint, path: BytePath): Reparse {
  const damaged = { kind: "other", what: "a damaged link" } as const;
  if (bytes.length < pathBuffer) return damaged;
  const start = pathBuffer + point.targetOffset;
  if (start + point.targetLength > bytes.length) return damaged;
  const stored = utf16Path(bytes.subarray(start, start + point.targetLength));
  const isRelative = point.tag === TAG.SYMLINK && point.isRelative;
  const target = isRelative ? relativeTarget(stored, path) : absoluteTarget(stored, path);
  if (target === undefined) return { kind: "other", what: `a link out of the volume, to ${JSON.stringify(stored)}` };
  return isTarget(target) ? { kind: "symlink", target } : damaged;
}

function isTarget(target: BytePath): boolean {
  return target !== "" && !target.includes("\0");
}

/** One that begins with a backslash begins at the root of its own volume. */
function relativeTarget(stored: BytePath, path: BytePath): BytePath {
  return stored.startsWith("\\") ? fromRoot(stored, path) : stored.replaceAll("\\", "/");
}

/**
 * A volume does not know its own letter, so any drive's letter is taken for this volume. Undefined for another computer, or a
 * volume by its number.
 */
function absoluteTarget(stored: BytePath, path: BytePath): BytePath | undefined {
  const [, rest] = /^(?:\\(?:\?\?|\\\?|\\\.)\\)?[A-Za-z]:(|\\.*)$/s.exec(stored) ?? [];
  return rest === undefined ? undefined : fromRoot(rest, path);
}

/** Relative, so that it holds wherever the volume is mounted. */
function fromRoot(stored: BytePath, path: BytePath): BytePath {
  const up = path.split("/").length - 1;
  const names = stored.split("\\").filter((name) => name !== "");
  return [...Array<string>(up).fill(".."), ...names].join("/") || ".";
}
