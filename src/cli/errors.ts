import { ConverterError, NotFoundError, UsageError } from "../errors.ts";

/** What the command line knows of a failure, whatever was thrown. */
export interface Failure {
  readonly code: string;
  readonly exit: number;
  readonly message: string;
  readonly hint?: string;
  /** Whether the same command may well succeed later. */
  readonly retryable: boolean;
}

const RETRYABLE: readonly number[] = [74, 75];

export function describeFailure(cause: unknown): Failure {
  if (cause instanceof ConverterError) {
    const { code, exitCode: exit, message, advice } = cause;
    const failure = { code, exit, message, retryable: RETRYABLE.includes(exit) };
    return advice === undefined ? failure : { ...failure, hint: advice };
  }
  if (cause instanceof Interrupted) {
    return { code: "INTERRUPTED", exit: cause.exitCode, message: cause.message, retryable: true };
  }
  const message = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  return {
    code: "INTERNAL",
    exit: 1,
    message: `this is a fault of transload: ${message}`,
    hint: "please report it with the command and the lines above",
    retryable: false,
  };
}

/** The reason of an abort by a signal. */
export class Interrupted extends Error {
  readonly exitCode: number;

  constructor(signal: "SIGINT" | "SIGTERM") {
    super(`stopped by ${signal}, nothing was left behind`);
    this.exitCode = signal === "SIGINT" ? 130 : 143;
  }
}

export function commandLine(message: string): UsageError {
  return new UsageError("USAGE", message, { advice: "transload --help tells more" });
}

export function optionValue(option: string, value: unknown, expected: string): UsageError {
  return new UsageError("USAGE_OPTION", `--${option} takes ${expected}, not ${JSON.stringify(value)}`);
}

export function configFile(file: string, why: string): UsageError {
  return new UsageError("USAGE_CONFIG", why, { where: { file } });
}

export function noSuchPath(path: string, source: string): NotFoundError {
  return new NotFoundError("GUEST_PATH_MISSING", `${JSON.stringify(path)} does not exist in there`, {
    where: { file: source },
  });
}

export function notAFile(path: string, type: string): UsageError {
  return new UsageError("GUEST_PATH_TYPE", `${JSON.stringify(path)} is a ${type}, not a file`, {
    advice: "transload ls lists directories",
  });
}
