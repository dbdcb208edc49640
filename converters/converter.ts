import type { Context } from "../src/context.ts";

/** Something that the output will not have, with the reason: losses are data, not log lines. */
export interface Omission {
  /** The rule that drops it: "kernel", "package-cache", "secrets"... */
  readonly rule: string;
  readonly reason: string;
  readonly entries: number;
  /** Bytes of file content. */
  readonly bytes: number;
}

/** What a conversion will do, known from metadata alone. `--dry-run` prints it. */
export interface Plan {
  readonly source: string;
  /** One line for each part of the input that is used, in order. */
  readonly uses: readonly string[];
  readonly omissions: readonly Omission[];
}

/**
 * A conversion in two phases. The plan borrows the input, which stays open until after `run`. `run` writes to the output and
 * commits it only when everything, the input's digests included, has proved right.
 */
export interface Converter<Input, Options, P extends Plan, Output, Result> {
  readonly name: string;
  plan(input: Input, options: Options, ctx: Context): Promise<P>;
  run(plan: P, output: Output, ctx: Context): Promise<Result>;
}
