import { Buffer } from "node:buffer";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Digest, sha256 } from "../../../src/bytes/digest.ts";
import { type Context, createContext, DEFAULT_REGISTRIES, type Registries } from "../../../src/context.ts";
import { imageManifest } from "../../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../src/oci/media-types.ts";
import { transport } from "../../../src/transport/docker/transport.ts";
import { openImage } from "../../../src/transport/open-image.ts";
import { verifyImage } from "../../../src/transport/verify.ts";
import { contentOfBlob, pieces, putSample } from "../sample-image.ts";
import { answer, FakeRegistry, type Fault } from "./fake-registry.ts";

let registry: FakeRegistry;
beforeEach(async () => {
  registry = await FakeRegistry.start();
});
afterEach(async () => await registry[Symbol.asyncDispose]());

const at = (name = "web:1") => `${registry.host}/${name}`;

function context(registries: Partial<Registries> = {}): Context {
  return createContext({ registries: { ...DEFAULT_REGISTRIES, retries: 3, backoff: 1, ...registries } });
}

async function push(ctx = context(), mark?: string) {
  await using to = await transport.openDestination(at(), { force: true }, ctx);
  const image = await putSample(to, mark);
  await to.commit();
  return image;
}

async function pull(ctx = context()): Promise<string> {
  await using from = await transport.openSource(at(), ctx);
  expect(await verifyImage(from, ctx)).toMatchObject({ ok: true, findings: [] });
  return (await from.manifest()).descriptor.digest;
}

/** The first `times` requests that fit meet the fault. */
function firstTimes(times: number, method: string, path: RegExp, fault: Fault): Fault {
  let left = times;
  return async (request, response, seen) => {
    if (left === 0 || seen.method !== method || !path.test(seen.path)) return false;
    left -= 1;
    return await fault(request, response, seen);
  };
}

const cut: Fault = (request) => {
  request.socket.destroy();
  return true;
};
const status =
  (code: number, headers = {}, body?: string): Fault =>
  (request, response) => {
    request.resume();
    answer(response, code, headers, body);
    return true;
  };
const ALWAYS = Number.POSITIVE_INFINITY;

const REQUESTS = [
  ["GET", /^\/v2\/$/],
  ["POST", /uploads/],
  ["PUT", /uploads/],
  ["HEAD", /blobs\/sha256/],
  ["PUT", /manifests/],
] as const;

describe.each(REQUESTS)("a push whose %s %s fails", (method, path) => {
  it.each([
    ["by a cut", cut],
    ["by 429 with a time", status(429, { "Retry-After": "0" })],
    ["by 500", status(500)],
    ["by 503 with a date", status(503, { "Retry-After": "Mon, 23 Nov 2020 00:00:00 GMT" })],
  ])("for a moment %s succeeds", async (_, fault) => {
    registry.fault = firstTimes(2, method, path, fault);
    const { digest } = await push();
    registry.fault = () => false;
    expect(await pull()).toBe(digest);
  });

  it("for ever, ends as something to be tried later, with nothing to be seen", async () => {
    for (const fault of [cut, status(500), status(429)]) {
      registry.fault = firstTimes(ALWAYS, method, path, fault);
      await expect(push()).rejects.toMatchObject({ exitCode: 75 });
    }
    expect(registry.manifests.size).toBe(0);
  });
});

