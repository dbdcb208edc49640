import { encodeTarHeader, paddingOf } from "../../src/archive/tar-encode.ts";
import type { Digest } from "../../src/bytes/digest.ts";
import { folderMembers, type PackageArtifact } from "./package.ts";

/** Two blocks of zeros end an archive. */
const ARCHIVE_END = 1024;

/** The bytes of the file that a package was; a folder as an archive of its members, so that it can be read like one. */
export async function* packageStream(artifact: PackageArtifact): AsyncGenerator<Uint8Array> {
  const { layout } = artifact;
  if (layout.shape !== "folder") {
    for (const part of layout.parts) {
      if ("bytes" in part) yield part.bytes;
      else yield* blobs(artifact, part.blobs);
    }
    return;
  }
  for (const { path, size, blobs: digests } of folderMembers(artifact)) {
    const mtime = { seconds: 0, nanoseconds: 0 };
    yield encodeTarHeader({ name: path, type: "0", mode: 0o644, uid: 0, gid: 0, size, mtime });
    yield* blobs(artifact, digests);
    yield new Uint8Array(paddingOf(size));
  }
  yield new Uint8Array(ARCHIVE_END);
}

async function* blobs({ layers, source }: PackageArtifact, digests: readonly Digest[]): AsyncGenerator<Uint8Array> {
  for (const digest of digests) {
    const layer = layers.get(digest);
    if (layer === undefined) throw new Error(`${digest} was among the layers when the layout was read`);
    yield* source.blob(layer);
  }
}
