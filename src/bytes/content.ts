import { type ByteSource, extents } from "./byte-source.ts";

/** A part of some content, in order: bytes at hand, zeros, or a range of a source. */
export type Piece =
  | { readonly bytes: Uint8Array }
  | { readonly zeros: number }
  | { readonly source: ByteSource; readonly offset: number; readonly length: number };

/** A stretch of content of one kind. */
export interface Run {
  /** Bytes. */
  readonly length: number;
  readonly kind: "data" | "zero";
}

/**
 * Content of a known size that is read from its beginning to its end: all that a writer needs, and what a stream of layers can
 * give. A source is one by `contentOf`.
 */
export interface Content {
  /** For messages and progress. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Which runs hold data, from metadata alone: writers lay out their tables before the first byte. Covers the content. */
  runs(): AsyncIterable<Run>;
  /** The bytes, in order. Where `runs` says zero there are only zeros; data may turn out to be zeros. */
  pieces(): AsyncIterable<Piece>;
}

/** A source as content; its holes are runs of zeros. */
export function contentOf(source: ByteSource): Content {
  return {
    name: source.name,
    size: source.size,
    async *runs() {
      for await (const { length, kind } of extents(source)) yield { length, kind };
    },
    async *pieces() {
      if (source.size > 0) yield { source, offset: 0, length: source.size };
    },
  };
}

/** Bytes that replace what was written at an offset of the output, once all else is known. */
export interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * An output as it is written: its bytes in order, each chunk valid until the next is asked for, and at the end the patches to
 * them. A format that needs none can go into a pipe; others go into a file, or into a spool first.
 */
export type Writing = AsyncGenerator<Uint8Array, readonly Patch[], void>;

/** Contents one after another. */
export function joinContents(name: string, parts: readonly Content[]): Content {
  return {
    name,
    size: parts.reduce((sum, { size }) => sum + size, 0),
    async *runs() {
      for (const part of parts) yield* part.runs();
    },
    async *pieces() {
      for (const part of parts) yield* part.pieces();
    },
  };
}
