import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** What a request looked like when it came. */
export interface Seen {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

interface Stored {
  readonly type: string;
  readonly bytes: Buffer;
}

/** True where the request has been dealt with, by an answer or by breaking it off. */
export type Fault = (request: IncomingMessage, response: ServerResponse, seen: Seen) => boolean | Promise<boolean>;

export interface FakeOptions {
  /** Keeps only size and digest of blobs, for large ones. */
  readonly forgetful?: boolean;
  /** Knows what refers to what, as registries since distribution-spec 1.1 do. */
  readonly referrers?: boolean;
}

/** A registry in memory that does what a test wants: `fault` sees every request first. */
export class FakeRegistry implements AsyncDisposable {
  readonly seen: Seen[] = [];
  readonly blobs = new Map<string, Buffer>();
  readonly sizes = new Map<string, number>();
  readonly manifests = new Map<string, Stored>();
  /** Blobs that came whole, in order. */
  readonly finished: string[] = [];
  fault: Fault = () => false;
  /** Called while an upload comes in; breaks it off by true. */
  onUpload: (received: number) => boolean = () => false;
  readonly #uploads = new Map<string, { parts: Buffer[]; size: number; digest: string }>();
  readonly #options: FakeOptions;
  readonly #server: Server;
  #next = 1;

  private constructor(options: FakeOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      request.on("error", () => {});
      response.on("error", () => {});
      this.#serve(request, response).catch(() => request.destroy());
    });
  }

  static async start(options: FakeOptions = {}): Promise<FakeRegistry> {
    const registry = new FakeRegistry(options);
    registry.#server.listen(0, "127.0.0.1");
    await once(registry.#server, "listening");
    return registry;
  }

  get host(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `127.0.0.1:${address.port}`;
  }

  count(method: string, path: RegExp): number {
    return this.seen.filter((each) => each.method === method && path.test(each.path)).length;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: path = "", headers } = request;
    const seen = { method, path, authorization: headers.authorization, range: headers.range };
    this.seen.push(seen);
    if (await this.fault(request, response, seen)) return;
    const url = new URL(path, `http://${this.host}`);
    const [, kind, name = ""] = /\/(manifests|blobs|referrers)\/(.+)$/.exec(url.pathname) ?? [];
    if (kind === "manifests") return await this.#manifest(request, response, name);
    if (kind === "blobs" && name.startsWith("uploads/"))
      return await this.#upload(request, response, url, name.slice(8));
    if (kind === "blobs") return this.#blob(request, response, name);
    if (kind === "referrers" && this.#options.referrers === true) return this.#referrers(response, name);
    answer(response, url.pathname === "/v2/" ? 200 : 404);
  }

  async #manifest(request: IncomingMessage, response: ServerResponse, name: string): Promise<void> {
    if (request.method === "PUT") {
      const bytes = await bodyOf(request);
      const digest = sha256(bytes);
      const stored = { type: request.headers["content-type"] ?? "", bytes };
      this.manifests.set(name, stored).set(digest, stored);
      const { subject } = JSON.parse(bytes.toString());
      const headers =
        subject !== undefined && this.#options.referrers === true ? { "OCI-Subject": subject.digest } : {};
      return void answer(response, 201, { ...headers, "Docker-Content-Digest": digest });
    }
    const found = this.manifests.get(name);
    if (found === undefined) return void answer(response, 404, {}, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
    const headers = { "Content-Type": found.type, "Docker-Content-Digest": sha256(found.bytes) };
    answer(response, 200, headers, request.method === "HEAD" ? undefined : found.bytes);
  }

  #referrers(response: ServerResponse, digest: string): void {
    const entries = [...this.manifests].flatMap(([name, { type, bytes }]) => {
      const { subject, artifactType } = JSON.parse(bytes.toString());
      const isOne = name.startsWith("sha256:") && subject?.digest === digest;
      return isOne ? [{ mediaType: type, digest: name, size: bytes.length, artifactType }] : [];
    });
    const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: entries };
    answer(response, 200, { "Content-Type": index.mediaType }, JSON.stringify(index));
  }

  #blob(request: IncomingMessage, response: ServerResponse, digest: string): void {
    const bytes = this.blobs.get(digest);
    const size = this.sizes.get(digest);
    if (size === undefined) return void answer(response, 404, {}, '{"errors":[{"code":"BLOB_UNKNOWN"}]}');
    if (request.method === "HEAD" || bytes === undefined)
      return void answer(response, 200, { "Content-Length": String(size) });
    const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (first === 0) return void answer(response, 200, {}, bytes);
    answer(response, 206, { "Content-Range": `bytes ${first}-${size - 1}/${size}` }, bytes.subarray(first));
  }

  async #upload(request: IncomingMessage, response: ServerResponse, url: URL, id: string): Promise<void> {
    if (request.method === "POST") {
      const session = String(this.#next++);
      this.#uploads.set(session, { parts: [], size: 0, digest: "" });
      return void answer(response, 202, { Location: `${url.pathname}${session}?state=a%2Fb` });
    }
    const upload = this.#uploads.get(id);
    if (upload === undefined || url.searchParams.get("state") !== "a/b") return void answer(response, 404);
    if (request.method === "PATCH") {
      const hash = createHash("sha256");
      for await (const part of request as AsyncIterable<Buffer>) {
        hash.update(part);
        upload.size += part.length;
        if (this.#options.forgetful !== true) upload.parts.push(part);
        if (this.onUpload(part.length)) {
          this.#uploads.delete(id);
          return void request.destroy();
        }
      }
      upload.digest = `sha256:${hash.digest("hex")}`;
      return void answer(response, 202, { Location: `http://${this.host}${url.pathname}?state=a%2Fb` });
    }
    await bodyOf(request);
    const digest = url.searchParams.get("digest") ?? "";
    if (upload.digest !== digest) return void answer(response, 400, {}, '{"errors":[{"code":"DIGEST_INVALID"}]}');
    this.#uploads.delete(id);
    this.sizes.set(digest, upload.size);
    if (this.#options.forgetful !== true) this.blobs.set(digest, Buffer.concat(upload.parts));
    this.finished.push(digest);
    answer(response, 201, { "Docker-Content-Digest": digest });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

export function answer(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body?: string | Buffer,
): void {
  response.writeHead(status, {
    ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }),
    ...headers,
  });
  response.end(body);
}

export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}

function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
