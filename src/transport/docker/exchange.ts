import type { ClientRequest, IncomingMessage } from "node:http";
import { answerWrong } from "./errors.ts";

/** An answer whose body has not been read yet. It has to be read or discarded, or its connection stays taken. */
export class Answer {
  readonly url: URL;
  readonly status: number;
  readonly #message: IncomingMessage;
  readonly #toHead: boolean;

  /** `toHead`: an answer to HEAD, whose length is that of a body which does not come. */
  constructor(url: URL, message: IncomingMessage, toHead: boolean) {
    this.#toHead = toHead;
    this.url = url;
    this.status = message.statusCode ?? 0;
    this.#message = message;
  }

  header(name: string): string | undefined {
    const value = this.#message.headers[name];
    return Array.isArray(value) ? value[0] : value;
  }

  /** Every header of this name, also where it stands several times. */
  headers(name: string): readonly string[] {
    return this.#message.headersDistinct[name] ?? [];
  }

  /** As it comes; throws Node's own errors where the connection breaks. */
  body(): AsyncIterable<Uint8Array> {
    return this.#message;
  }

  /** The whole body. Throws CorruptError REGISTRY_ANSWER above `limit` bytes. */
  async bytes(limit: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of this.body()) {
      size += part.length;
      if (size > limit) throw answerWrong(this.url, `the registry answers with more than ${limit} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  /** Gives up the body: a short one is read, so that the connection serves again; a long one costs the connection. */
  discard(): void {
    const message = this.#message;
    message.on("error", () => {});
    if (!this.#toHead && Number(this.header("content-length") ?? 0) > SHORT) return void message.destroy();
    let left = SHORT;
    message.on("data", (part: Uint8Array) => {
      left -= part.length;
      if (left < 0) message.destroy();
    });
  }
}

const SHORT = 64 << 10;

/** One request under way, and its answer. */
export class Exchange {
  readonly url: URL;
  readonly #request: ClientRequest;
  readonly #answer: Promise<Answer>;
  #over = false;
  #wake: (() => void) | undefined;

  constructor(url: URL, request: ClientRequest) {
    this.url = url;
    this.#request = request;
    this.#answer = new Promise((resolve, reject) => {
      request.once("response", (message) => {
        // An answer to half a request leaves a connection that cannot be used again.
        message.once("end", () => {
          if (!request.writableEnded) request.destroy();
        });
        resolve(new Answer(url, message, request.method === "HEAD"));
        this.#end();
      });
      request.on("error", (cause) => {
        reject(cause);
        this.#end();
      });
      request.once("close", () => {
        reject(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }));
        this.#end();
      });
    });
    // Whoever writes looks at it only at the end.
    this.#answer.catch(() => {});
  }

  #end(): void {
    this.#over = true;
    this.#wake?.();
  }

  /**
   * Sends a part of the body; when this resolves, the bytes may be used for something else. False means that the other side
   * has answered already or is gone, and that more need not be sent: `answer` tells.
   */
  async write(bytes: Uint8Array): Promise<boolean> {
    if (this.#over) return false;
    return await new Promise((resolve) => {
      this.#wake = () => resolve(false);
      this.#request.write(bytes, (cause) => resolve((cause ?? undefined) === undefined && !this.#over));
    });
  }

  /** Ends the body, if there is still a use for it, and waits for the answer. Throws Node's own errors. */
  async answer(): Promise<Answer> {
    if (!this.#over) this.#request.end();
    return await this.#answer;
  }

  /** Breaks it off. */
  destroy(): void {
    this.#request.destroy();
  }
}
