import { createHash } from "node:crypto";
import { encodeTarHeader, paddingOf } from "../../src/archive/tar-encode.ts";
import { createContext } from "../../src/context.ts";
import { type Execution, imageConfig } from "../../src/oci/image-config.ts";
import { imageManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import { transports } from "../../src/transport/index.ts";

/** A file of an image: a program where its mode says so, a link where it begins with `-> `. */
export interface ImageFile {
  readonly bytes: Uint8Array | string;
  readonly mode?: number;
}

export interface MadeImage {
  readonly files?: Readonly<Record<string, ImageFile | string>>;
  /** Instead of files: a whole layer. */
  readonly tar?: Buffer;
  readonly execution?: Execution;
  readonly architecture?: string;
}

function tarOf(files: NonNullable<MadeImage["files"]>): Buffer {
  const parts: Uint8Array[] = [];
  const base = { uid: 0, gid: 0, mtime: { seconds: 1_700_000_000, nanoseconds: 0 } };
  for (const [name, file] of Object.entries(files)) {
    const { bytes, mode = 0o644 } = typeof file === "string" ? { bytes: file } : file;
    const link = typeof bytes === "string" && bytes.startsWith("-> ") ? bytes.slice(3) : undefined;
    const body = link === undefined ? Buffer.from(bytes) : Buffer.alloc(0);
    const fields = { ...base, name, mode, size: body.length };
    const header =
      link === undefined ? { ...fields, type: "0" as const } : { ...fields, type: "2" as const, linkName: link };
    parts.push(encodeTarHeader(header), body);
    parts.push(Buffer.alloc(paddingOf(body.length)));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** Writes an image of one layer that is not compressed to `oci:FOLDER:latest`, and answers that reference. */
export async function makeImage(folder: string, image: MadeImage): Promise<string> {
  const transport = await transports.byName("oci")?.load();
  const layer = image.tar ?? tarOf(image.files ?? {});
  const ctx = createContext();
  const to = await transport?.openDestination(`${folder}:latest`, { force: true }, ctx);
  if (to === undefined) throw new Error("there is no transport oci");
  const once = (bytes: Uint8Array) =>
    (async function* () {
      yield bytes;
    })();
  const blob = await to.putBlob(once(layer), { mediaType: MEDIA_TYPES.layer });
  const config = imageConfig({
    platform: { os: "linux", architecture: image.architecture ?? "amd64" },
    execution: image.execution ?? {},
    diffIds: [`sha256:${createHash("sha256").update(layer).digest("hex")}`],
    history: [],
  });
  const configBlob = await to.putBlob(once(config), { mediaType: MEDIA_TYPES.config });
  const plain = ({ mediaType, digest, size }: typeof blob) => ({ mediaType, digest, size });
  const manifest = imageManifest({ mediaType: MEDIA_TYPES.manifest, config: plain(configBlob), layers: [plain(blob)] });
  await to.putManifest(manifest, MEDIA_TYPES.manifest);
  await to.commit();
  await to[Symbol.asyncDispose]();
  return `oci:${folder}:latest`;
}
