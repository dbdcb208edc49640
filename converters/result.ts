import type { Digest } from "../src/bytes/digest.ts";
import type { Execution } from "../src/oci/image-config.ts";
import type { GuestReport } from "./guest/report.ts";

/** One conversion as a machine reads it: `transload.result/v1`, printed by `--json` and one line of a batch report. */
export interface ConversionResult {
  readonly schema: "transload.result/v1";
  readonly status: "ok" | "skipped" | "failed";
  readonly source: SourceFacts;
  readonly target?: TargetFacts;
  readonly config?: Execution;
  readonly excluded?: GuestReport["excluded"];
  readonly secrets?: GuestReport["secrets"];
  readonly replaced?: GuestReport["replaced"];
  /** The text that `--emit` asked for. */
  readonly emitted?: string;
  readonly warnings: readonly ResultWarning[];
  readonly stats?: ResultStats;
  readonly error?: ResultError;
}

export interface SourceFacts {
  readonly ref: string;
  /** Bytes of the package. */
  readonly size?: number;
  readonly kind?: string;
  readonly vm?: string;
  readonly os?: { readonly id: string; readonly version?: string };
  readonly firmware?: string;
  readonly disks?: readonly {
    readonly file: string;
    readonly format: string;
    readonly capacity: number;
    readonly used?: number;
  }[];
}

export interface TargetFacts {
  readonly ref: string;
  /** The form of the image, on whichever side it is; an image that is only copied has any. */
  readonly mode: "container" | "disk" | "package" | "copy";
  /** Of the manifest; a machine has none. */
  readonly digest?: Digest;
  readonly mediaType?: string;
  /** Bytes of the manifest and of all that it refers to; of a machine the bytes of its files. */
  readonly size: number;
  readonly layers?: readonly { readonly digest: Digest; readonly size: number; readonly kind: string }[];
  readonly platform?: string;
}

export interface ResultWarning {
  readonly code: string;
  readonly path?: string;
  readonly message: string;
  readonly fix?: string;
}

/** Milliseconds and bytes. */
export interface ResultStats {
  readonly wallMs: number;
  readonly bytesRead?: number;
  readonly bytesWritten: number;
  /** Plain bytes whose compression was taken over from the source. */
  readonly bytesReused: number;
  /** Written to the temporary directory. */
  readonly tempBytes: number;
}

export interface ResultError {
  readonly code: string;
  readonly exit: number;
  readonly message: string;
  readonly hint?: string;
  readonly retryable: boolean;
}
