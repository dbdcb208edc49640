import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, it } from "vitest";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { parseImageConfig } from "../../src/oci/image-config.ts";
import { parseManifest } from "../../src/oci/manifest.ts";
import { platformText } from "../../src/oci/platform.ts";
import { transports } from "../../src/transport/index.ts";
import { openImage } from "../../src/transport/open-image.ts";
import { verifyImage } from "../../src/transport/verify.ts";
import { corpus, describeWith } from "../support/needs.ts";

/** Transport, place in the corpus, platform and number of layers (or the error's code), and what a full check finds. */
const IMAGES: readonly (readonly [transport: string, place: string, outcome: string, verdict: string])[] = [
  ["oci", "layout/ci-delete_image_multiple_images", "TRANSPORT_AMBIGUOUS", ""],
  ["oci", "layout/ci-delete_image_multiple_images:latest", "linux/amd64 1", "LAYER_COMPRESSION"],
  ["oci", "layout/ci-delete_image_multiple_images:3.17.5", "linux/amd64 1", "LAYER_COMPRESSION"],
  ["oci", "layout/ci-delete_image_multiple_images:1.0.0", "DIGEST_SIZE", "DIGEST_SIZE LAYER_COMPRESSION"],
  ["oci", "layout/ci-delete_image_two_identical_references", "TRANSPORT_AMBIGUOUS", ""],
  ["oci", "layout/ci-delete_image_two_identical_references:1.0.0", "linux/amd64 1", "LAYER_COMPRESSION"],
  ["oci", "layout/ci-name_lookups:a", "TRANSPORT_BLOB_MISSING", ""],
  ["oci", "layout/ci-name_lookups:d", "TRANSPORT_BLOB_MISSING", ""],
  ["oci", "layout/ci-name_lookups:nowhere", "TRANSPORT_TAG_MISSING", ""],
  ["oci", "layout/ci-name_lookups:invalid-mime", "OCI_MEDIA_TYPE", ""],
  ["oci", "layout/ggcr-test_gc_image_unknown_mediatype", "OCI_MEDIA_TYPE", ""],
  ["oci", "layout/ggcr-test_index", "TRANSPORT_AMBIGUOUS", ""],
  ["oci", "layout/ggcr-test_index:1", "OCI_MANIFEST_MEDIA_TYPE", "OCI_MANIFEST_MEDIA_TYPE"],
  ["oci", "layout/ggcr-test_index:2", "OCI_MEDIA_TYPE", ""],
  ["oci", "layout/ggcr-test_index:3", "OCI_MANIFEST_MEDIA_TYPE", "OCI_MANIFEST_MEDIA_TYPE"],
  ["oci", "layout/ggcr-test_index:4", "OCI_MANIFEST_MEDIA_TYPE", "OCI_MANIFEST_MEDIA_TYPE"],
  ["oci", "layout/ggcr-test_index_media_type", "artifact 1", "ok"],
  ["oci", "layout/ggcr-test_index_one_image", "linux/amd64 1", "ok"],
  ["oci", "layout/oras-artifacts", "TRANSPORT_AMBIGUOUS", ""],
  ["oci", "layout/oras-artifacts:unnamed", "artifact 1", "ok"],
  ["oci", "layout/oras-artifacts:foobar", "artifact 3", "ok"],
  ["oci", "layout/oras-artifacts:v1.3.8", "artifact 1", "ok"],
  ["oci", "layout/oras-artifacts:empty", "artifact 1", "ok"],
  ["oci", "layout/oras-artifacts:config", "linux/amd64 1", "OCI_DIFF_ID_COUNT"],
  ["oci", "layout/oras-artifacts:blob", "artifact 1", "ok"],
  ["oci", "layout/oras-images:linux-armv7", "linux/arm 1", "OCI_DIFF_ID_COUNT"],
  ["oci", "layout/oras-images:linux-arm64", "linux/arm64 1", "OCI_DIFF_ID_COUNT"],
  ["oci", "layout/oras-images:nonjson-config", "artifact 1", "ok"],
  ["oci", "layout/oras-images:empty_index", "TRANSPORT_PLATFORM_MISSING", "ok"],
  ["oci", "layout/oras-images:multi", "linux/amd64 1", "OCI_DIFF_ID_COUNT"],
  ["oci", "layout/stereoscope-valid_oci_dir", "linux/amd64 1", "ok"],
  ["oci", "layout/stereoscope-valid_oci_dir:1.0", "linux/amd64 1", "ok"],
  ["oci-archive", "archive/stereoscope-valid-oci.tar", "linux/amd64 1", "ok"],
  ["docker-archive", "archive/stereoscope-valid-oci.tar", "TRANSPORT_ARCHIVE_MANIFEST", ""],
  ["oci-archive", "containerdisk/archive.tar", "TRANSPORT_LAYOUT_MISSING", ""],
  ["oci-archive", "containerdisk/bootc-registry-image.tar", "linux/amd64 1", "ok"],
  ["docker-archive", "docker-save/ci-almostempty.tar", "linux/amd64 1", "ok"],
  ["docker-archive", "docker-save/hello-world-v25.tar", "linux/arm64 1", "ok"],
  ["oci-archive", "docker-save/hello-world-v25.tar", "TRANSPORT_IMAGE_MISSING", ""],
  ["docker-archive", "docker-save/mutate-source_image.tar", "linux/amd64 1", "ok"],
  ["docker-archive", "docker-save/mutate-source_image_with_empty_layer_history.tar", "linux/amd64 1", "ok"],
  ["docker-archive", "docker-save/mutate-whiteout_image.tar", "linux/amd64 3", "ok"],
  ["docker-archive", "docker-save/no_manifest.tar", "TRANSPORT_LEGACY_ARCHIVE", ""],
  ["docker-archive", "docker-save/null_manifest.tar", "TRANSPORT_ARCHIVE_MANIFEST", ""],
  ["docker-archive", "docker-save/test_bundle.tar", "TRANSPORT_AMBIGUOUS", ""],
  ["docker-archive", "docker-save/test_bundle.tar:test_image_1", "linux/amd64 1", "ok"],
  ["docker-archive", "docker-save/test_bundle.tar:@0", "linux/amd64 1", "ok"],
  ["docker-archive", "docker-save/test_image_1.tar", "linux/amd64 1", "ok"],
  ["docker-archive", "tar/content.tar", "TRANSPORT_ARCHIVE_MANIFEST", ""],
  ["docker-archive", "tar/content.tar.zst", "TRANSPORT_ARCHIVE_MANIFEST", ""],
];

