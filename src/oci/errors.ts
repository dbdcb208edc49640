import { CorruptError, UnsupportedError } from "../errors.ts";

export function contentLength(path: string, expected: number, found: number | undefined): CorruptError {
  return new CorruptError(
    "LAYER_CONTENT_LENGTH",
    `the content has ${found ?? "no"} bytes where ${expected} are expected`,
    {
      where: { path },
    },
  );
}

export function entryNotExpressible(path: string, reason: string): UnsupportedError {
  return new UnsupportedError("LAYER_ENTRY_NOT_EXPRESSIBLE", `no image layer can hold this: ${reason}`, {
    where: { path },
    advice: "leave it out with --exclude",
  });
}
