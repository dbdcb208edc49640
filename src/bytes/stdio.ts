import { createReadStream, fstatSync, write } from "node:fs";
import { Socket } from "node:net";
import { addAbortSignal } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { InputOutputError } from "../errors.ts";

const STDIN = 0;
const STDOUT = 1;
const PIECE = 256 << 10;
/** A pipe that another program made non-blocking is asked again after this time. */
const RETRY_MS = 5;

const writeAsync = promisify(write);

/** Standard input, to its end. Throws InputOutputError FILE_INPUT_OUTPUT. */
export async function* standardInput(signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const stat = fstatSync(STDIN);
  // A pipe is waited for by polling: a read in a thread could not be called off, and would hold the process when it ends.
  const input =
    stat.isFIFO() || stat.isSocket()
      ? new Socket({ fd: STDIN, readable: true, writable: false })
      : createReadStream("", { fd: STDIN, autoClose: false, highWaterMark: PIECE });
  try {
    for await (const bytes of addAbortSignal(signal, input)) yield bytes as Uint8Array;
  } catch (cause) {
    signal.throwIfAborted();
    throw inputFailed("standard input", cause);
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
      if ((cause as NodeJS.ErrnoException).code !== "EAGAIN") throw inputFailed(name, cause);
      await delay(RETRY_MS);
    }
  }
}

function inputFailed(name: string, cause: unknown): InputOutputError {
  const errno = (cause as NodeJS.ErrnoException).code ?? "unknown";
  return new InputOutputError("FILE_INPUT_OUTPUT", `${errno} from the operating system`, {
    where: { file: name },
    cause,
  });
}