/** Document, and what it is: a config with its layers and steps, a manifest or index with its parts, or the error's code. */
const DOCUMENTS: ReadonlyMap<string, string> = new Map([
  ["ci-internal-image-fixtures-oci1", "manifest 5 oci"],
  ["ci-internal-image-fixtures-oci1-all-media-types", "manifest 6 oci"],
  ["ci-internal-image-fixtures-oci1-all-media-types-config", "config linux/amd64 6 16"],
  ["ci-internal-image-fixtures-oci1-all-media-types-to-schema2", "manifest 6 docker"],
  ["ci-internal-image-fixtures-oci1-all-media-types-to-schema2-config", "config linux/amd64 6 16"],
  ["ci-internal-image-fixtures-oci1-artifact", "manifest 5 oci"],
  ["ci-internal-image-fixtures-oci1-config", "config linux/amd64 5 15"],
  ["ci-internal-image-fixtures-oci1-config-extra-fields", "config linux/amd64 5 15"],
  ["ci-internal-image-fixtures-oci1-extra-config-fields", "manifest 5 oci"],
  ["ci-internal-image-fixtures-oci1-invalid-media-type", "manifest 1 oci"],
  ["ci-internal-image-fixtures-oci1-to-schema2", "manifest 5 docker"],
  ["ci-internal-image-fixtures-oci1-to-schema2-config", "config linux/amd64 5 15"],
  ["ci-internal-image-fixtures-oci1.encrypted", "manifest 5 oci"],
  ["ci-internal-image-fixtures-schema2", "manifest 5 docker"],
  ["ci-internal-image-fixtures-schema2-all-media-types", "manifest 5 docker"],
  ["ci-internal-image-fixtures-schema2-all-media-types-to-oci1", "manifest 5 oci"],
  ["ci-internal-image-fixtures-schema2-config", "config linux/amd64 5 15"],
  ["ci-internal-image-fixtures-schema2-invalid-media-type", "manifest 5 docker"],
  ["ci-internal-image-fixtures-schema2-to-oci1", "manifest 5 oci"],
  ["ci-internal-image-fixtures-schema2-to-oci1-config", "config linux/amd64 5 15"],
  ["ci-internal-manifest-testdata-non-json.manifest", "OCI_DOCUMENT_FORM"],
  ["ci-internal-manifest-testdata-oci1.index.everything", "index 1 oci"],
  ["ci-internal-manifest-testdata-oci1.index.zstd-selection", "index 6 oci"],
  ["ci-internal-manifest-testdata-oci1.index.zstd-selection2", "index 10 oci"],
  ["ci-internal-manifest-testdata-oci1index", "index 3 oci"],
  ["ci-internal-manifest-testdata-ocilist-variants", "index 6 oci"],
  ["ci-internal-manifest-testdata-ociv1.artifact", "DIGEST_FORM"],
  ["ci-internal-manifest-testdata-ociv1.image.index", "index 2 oci"],
  ["ci-internal-manifest-testdata-ociv1.manifest", "manifest 3 oci"],
  ["ci-internal-manifest-testdata-ociv1nomime.artifact", "DIGEST_FORM"],
  ["ci-internal-manifest-testdata-ociv1nomime.image.index", "index 2 oci"],
  ["ci-internal-manifest-testdata-ociv1nomime.manifest", "manifest 3 oci"],
  ["ci-internal-manifest-testdata-schema2list", "index 7 docker"],
  ["ci-internal-manifest-testdata-schema2list-variants", "index 4 docker"],
  ["ci-internal-manifest-testdata-unknown-version.manifest", "OCI_SCHEMA_VERSION"],
  ["ci-internal-manifest-testdata-v2list.everything", "index 1 docker"],
  ["ci-internal-manifest-testdata-v2list.manifest", "index 5 docker"],
  ["ci-internal-manifest-testdata-v2s2.manifest", "manifest 3 docker"],
  ["ci-internal-manifest-testdata-v2s2nomime.manifest", "manifest 0 docker"],
  ["ci-manifest-fixtures-non-json.manifest", "OCI_DOCUMENT_FORM"],
  ["ci-manifest-fixtures-ociv1.artifact", "OCI_DOCUMENT_FORM"],
  ["ci-manifest-fixtures-ociv1.encrypted.manifest", "manifest 3 oci"],
  ["ci-manifest-fixtures-ociv1.everything", "manifest 1 oci"],
  ["ci-manifest-fixtures-ociv1.image.index", "OCI_DOCUMENT_FORM"],
  ["ci-manifest-fixtures-ociv1.invalid.mediatype.manifest", "manifest 3 oci"],
  ["ci-manifest-fixtures-ociv1.manifest", "OCI_DOCUMENT_FORM"],
  ["ci-manifest-fixtures-ociv1.nondistributable.gzip.manifest", "manifest 1 oci"],
  ["ci-manifest-fixtures-ociv1.nondistributable.manifest", "manifest 1 oci"],
  ["ci-manifest-fixtures-ociv1.nondistributable.zstd.manifest", "manifest 1 oci"],
  ["ci-manifest-fixtures-ociv1.uncompressed.manifest", "manifest 3 oci"],
  ["ci-manifest-fixtures-ociv1.zstd.manifest", "manifest 3 oci"],
  ["ci-manifest-fixtures-ociv1nomime.artifact", "OCI_DOCUMENT_FORM"],
  ["ci-manifest-fixtures-ociv1nomime.image.index", "OCI_DOCUMENT_FORM"],
  ["ci-manifest-fixtures-ociv1nomime.manifest", "OCI_DOCUMENT_FORM"],
  ["ci-manifest-fixtures-unknown-version.manifest", "OCI_DOCUMENT_FORM"],
  ["ci-manifest-fixtures-v2list.manifest", "OCI_DOCUMENT_FORM"],
  ["ci-manifest-fixtures-v2s2.everything", "manifest 1 docker"],
  ["ci-manifest-fixtures-v2s2.manifest", "OCI_DOCUMENT_FORM"],
  ["ci-manifest-fixtures-v2s2.nondistributable.gzip.manifest", "manifest 1 docker"],
  ["ci-manifest-fixtures-v2s2.nondistributable.manifest", "manifest 1 docker"],
  ["ci-manifest-fixtures-v2s2.uncompressed.manifest", "manifest 3 docker"],
  ["ci-manifest-fixtures-v2s2nomime.manifest", "OCI_DOCUMENT_FORM"],
  ["docker-manifest-multi", "OCI_DOCUMENT_FORM"],
]);

