import { read, write } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { InputOutputError } from "../errors.ts";

const STDIN = 0;
const STDOUT = 1;
const PIECE = 256 << 10;
/** A pipe that another program made non-blocking is asked again after this time. */
const RETRY_MS = 5;

const readAsync = promisify(read);
const writeAsync = promisify(write);

/** Standard input, to its end. Throws InputOutputError FILE_INPUT_OUTPUT. */
export async function* standardInput(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  for (;;) {
    const buffer = Buffer.allocUnsafe(PIECE);
    const { bytesRead } = await retried("standard input", signal, () => readAsync(STDIN, buffer, 0, PIECE, null));
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Writes all of `bytes` to an open file that cannot seek. */
export async function writeThrough(bytes: Uint8Array, signal: AbortSignal, fd: number = STDOUT): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const from = at;
    const { bytesWritten } = await retried("the output", signal, () => {
      return writeAsync(fd, bytes, from, bytes.length - from, null);
    });
    at += bytesWritten;
  }
}

async function retried<T>(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (cause) {
      const errno = (cause as NodeJS.ErrnoException).code;
      if (errno !== "EAGAIN") {
        throw new InputOutputError("FILE_INPUT_OUTPUT", `${errno ?? "unknown"} from the operating system`, {
          where: { file: name },
          cause,
        });
      }
      await delay(RETRY_MS);
    }
  }
}