describe("an upload that breaks", () => {
  const layer = Buffer.alloc(3_000_000, "layer");
  const put = async (content: Parameters<typeof sendBlob>[0], ctx = context()) => await sendBlob(content, ctx);
  async function sendBlob(content: AsyncIterable<Uint8Array> | (() => AsyncIterable<Uint8Array>), ctx: Context) {
    await using to = await transport.openDestination(at(), { force: true }, ctx);
    return await to.putBlob(content, { mediaType: MEDIA_TYPES.layer });
  }
  function cutAfter(bytes: number, times: number) {
    let received = 0;
    let left = times;
    registry.onUpload = (length) => {
      received += length;
      if (left === 0 || received < bytes) return false;
      received = 0;
      left -= 1;
      return true;
    };
  }

  it("is made again from its beginning, if its content can be", async () => {
    cutAfter(1_000_000, 3);
    let begun = 0;
    const content = () => {
      begun += 1;
      return pieces(layer, 70_000);
    };
    expect(await put(content)).toMatchObject({ digest: sha256(layer), size: layer.length });
    expect(begun).toBe(4);
    expect(registry.blobs.get(sha256(layer))?.equals(layer)).toBe(true);
  });

  it("ends as something to be tried later, if it cannot, or breaks each time", async () => {
    cutAfter(1_000_000, ALWAYS);
    await expect(put(pieces(layer, 70_000))).rejects.toMatchObject({ code: "REGISTRY_UPLOAD", exitCode: 75 });
    await expect(put(() => pieces(layer, 70_000))).rejects.toMatchObject({ code: "REGISTRY_UPLOAD", exitCode: 75 });
    expect(registry.finished).toEqual([]);
  });

  it.each([
    ["forgets it", status(404)],
    ["is too busy", status(503)],
    ["got other bytes", status(400, {}, '{"errors":[{"code":"DIGEST_INVALID"}]}')],
  ])("because the registry %s is made again", async (_, fault) => {
    registry.fault = firstTimes(2, "PATCH", /uploads/, fault);
    expect(await put(() => pieces(layer, 70_000))).toMatchObject({ digest: sha256(layer) });
    registry.fault = firstTimes(1, "PUT", /uploads/, fault);
    expect(await put(() => pieces(layer.subarray(1), 70_000))).toMatchObject({ digest: sha256(layer.subarray(1)) });
  });

  it("after the blob came whole is not made again", async () => {
    registry.fault = firstTimes(1, "PUT", /uploads/, (request, _response, { path }) => {
      const digest = new URL(path, "http://x").searchParams.get("digest") ?? "";
      registry.sizes.set(digest, layer.length);
      request.socket.destroy();
      return true;
    });
    let begun = 0;
    await put(() => {
      begun += 1;
      return pieces(layer, 70_000);
    });
    expect(begun).toBe(1);
  });

  it("stops at once where the registry does not want it", async () => {
    let sent = 0;
    async function* endless() {
      for (;;) {
        yield layer;
        sent += 1;
        if (sent % 10 === 0) await wait(1);
      }
    }
    for (const [code, name, exitCode] of [
      [413, "REGISTRY_TOO_LARGE", 69],
      [403, "REGISTRY_DENIED", 77],
      [405, "REGISTRY_REFUSED", 69],
    ] as const) {
      registry.fault = firstTimes(1, "PATCH", /uploads/, (_request, response) => {
        answer(response, code, {}, '{"errors":[{"code":"SOME_CODE","message":"a \\u001b[1m reason"}]}');
        return true;
      });
      const failure = await put(endless).catch((cause) => cause);
      expect(failure).toMatchObject({ code: name, exitCode });
      expect(failure.message).toContain("(SOME_CODE: a \\u001b[1m reason)");
    }
  });

  it("passes on what the content throws, and what it was not expected to be", async () => {
    const broken = async function* () {
      yield layer;
      throw new Error("the input broke");
    };
    await expect(put(broken)).rejects.toThrow("the input broke");
    await using to = await transport.openDestination(at(), { force: true }, context());
    const expected = { mediaType: MEDIA_TYPES.layer };
    await expect(to.putBlob(pieces(layer), { ...expected, size: 1 })).rejects.toMatchObject({ code: "DIGEST_SIZE" });
    const digest = sha256(Buffer.from("other"));
    await expect(to.putBlob(pieces(layer), { ...expected, digest })).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    expect(registry.finished).toEqual([]);
  });
});

