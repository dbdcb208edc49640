import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { openImageFiles } from "../../src/transport/image-files.ts";
import { transports } from "../../src/transport/index.ts";
import { openImage } from "../../src/transport/open-image.ts";
import { corpus, describeWith } from "../support/needs.ts";

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

const NAMES = ["oci", "oci-archive", "docker-archive"] as const;
const ctx = createContext({ tmp: tmpdir() });

async function outcomeOf(name: string, place: string): Promise<string> {
  try {
    const transport = await transports.byName(name)?.load();
    await using source = await transport?.openSource(corpus("oci", place), ctx);
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

describeWith({ corpus: "oci" }, "every place, by every transport,", () => {
  const folders = ["archive", "containerdisk", "docker-save", "layout", "tar"];
  // The body of a skipped suite runs too.
  const places = folders.flatMap((folder) => {
    const path = corpus("oci", folder);
    return existsSync(path) ? readdirSync(path).map((name) => `${folder}/${name}`) : [];
  });

  it.each(places)("is read or refused as it should be: %s", async (place) => {
    const found: string[] = [];
    for (const name of NAMES) found.push(await outcomeOf(name, place));
    expect(found).toEqual(OUTCOMES[place]);
  });

  it("is in the table", () => {
    expect(Object.keys(OUTCOMES).sort()).toEqual(places.sort());
  });
});
