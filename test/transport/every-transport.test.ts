import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, it } from "vitest";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { openImageFiles } from "../../src/transport/image-files.ts";
import { transports } from "../../src/transport/index.ts";
import { REF_NAME } from "../../src/transport/layout-source.ts";
import { openImage } from "../../src/transport/open-image.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { FakeRegistry } from "./docker/fake-registry.ts";

/** What each transport makes of each place of the corpus: `names in the merged tree, bytes of its files`, or the error's code. */
const OUTCOMES: Readonly<Record<string, readonly [oci: string, ociArchive: string, dockerArchive: string]>> = {
  "archive/stereoscope-valid-oci.tar": ["FILE_NOT_FOUND", "2 names, 10 bytes", "TRANSPORT_ARCHIVE_MANIFEST"],
  "containerdisk/archive.tar": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "TRANSPORT_ARCHIVE_MANIFEST"],
  "containerdisk/bootc-registry-image.tar": ["FILE_NOT_FOUND", "5 names, 18 bytes", "TRANSPORT_ARCHIVE_MANIFEST"],
  "docker-save/ci-almostempty.tar": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "2 names, 0 bytes"],
  "docker-save/hello-world-v25.tar": ["FILE_NOT_FOUND", "TRANSPORT_IMAGE_MISSING", "2 names, 9136 bytes"],
  "docker-save/mutate-source_image.tar": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "3 names, 8 bytes"],
  "docker-save/mutate-source_image_with_empty_layer_history.tar": [
    "FILE_NOT_FOUND",
    "TRANSPORT_LAYOUT_MISSING",
    "3 names, 8 bytes",
  ],
  "docker-save/mutate-whiteout_image.tar": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "2 names, 4 bytes"],
  "docker-save/no_manifest.tar": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "TRANSPORT_LEGACY_ARCHIVE"],
  "docker-save/null_manifest.tar": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "TRANSPORT_ARCHIVE_MANIFEST"],
  "docker-save/test_bundle.tar": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "TRANSPORT_AMBIGUOUS"],
  "docker-save/test_image_1.tar": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "3 names, 8 bytes"],
  "layout/ci-delete_image_multiple_images": ["TRANSPORT_AMBIGUOUS", "FILE_NOT_REGULAR", "FILE_NOT_REGULAR"],
  "layout/ci-delete_image_two_identical_references": ["TRANSPORT_AMBIGUOUS", "FILE_NOT_REGULAR", "FILE_NOT_REGULAR"],
  "layout/ci-name_lookups": ["TRANSPORT_AMBIGUOUS", "FILE_NOT_REGULAR", "FILE_NOT_REGULAR"],
  "layout/ggcr-test_gc_image_unknown_mediatype": ["OCI_MEDIA_TYPE", "FILE_NOT_REGULAR", "FILE_NOT_REGULAR"],
  "layout/ggcr-test_index": ["TRANSPORT_AMBIGUOUS", "FILE_NOT_REGULAR", "FILE_NOT_REGULAR"],
  "layout/ggcr-test_index_media_type": ["TRANSPORT_NO_FILES", "FILE_NOT_REGULAR", "FILE_NOT_REGULAR"],
  "layout/ggcr-test_index_one_image": ["2 names, 5 bytes", "FILE_NOT_REGULAR", "FILE_NOT_REGULAR"],
  "layout/oras-artifacts": ["TRANSPORT_AMBIGUOUS", "FILE_NOT_REGULAR", "FILE_NOT_REGULAR"],
  "layout/oras-images": ["TRANSPORT_AMBIGUOUS", "FILE_NOT_REGULAR", "FILE_NOT_REGULAR"],
  "layout/stereoscope-valid_oci_dir": ["2 names, 10 bytes", "FILE_NOT_REGULAR", "FILE_NOT_REGULAR"],
  "tar/content.tar": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "TRANSPORT_ARCHIVE_MANIFEST"],
  "tar/content.tar.zst": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "TRANSPORT_ARCHIVE_MANIFEST"],
  "tar/cs-broken.tar": ["FILE_NOT_FOUND", "TRANSPORT_LAYOUT_MISSING", "TRANSPORT_ARCHIVE_MANIFEST"],
};

const HELLO = "2 names, 12 bytes";
const NO_FILES = "TRANSPORT_NO_FILES";
/**
 * The same of each entry of a layout's index, in order, once a registry has what the layout has. Behind `oci:` what the
 * layout itself gives by the same tag, where that is something else.
 */
