import type { ByteSource } from "../bytes/byte-source.ts";
import { chainBroken, tablesTooLarge } from "./errors.ts";
import type { FormatContext, OpenContext, VirtualDisk } from "./virtual-disk.ts";

/** Each image of a chain has its own caches and open file, so that this bounds memory too. */
const MOST_IMAGES = 64;

/** Opens an image as `format`, or as what it shows. */
export type OpenImage = (source: ByteSource, ctx: FormatContext, format: string | undefined) => Promise<VirtualDisk>;

interface Chain {
  /** The names that led here. */
  readonly names: readonly string[];
  readonly tables: { left: number };
}

/** The context of a disk; those of its parents come from it and share its limits. */
export function formatContext(open: OpenContext, openImage: OpenImage): FormatContext {
  return linked(open, openImage, { names: [], tables: { left: open.limits.tableBytes } });
}

function linked(open: OpenContext, openImage: OpenImage, { names, tables }: Chain): FormatContext {
  const most = Math.min(MOST_IMAGES, open.limits.depth);
  const next = (child: string, name: string): FormatContext => {
    if (names.includes(name) || names.length >= most) throw chainBroken(child, name, names.length);
    return linked(open, openImage, { names: [...names, name], tables });
  };
  return {
    ...open,
    depth: names.length,
    async openBase(child, name, format) {
      const ctx = next(child, name);
      return await openImage(await open.resolve(name), ctx, format);
    },
    openInner: async (wrapping, inner) => await openImage(inner, next(wrapping, `inside ${wrapping}`), undefined),
    keepTable(file, bytes) {
      tables.left -= bytes;
      if (tables.left < 0) throw tablesTooLarge(file, bytes);
    },
  };
}