describe("a push", () => {
  it("asks before it sends, and sends nothing twice", async () => {
    await push();
    const first = registry.finished.length;
    await push();
    // The layers' digests are known only when they have been made; the config's before.
    const known = registry.seen.filter(({ method, path }) => method === "HEAD" && path.includes("blobs/sha256"));
    expect(known.length).toBeGreaterThan(0);
    expect(registry.finished.length - first).toBe(2);
  });

  it("does not take a blob of another size for its own", async () => {
    const content = Buffer.from("content");
    registry.sizes.set(sha256(content), 3);
    await using to = await transport.openDestination(at(), { force: true }, context());
    await to.putBlob(pieces(content), { mediaType: "x", digest: sha256(content), size: content.length });
    expect(registry.finished).toEqual([sha256(content)]);
  });

  it("notices when the registry keeps something else", async () => {
    const other = { "Docker-Content-Digest": sha256(Buffer.from("other")) };
    registry.fault = firstTimes(ALWAYS, "PUT", /uploads/, status(201, other));
    await expect(push()).rejects.toMatchObject({ code: "DIGEST_MISMATCH", exitCode: 65 });
    registry.fault = firstTimes(ALWAYS, "PUT", /manifests/, status(201, other));
    await expect(push()).rejects.toMatchObject({ code: "DIGEST_MISMATCH", exitCode: 65 });
  });

  it("refuses a manifest whose blobs are not there, and one that the registry refuses", async () => {
    const { manifests } = registry;
    await push();
    manifests.clear();
    registry.sizes.clear();
    registry.fault = firstTimes(
      ALWAYS,
      "PUT",
      /manifests/,
      status(400, {}, '{"errors":[{"code":"MANIFEST_INVALID"}]}'),
    );
    await expect(push()).rejects.toMatchObject({ code: "REGISTRY_REFUSED" });
  });

  it("is refused without a Location, and before that with 404", async () => {
    registry.fault = firstTimes(ALWAYS, "POST", /uploads/, status(202));
    await expect(push()).rejects.toMatchObject({ code: "REGISTRY_ANSWER", exitCode: 65 });
    registry.fault = firstTimes(ALWAYS, "POST", /uploads/, status(404));
    await expect(push()).rejects.toMatchObject({ code: "REGISTRY_NOT_FOUND", exitCode: 66 });
  });

  it("leaves the list of referrers to a registry that keeps one", async () => {
    await using knowing = await FakeRegistry.start({ referrers: true });
    await using to = await transport.openDestination(`${knowing.host}/web:1`, { force: true }, context());
    const subject = await putSample(to);
    const digest = knowing.finished.at(-1) as Digest;
    const config = { mediaType: MEDIA_TYPES.config, digest, size: knowing.sizes.get(digest) ?? 0 };
    const image = { mediaType: MEDIA_TYPES.manifest, config, layers: [] };
    const referrer = imageManifest({ ...image, artifactType: "a/b", subject });
    await to.putManifest(referrer, MEDIA_TYPES.manifest);
    await to.putManifest(imageManifest(image), MEDIA_TYPES.manifest);
    await to.commit();
    await using from = await transport.openSource(`${knowing.host}/web:1`, context());
    expect(await from.referrers?.(subject.digest)).toMatchObject([{ digest: sha256(referrer), artifactType: "a/b" }]);
    expect([...knowing.manifests.keys()].filter((name) => name.startsWith("sha256-"))).toEqual([]);
  });

  it("ends with the reason of an abort, also while it waits to try again", async () => {
    const abort = new AbortController();
    registry.fault = firstTimes(ALWAYS, "POST", /uploads/, status(503, { "Retry-After": "30" }));
    setTimeout(() => abort.abort(new Error("enough")), 200);
    await expect(push({ ...context(), signal: abort.signal })).rejects.toThrow("enough");
  });

  it("does not wait for hours, though it is asked to", async () => {
    registry.fault = firstTimes(ALWAYS, "POST", /uploads/, status(429, { "Retry-After": "7200" }));
    await expect(push()).rejects.toMatchObject({ code: "REGISTRY_BUSY", exitCode: 75 });
  });
});

