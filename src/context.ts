import type { Where } from "./errors.ts";

/** The part of a logger that the library uses; pino fits. Secrets never reach it. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What a conversion is doing. */
export type Stage = "read" | "verify" | "spool" | "layer" | "disk" | "push" | "finish";

/** `done` and `total` are bytes; `total` is undefined where it cannot be known yet. */
export interface ProgressEvent {
  readonly stage: Stage;
  readonly item: string;
  readonly done: number;
  readonly total: number | undefined;
}

/** A recoverable oddity of the input, or something that the output cannot carry. Same code space as errors. */
export interface Diagnostic {
  readonly code: string;
  readonly severity: "info" | "warning";
  readonly message: string;
  readonly where: Where;
  readonly advice?: string;
}

/** Upper bounds for what hostile input may ask for. Sizes are bytes. */
export interface Limits {
  /** Worker threads for compression; 0 works in the calling thread. */
  readonly threads: number;
  /** An OVF descriptor. */
  readonly descriptorBytes: number;
  /** One metadata table (grain directory, partition table, extent list...) held in memory. */
  readonly tableBytes: number;
  /** Entries of one file system or layer. */
  readonly entries: number;
  /** Nesting of directories, trees and chains. */
  readonly depth: number;
}

/** What every stage is handed. Library code knows the outside world only through this. */
export interface Context {
  readonly signal: AbortSignal;
  readonly log: Logger;
  /** SOURCE_DATE_EPOCH in seconds: newer times are clamped to it. */
  readonly epoch: number | undefined;
  readonly limits: Limits;
  /** Directory for spool files. */
  readonly tmp: string;
  progress(event: ProgressEvent): void;
  diagnostic(diagnostic: Diagnostic): void;
}

export const DEFAULT_LIMITS: Limits = {
  threads: 2,
  descriptorBytes: 8 << 20,
  tableBytes: 256 << 20,
  entries: 20_000_000,
  depth: 4096,
};

const SILENT: Logger = { debug() {}, info() {}, warn() {} };

/** A context that is quiet and never aborts, changed by `overrides`. `tmp` should be given by whoever may spool. */
export function createContext(overrides: Partial<Context> = {}): Context {
  return {
    signal: new AbortController().signal,
    log: SILENT,
    epoch: undefined,
    limits: DEFAULT_LIMITS,
    tmp: "/tmp",
    progress() {},
    diagnostic() {},
    ...overrides,
  };
}
