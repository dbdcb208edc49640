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

/** Name and password for a registry. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** How the registry at one end of a conversion is reached. */
export interface RegistryAccess {
  /** These come before those of any file, and go to the registry of the reference only. */
  readonly credentials?: Credentials;
  /**
   * False takes any certificate, and plain http where there is no TLS. True insists on TLS also on this machine itself, where
   * plain http is taken otherwise.
   */
  readonly tlsVerify?: boolean;
}

/** What registry clients know of the machine that they run on. */
export interface Registries {
  /** HOME, PATH, REGISTRY_AUTH_FILE, DOCKER_CONFIG, XDG_RUNTIME_DIR, SSL_CERT_FILE, HTTPS_PROXY and their like. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The only credential file to look into. */
  readonly authFile?: string;
  readonly source?: RegistryAccess;
  readonly destination?: RegistryAccess;
  /** How often what failed for a passing reason is tried again. */
  readonly retries: number;
  /** Milliseconds before the first retry; doubled for each further one. */
  readonly backoff: number;
  /** Milliseconds without a sign of life after which a connection counts as lost. */
  readonly stall: number;
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
  readonly registries: Registries;
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

/** Anonymous, with the certificates and the configuration of the machine; a program hands over its environment for more. */
export const DEFAULT_REGISTRIES: Registries = { environment: {}, retries: 5, backoff: 1000, stall: 120_000 };

const SILENT: Logger = { debug() {}, info() {}, warn() {} };

/** A context that is quiet and never aborts, changed by `overrides`. `tmp` should be given by whoever may spool. */
export function createContext(overrides: Partial<Context> = {}): Context {
  return {
    signal: new AbortController().signal,
    log: SILENT,
    epoch: undefined,
    limits: DEFAULT_LIMITS,
    tmp: "/tmp",
    registries: DEFAULT_REGISTRIES,
    progress() {},
    diagnostic() {},
    ...overrides,
  };
}
