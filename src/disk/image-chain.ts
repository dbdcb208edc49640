import type { ByteSource } from "../bytes/byte-source.ts";
import { chainBroken, tablesTooLarge } from "./errors.ts";
import type { FormatContext, OpenContext, VirtualDisk } from "./virtual-disk.ts";

/** Each image of a chain has its own caches and open file, so that this bounds memory too. */
const MOST_IMAGES = 64;

/** Opens an image as `format`, or as what it shows. */
export type OpenImage = (source: ByteSource, ctx: FormatContext, format: string | undefined) => Promise<VirtualDisk>;

/** What the images of one chain share. */
interface Chain {
  readonly open: OpenContext;
  readonly openImage: OpenImage;
  readonly owned: AsyncDisposable[];
  readonly tables: { left: number };
}

/** One image of a chain. */
interface Link {
  /** The names that led here. */
  readonly names: readonly string[];
  readonly format: string | undefined;
  readonly wrapped: boolean;
}

/**
 * Opens a disk with all that it stands on, which shares the limits of `open`. What its formats leave to it goes away with the
 * disk, or at once where it does not open.
 */
export async function openChain(
  source: ByteSource,
  format: string | undefined,
  open: OpenContext,
  openImage: OpenImage,
): Promise<VirtualDisk> {
  const owned: AsyncDisposable[] = [];
  const chain = { open, openImage, owned, tables: { left: open.limits.tableBytes } };
  const dispose = async (): Promise<void> => {
    for (const resource of owned.splice(0)) await resource[Symbol.asyncDispose]();
  };
  try {
    const disk = await openImage(source, linkContext(chain, { names: [], format, wrapped: false }), format);
    return owned.length === 0 ? disk : { ...disk, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function linkContext(chain: Chain, link: Link): FormatContext {
  const { open, openImage, owned, tables } = chain;
  const { names, format, wrapped } = link;
  return {
    ...open,
    depth: names.length,
    wrapped,
    async openBase(child, name, declared) {
      if (names.includes(name) || names.length >= Math.min(MOST_IMAGES, open.limits.depth)) {
        throw chainBroken(child, name, names.length);
      }
      const next = linkContext(chain, { names: [...names, name], format: declared, wrapped: false });
      return await openImage(await open.resolve(name), next, declared);
    },
    openInner: async (inner) => await openImage(inner, linkContext(chain, { ...link, wrapped: true }), format),
    own: (resource) => void owned.push(resource),
    keepTable(file, bytes) {
      tables.left -= bytes;
      if (tables.left < 0) throw tablesTooLarge(file, bytes);
    },
  };
}