const FROM_REGISTRY: Readonly<Record<string, readonly string[]>> = {
  "layout/ci-delete_image_multiple_images": [
    "LAYER_COMPRESSION",
    "LAYER_COMPRESSION",
    "LAYER_COMPRESSION",
    "LAYER_COMPRESSION",
    "LAYER_COMPRESSION",
    "LAYER_COMPRESSION",
    "DIGEST_SIZE",
  ],
  "layout/ci-delete_image_two_identical_references": ["LAYER_COMPRESSION", "LAYER_COMPRESSION"],
  "layout/ci-name_lookups": [
    "TRANSPORT_IMAGE_MISSING, oci: TRANSPORT_BLOB_MISSING",
    "TRANSPORT_IMAGE_MISSING, oci: TRANSPORT_BLOB_MISSING",
    "TRANSPORT_IMAGE_MISSING, oci: TRANSPORT_BLOB_MISSING",
    "TRANSPORT_IMAGE_MISSING, oci: TRANSPORT_BLOB_MISSING",
    "TRANSPORT_IMAGE_MISSING, oci: OCI_MEDIA_TYPE",
  ],
  "layout/ggcr-test_gc_image_unknown_mediatype": ["TRANSPORT_IMAGE_MISSING"],
  "layout/ggcr-test_index": [
    "OCI_MANIFEST_MEDIA_TYPE",
    "3 names, 8 bytes, oci: OCI_MEDIA_TYPE",
    "OCI_MANIFEST_MEDIA_TYPE",
    "OCI_MANIFEST_MEDIA_TYPE",
  ],
  "layout/ggcr-test_index_media_type": [NO_FILES],
  "layout/ggcr-test_index_one_image": ["2 names, 5 bytes"],
  "layout/oras-artifacts": [
    NO_FILES,
    HELLO,
    NO_FILES,
    NO_FILES,
    NO_FILES,
    HELLO,
    NO_FILES,
    HELLO,
    NO_FILES,
    NO_FILES,
    NO_FILES,
    HELLO,
    NO_FILES,
    NO_FILES,
    NO_FILES,
    HELLO,
    NO_FILES,
    NO_FILES,
    NO_FILES,
    HELLO,
  ],
  "layout/oras-images": [HELLO, NO_FILES, NO_FILES, HELLO, "TRANSPORT_PLATFORM_MISSING", HELLO, HELLO],
  "layout/stereoscope-valid_oci_dir": ["2 names, 10 bytes", "2 names, 10 bytes"],
};

const NAMES = ["oci", "oci-archive", "docker-archive"] as const;
const ctx = createContext({ tmp: tmpdir() });

async function outcomeOf(name: string, details: string): Promise<string> {
  try {
    const transport = await transports.byName(name)?.load();
    await using source = await transport?.openSource(details, ctx);
    if (source === undefined) throw new Error(name);
    const tree = await openImageFiles(source, await openImage(source, undefined, ctx), {}, ctx);
    let bytes = 0;
    for await (const { chunks } of tree.contents()) {
      for await (const chunk of chunks) bytes += chunk.kind === "data" ? chunk.bytes.length : chunk.length;
    }
    expect(bytes).toBe(tree.size);
    return `${tree.count} names, ${bytes} bytes`;
  } catch (cause) {
    if (cause instanceof ConverterError) return cause.code;
    throw cause;
  }
}

interface Entry {
  readonly mediaType: string;
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Gives a registry the blobs of a layout, its manifests and its tags; answers by what to ask for each entry of index.json. */
function serve(registry: FakeRegistry, layout: string): readonly string[] {
  const folder = join(layout, "blobs/sha256");
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const bytes = readFileSync(join(folder, name));
    registry.blobs.set(`sha256:${name}`, bytes);
    registry.sizes.set(`sha256:${name}`, bytes.length);
  }
  const entries: readonly Entry[] = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests;
  for (const entry of entries) serveManifest(registry, entry);
  const tags = entries.map(({ annotations }) => annotations?.[REF_NAME]);
  return entries.map(({ digest }, index) => {
    const [tag, stored] = [tags[index], registry.manifests.get(digest)];
    // A tag leads to one manifest: others that are called so have their digest alone.
    if (tag === undefined || tags.indexOf(tag) !== index) return `@${digest}`;
    if (stored !== undefined) registry.manifests.set(tag, stored);
    return `:${tag}`;
  });
}

/** What its descriptor calls it, and those below an index. */
function serveManifest(registry: FakeRegistry, { mediaType, digest }: Entry): void {
  const bytes = registry.blobs.get(digest);
  if (bytes === undefined) return;
  registry.manifests.set(digest, { type: mediaType, bytes });
  const below: readonly Entry[] = JSON.parse(bytes.toString()).manifests ?? [];
  for (const entry of below) serveManifest(registry, entry);
}

describeWith({ corpus: "oci" }, "every place, by every transport,", () => {
  const folders = ["archive", "containerdisk", "docker-save", "layout", "tar"];
  // The body of a skipped suite runs too.
  const places = folders.flatMap((folder) => {
    const path = corpus("oci", folder);
    return existsSync(path) ? readdirSync(path).map((name) => `${folder}/${name}`) : [];
  });

  it.each(places)("is read or refused as it should be: %s", async (place) => {
    const found: string[] = [];
    for (const name of NAMES) found.push(await outcomeOf(name, corpus("oci", place)));
    expect(found).toEqual(OUTCOMES[place]);
  });

  it("is in the table", () => {
    expect(Object.keys(OUTCOMES).sort()).toEqual(places.sort());
  });

  it.each(places.filter((place) => place.startsWith("layout/")))("is read from a registry: %s", async (place) => {
    await using registry = await FakeRegistry.start();
    const found: string[] = [];
    const layout = corpus("oci", place);
    for (const name of serve(registry, layout)) {
      const outcome = await outcomeOf("docker", `${registry.host}/${basename(place)}${name}`);
      const local = name.startsWith(":") ? await outcomeOf("oci", layout + name) : outcome;
      found.push(outcome === local ? outcome : `${outcome}, oci: ${local}`);
    }
    expect(found).toEqual(FROM_REGISTRY[place]);
  });
});
