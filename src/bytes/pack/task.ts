/** The plain bytes as one stream, coded. */
export interface StreamCoding {
  readonly coding: "gzip" | "identity";
  /** zlib's 1 to 9; ignored by `identity`. */
  readonly level: number;
}

/** The plain bytes in units of a fixed size, each coded for itself. */
export interface UnitCoding {
  /** `zlib` as RFC 1950, `deflate` as RFC 1951, `plain` not at all. */
  readonly coding: "zlib" | "deflate" | "plain";
  /** A power of two from 4 KiB to 1 MiB. */
  readonly unitBytes: number;
  /** zlib's 1 to 9; ignored by `plain`. */
  readonly level: number;
  /** Of deflate's window, 9 to 15; 15 if absent. */
  readonly windowBits?: number;
}

export type PackCoding = StreamCoding | UnitCoding;

/** One operation of a task is STRIDE numbers, indexed by FIELD. */
export const STRIDE = 7;
export const FIELD = { kind: 0, length: 1, fd: 2, offset: 3, storedLength: 4, size: 5, skip: 6 } as const;
export const KIND = { literal: 0, zero: 1, stored: 2, zlib: 3 } as const;

/** Plain bytes of one task, and the room for them: the largest stored unit that is kept whole is a quarter of it. */
export const TASK_BYTES = 1 << 20;
export const UNIT_BYTES = TASK_BYTES / 4;
export const PLAIN_ROOM = TASK_BYTES + UNIT_BYTES;
/** Deflate makes incompressible data at most 5 bytes in 16 KiB longer; the rest is for members' frames. */
export const CODED_ROOM = PLAIN_ROOM + PLAIN_ROOM / 16;
export const SLOT_BYTES = PLAIN_ROOM + CODED_ROOM;

export interface TaskDone {
  /** Bytes in the slot's plain and coded parts; with `identity` the plain part is the result. */
  readonly plain: number;
  readonly coded: number;
  /** Plain bytes whose stored coding went out as it was. */
  readonly reused: number;
  /**
   * With a coding of units, one number for each of them in order: how many bytes it takes in the slot's coded part, or how it
   * stands otherwise.
   */
  readonly units?: Int32Array;
}

/** A unit that takes no bytes of the coded part: it is all zeros, or stands in the plain part as it is. */
export const UNIT = { zeros: 0, plain: -1 } as const;

/** What went wrong in a task: `operation` tells where in the task. */
export interface TaskFailure {
  readonly operation: number;
  readonly kind: "damaged" | "truncated" | "input-output";
  readonly detail: string;
}

/** What runs tasks, one instance for each thread. */
export interface Job {
  /** Never throws for bad input: a failure is a value, since it crosses threads. */
  run(slot: number, operations: Float64Array, literals: Uint8Array): TaskDone | TaskFailure;
}
