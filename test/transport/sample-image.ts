import { gzipSync } from "node:zlib";
import { encodeTarHeader, paddingOf } from "../../src/archive/tar-encode.ts";
import { sha256 } from "../../src/bytes/digest.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { imageConfig } from "../../src/oci/image-config.ts";
import { imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import type { ImageDestination, ImageSource } from "../../src/transport/image-transport.ts";

/** A tar with one file for each name. */
export function sampleTar(files: Readonly<Record<string, string>>): Buffer {
  const mtime = { seconds: 1_000_000_000, nanoseconds: 0 };
  const blocks = Object.entries(files).map(([name, text]) => {
    const body = Buffer.from(text);
    const header = { name, type: "0", mode: 0o644, uid: 0, gid: 0, size: body.length, mtime } as const;
    return Buffer.concat([encodeTarHeader(header), body, Buffer.alloc(paddingOf(body.length))]);
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

export async function* pieces(bytes: Uint8Array, length = 700): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

/** Two layers, one of them compressed. `mark` makes the image different from others. */
export async function putSample(to: ImageDestination, mark = "sample"): Promise<Descriptor> {
  const tars = [sampleTar({ "etc/os-release": "ID=debian\n" }), sampleTar({ "usr/lib/mark": mark })];
  const [plain = Buffer.alloc(0), second = Buffer.alloc(0)] = tars;
  const layers = [
    await to.putBlob(pieces(plain), { mediaType: MEDIA_TYPES.layer }),
    await to.putBlob(pieces(gzipSync(second)), { mediaType: MEDIA_TYPES.layerGzip }),
  ];
  const config = imageConfig({
    platform: { os: "linux", architecture: "amd64" },
    execution: { entrypoint: ["/sbin/init"], env: ["A=b"], stopSignal: "SIGRTMIN+3", labels: { b: "2", a: "1" } },
    diffIds: tars.map(sha256),
    history: tars.map(() => ({ createdBy: "transload" })),
  });
  const mediaType = MEDIA_TYPES.config;
  const expected = { mediaType, digest: sha256(config), size: config.length };
  const manifest = imageManifest({
    mediaType: MEDIA_TYPES.manifest,
    config: await to.putBlob(pieces(config), expected),
    layers,
  });
  return await to.putManifest(manifest, MEDIA_TYPES.manifest);
}

export async function contentOfBlob(from: ImageSource, descriptor: Descriptor): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const bytes of from.blob(descriptor)) parts.push(Uint8Array.from(bytes));
  return Buffer.concat(parts);
}
