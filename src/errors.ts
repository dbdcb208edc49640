/** Where in the input something was found. `offset` is in bytes from the start of `file`; `path` lies inside a guest or a layer. */
export interface Where {
  readonly file?: string;
  readonly offset?: number;
  readonly path?: string;
}

export interface ErrorDetails {
  readonly where?: Where;
  /** One sentence that the user can act on. */
  readonly advice?: string;
  readonly cause?: unknown;
}

/** `"disk1.vmdk" at 0x1c00`, or an empty string when nothing is known. */
export function describeWhere(where: Where | undefined): string {
  if (where === undefined) return "";
  const parts: string[] = [];
  if (where.path !== undefined) parts.push(JSON.stringify(where.path));
  if (where.file !== undefined) parts.push(where.path === undefined ? where.file : `in ${where.file}`);
  if (where.offset !== undefined) parts.push(`at 0x${where.offset.toString(16)}`);
  return parts.join(" ");
}

/**
 * The root of everything that transload throws on purpose. `code` is stable and never reused; `exitCode` is what the
 * command line ends with, so that a scheduler can decide whether to try again.
 */
export abstract class ConverterError extends Error {
  abstract readonly exitCode: number;
  readonly code: string;
  readonly where: Where | undefined;
  readonly advice: string | undefined;

  constructor(code: string, sentence: string, details: ErrorDetails = {}) {
    const place = describeWhere(details.where);
    super(place === "" ? sentence : `${sentence}, ${place}`, { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.where = details.where;
    this.advice = details.advice;
  }
}

/** The command line or the options are wrong. */
export class UsageError extends ConverterError {
  override readonly exitCode = 2;
}

/** The input is damaged or lies about itself: never worth a retry. */
export class CorruptError extends ConverterError {
  override readonly exitCode = 65;
}

/** The input, or a part of it that was asked for, does not exist. */
export class NotFoundError extends ConverterError {
  override readonly exitCode = 66;
}

/** The input is valid, but transload cannot convert it. */
export class UnsupportedError extends ConverterError {
  override readonly exitCode = 69;
}

/** The output exists already or cannot be written as asked. */
export class OutputError extends ConverterError {
  override readonly exitCode = 73;
}

/** Reading or writing failed, out of space included. */
export class InputOutputError extends ConverterError {
  override readonly exitCode = 74;
}

/** A passing fault of another system: try again later. */
export class TemporaryError extends ConverterError {
  override readonly exitCode = 75;
}

/** Credentials are missing, wrong or not enough. */
export class AuthorisationError extends ConverterError {
  override readonly exitCode = 77;
}