describe("a pull", () => {
  const large = Buffer.alloc(5 << 20, "some content of a blob");
  const descriptor = { mediaType: MEDIA_TYPES.layer, digest: sha256(large), size: large.length };
  async function read(ctx = context()): Promise<Buffer> {
    await using from = await transport.openSource(at(), ctx);
    return await contentOfBlob(from, descriptor);
  }
  beforeEach(async () => {
    await push();
    registry.blobs.set(descriptor.digest, large);
    registry.sizes.set(descriptor.digest, large.length);
  });

  /** Sends a part of the blob and breaks off. */
  const part =
    (bytes: number): Fault =>
    (request, response) => {
      const first = Number(/\d+/.exec(request.headers.range ?? "")?.[0] ?? 0);
      const rest = large.subarray(first);
      const range = first === 0 ? {} : { "Content-Range": `bytes ${first}-${large.length - 1}/${large.length}` };
      response.writeHead(first === 0 ? 200 : 206, { "Content-Length": String(rest.length), ...range });
      response.write(rest.subarray(0, bytes), () => request.socket.destroySoon());
      return true;
    };

  it("goes on where a connection broke, as long as it gets on", async () => {
    registry.fault = firstTimes(ALWAYS, "GET", new RegExp(descriptor.digest), (request, response, seen) => {
      const first = Number(/\d+/.exec(seen.range ?? "")?.[0] ?? 0);
      return large.length - first > 500_000 ? part(400_000)(request, response, seen) : false;
    });
    expect(sha256(await read(context({ retries: 20 })))).toBe(descriptor.digest);
    expect(registry.seen.filter(({ range }) => range !== undefined).length).toBeGreaterThan(5);
  });

  it("begins again and skips, where the server knows no ranges", async () => {
    registry.fault = firstTimes(2, "GET", new RegExp(descriptor.digest), (request, response) => {
      response.writeHead(200, { "Content-Length": String(large.length) });
      response.write(large.subarray(0, 1_000_000), () => request.socket.destroySoon());
      return true;
    });
    const { fault } = registry;
    registry.fault = (request, response, seen) => {
      delete request.headers.range;
      return fault(request, response, seen);
    };
    expect(sha256(await read())).toBe(descriptor.digest);
  });

  it("gives up where nothing comes any more", async () => {
    registry.fault = firstTimes(ALWAYS, "GET", new RegExp(descriptor.digest), part(10));
    await expect(read()).rejects.toMatchObject({ code: "REGISTRY_CONNECTION", exitCode: 75 });
  });

  it("does not wait for ever for a server that says nothing more", async () => {
    registry.fault = firstTimes(ALWAYS, "GET", new RegExp(descriptor.digest), (_request, response) => {
      response.writeHead(200, { "Content-Length": String(large.length) });
      response.write(large.subarray(0, 100_000));
      return true;
    });
    await expect(read(context({ stall: 150, retries: 1 }))).rejects.toMatchObject({ code: "REGISTRY_CONNECTION" });
  });

  it.each([
    ["another size", "DIGEST_SIZE", (response) => answer(response, 200, {}, large.subarray(1))],
    ["other bytes", "DIGEST_MISMATCH", (response) => answer(response, 200, {}, Buffer.alloc(large.length))],
    ["more than there is", "DIGEST_SIZE", (response) => void response.end(Buffer.concat([large, large]))],
    ["less than there is, without saying so", "DIGEST_SIZE", (response) => void response.end(large.subarray(5))],
  ] as readonly (readonly [string, string, (response: Parameters<Fault>[1]) => void])[])(
    "finds a lie: %s",
    async (_, code, lie) => {
      registry.fault = firstTimes(ALWAYS, "GET", new RegExp(descriptor.digest), (_request, response) => {
        lie(response);
        return true;
      });
      await expect(read()).rejects.toMatchObject({ code, exitCode: 65 });
    },
  );

  it("finds a lie about the range", async () => {
    let first = true;
    registry.fault = firstTimes(2, "GET", new RegExp(descriptor.digest), (request, response, seen) => {
      if (first) {
        first = false;
        return part(1000)(request, response, seen);
      }
      answer(response, 206, { "Content-Range": `bytes 0-10/${large.length}` }, large.subarray(0, 11));
      return true;
    });
    await expect(read()).rejects.toMatchObject({ code: "REGISTRY_ANSWER", exitCode: 65 });
  });

  it("says that a blob is missing", async () => {
    registry.sizes.delete(descriptor.digest);
    await expect(read()).rejects.toMatchObject({ code: "TRANSPORT_BLOB_MISSING", exitCode: 65 });
  });

  it("finds lies about manifests", async () => {
    const manifest = (headers: Readonly<Record<string, string>>, body: string | Buffer): Fault =>
      firstTimes(
        ALWAYS,
        "GET",
        /manifests/,
        status(200, { "Content-Type": MEDIA_TYPES.manifest, ...headers }, body as string),
      );
    registry.fault = manifest({ "Docker-Content-Digest": sha256(large) }, "{}");
    await expect(pull()).rejects.toMatchObject({ code: "DIGEST_MISMATCH", exitCode: 65 });
    registry.fault = manifest({}, "[1, 2]");
    await expect(pull()).rejects.toMatchObject({ code: "OCI_DOCUMENT_FORM", exitCode: 65 });
    registry.fault = manifest({ "Content-Type": MEDIA_TYPES.index }, registry.manifests.get("1")?.bytes ?? "");
    await expect(pull()).rejects.toMatchObject({ code: "OCI_MANIFEST_MEDIA_TYPE", exitCode: 65 });
    registry.fault = firstTimes(ALWAYS, "GET", /manifests/, (_request, response) => {
      response.writeHead(200);
      const more = () => void (response.destroyed || response.write(large, () => setImmediate(more)));
      more();
      return true;
    });
    await expect(pull()).rejects.toMatchObject({ code: "REGISTRY_ANSWER", exitCode: 65 });
  });

  it("follows a redirect to another host without its authorisation", async () => {
    await using store = await FakeRegistry.start();
    store.fault = (_request, response) => {
      answer(response, 200, {}, large);
      return true;
    };
    const { fault: open } = registry;
    registry.fault = (request, response, seen) => {
      if (seen.authorization !== `Basic ${Buffer.from("me:secret").toString("base64")}`) {
        answer(response, 401, { "WWW-Authenticate": 'Basic realm="x"' });
        return true;
      }
      if (!seen.path.includes(descriptor.digest)) return open(request, response, seen);
      answer(response, 307, { Location: `http://${store.host}/signed?secret=1` });
      return true;
    };
    const source = { credentials: { username: "me", password: "secret" } };
    expect(sha256(await read(context({ source })))).toBe(descriptor.digest);
    expect(store.seen).toMatchObject([{ path: "/signed?secret=1", authorization: undefined }]);
  });

  it.each([
    ["in a circle", "http://HOST/v2/web/blobs/again"],
    ["to another protocol", "file:///etc/passwd"],
  ])("is not led %s", async (_, location) => {
    const target = location.replace("HOST", registry.host);
    registry.fault = firstTimes(ALWAYS, "GET", /blobs/, status(302, { Location: target }));
    await expect(read()).rejects.toMatchObject({ code: "REGISTRY_REDIRECT", exitCode: 65 });
  });

  it("needs an image", async () => {
    await using from = await transport.openSource(at(), context());
    const image = await openImage(from, undefined, context());
    registry.manifests.clear();
    await expect(from.manifest(sha256(large))).rejects.toMatchObject({ code: "TRANSPORT_BLOB_MISSING" });
    expect(image.manifest.layers).toHaveLength(2);
    await expect(pull()).rejects.toMatchObject({ code: "TRANSPORT_IMAGE_MISSING", exitCode: 66 });
  });
});