const ctx = createContext({ tmp: tmpdir() });

async function codeOf(work: () => Promise<string>): Promise<string> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof ConverterError) return cause.code;
    throw cause;
  }
}

describeWith({ corpus: "oci" }, "real images", () => {
  it.each(IMAGES)("%s:%s is %s, checked: %s", async (transport, place, outcome, verdict) => {
    let found = "";
    const opened = await codeOf(async () => {
      const format = await transports.byName(transport)?.load();
      await using source = await format?.openSource(corpus("oci", place), ctx);
      if (source === undefined) throw new Error(transport);
      if (verdict !== "") {
        const report = await verifyImage(source, ctx);
        found = report.ok ? "ok" : [...new Set(report.findings.map(({ code }) => code))].join(" ");
      }
      const image = await openImage(source, undefined, ctx);
      const kind = image.config === undefined ? "artifact" : platformText(image.config.platform);
      return `${kind} ${image.manifest.layers.length}`;
    });
    expect([opened, found]).toEqual([outcome, verdict]);
  });
});

describeWith({ corpus: "oci" }, "real documents", () => {
  const folder = corpus("oci", "json");
  const names = existsSync(folder) ? readdirSync(folder).map((file) => file.replace(/\.json$/, "")) : [];

  it.each(names)("%s", async (name) => {
    const bytes = readFileSync(corpus("oci", "json", `${name}.json`));
    const outcome = await codeOf(async () => {
      if (DOCUMENTS.get(name)?.startsWith("config") === true) {
        const { platform, diffIds, history } = parseImageConfig(bytes, name);
        return `config ${platformText(platform)} ${diffIds.length} ${history.length}`;
      }
      const document = parseManifest(bytes, undefined, name);
      const parts = document.kind === "index" ? document.manifests : document.layers;
      const world = document.mediaType.includes("docker") ? "docker" : "oci";
      return `${document.kind} ${parts.length} ${world}`;
    });
    expect(outcome).toBe(DOCUMENTS.get(name));
  });
});
