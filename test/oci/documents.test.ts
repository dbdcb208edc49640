import { existsSync, readdirSync, readFileSync } from "node:fs";
import draft04 from "ajv-draft-04";
import formats from "ajv-formats";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256 } from "../../src/bytes/digest.ts";
import { ConverterError } from "../../src/errors.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { type ImageConfig, imageConfig, parseImageConfig } from "../../src/oci/image-config.ts";
import { imageIndex, imageManifest, parseManifest } from "../../src/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/oci/media-types.ts";
import { choosePlatform, platformText } from "../../src/oci/platform.ts";
import { corpus, describeWith } from "../support/needs.ts";

const CONFIG: ImageConfig = {
  created: "2026-01-02T03:04:05Z",
  author: "somebody",
  platform: { os: "linux", architecture: "arm64", variant: "v8" },
  execution: {
    user: "1000:1000",
    exposedPorts: ["443/tcp", "80/tcp"],
    env: ["PATH=/bin", "A="],
    entrypoint: ["/sbin/init"],
    cmd: ["--x"],
    volumes: ["/var/lib/data"],
    workingDir: "/srv",
    labels: { a: "1", b: "2" },
    stopSignal: "SIGRTMIN+3",
  },
  diffIds: [sha256(Buffer.from("layer"))],
  history: [
    { created: "2026-01-02T03:04:05Z", createdBy: "transload" },
    { comment: "env", emptyLayer: true },
  ],
};

const LAYER: Descriptor = {
  mediaType: MEDIA_TYPES.layerGzip,
  digest: sha256(Buffer.from("gzip")),
  size: 4,
  annotations: { "x.b": "2", "x.a": "1" },
};

const MANIFEST = {
  mediaType: MEDIA_TYPES.manifest,
  config: { mediaType: MEDIA_TYPES.config, digest: sha256(imageConfig(CONFIG)), size: imageConfig(CONFIG).length },
  layers: [LAYER],
  annotations: { "org.example.b": "2", "org.example.a": "1" },
} as const;

const ENTRY: Descriptor = {
  mediaType: MEDIA_TYPES.manifest,
  digest: sha256(imageManifest(MANIFEST)),
  size: imageManifest(MANIFEST).length,
  platform: { os: "linux", architecture: "arm", variant: "v7" },
};

const INDEX = { mediaType: MEDIA_TYPES.index, manifests: [ENTRY] } as const;

const bytes = (text: string) => Buffer.from(text);

describe("documents", () => {
  it("are read back as they were written", () => {
    expect(parseImageConfig(imageConfig(CONFIG), "config")).toEqual(CONFIG);
    expect(parseManifest(imageManifest(MANIFEST), MEDIA_TYPES.manifest, "manifest")).toEqual({
      kind: "manifest",
      ...MANIFEST,
    });
    expect(parseManifest(imageIndex(INDEX), MEDIA_TYPES.index, "index")).toEqual({ kind: "index", ...INDEX });
  });

  it("are compact, in a fixed order, whatever the order of what they are made from", () => {
    expect(Buffer.from(imageManifest(MANIFEST)).toString()).toMatch(
      /^\{"schemaVersion":2,"mediaType":"application\/vnd\.oci\.image\.manifest\.v1\+json","config":\{"mediaType":/,
    );
    const turned = { ...MANIFEST, annotations: { "org.example.a": "1", "org.example.b": "2" } };
    expect(imageManifest(turned)).toEqual(imageManifest(MANIFEST));
    const labels = { b: "2", a: "1" };
    const execution = { ...CONFIG.execution, labels, exposedPorts: ["80/tcp", "443/tcp"] };
    expect(imageConfig({ ...CONFIG, execution })).toEqual(imageConfig(CONFIG));
  });

  it("may have null in every optional field", () => {
    const config = parseImageConfig(
      bytes(
        `{"architecture":"amd64","os":"linux","created":null,"author":null,"variant":null,"config":{"Env":null,"Cmd":null,
         "User":null,"Labels":null,"ExposedPorts":null,"Volumes":null,"Entrypoint":null},"rootfs":{"type":"layers",
         "diff_ids":null},"history":null}`,
      ),
      "config",
    );
    expect(config).toEqual({
      platform: { os: "linux", architecture: "amd64" },
      execution: {},
      diffIds: [],
      history: [],
    });
    expect(parseImageConfig(bytes('{"architecture":"amd64","os":"linux","config":null}'), "config").execution).toEqual(
      {},
    );
  });

  const digest = `sha256:${"0".repeat(64)}`;
  const config = `"config":{"mediaType":"x","digest":"${digest}","size":1}`;
  it.each([
    ["OCI_DOCUMENT_FORM", "{"],
    ["OCI_DOCUMENT_FORM", "[]"],
    ["OCI_DOCUMENT_FORM", "{}"],
    ["OCI_DOCUMENT_FORM", '{"schemaVersion":2,"layers":[]}'],
    ["OCI_DOCUMENT_FORM", `{"schemaVersion":2,${config},"layers":{}}`],
    ["OCI_DOCUMENT_FORM", `{"schemaVersion":2,"config":{"mediaType":"x","digest":"${digest}","size":-1}}`],
    ["OCI_DOCUMENT_FORM", `{"schemaVersion":2,"config":{"mediaType":"x","digest":"${digest}","size":1.5}}`],
    ["OCI_DOCUMENT_FORM", `{"schemaVersion":2,"config":{"mediaType":1,"digest":"${digest}","size":1}}`],
    ["DIGEST_FORM", '{"schemaVersion":2,"config":{"mediaType":"x","digest":"sha256:00","size":1}}'],
    ["DIGEST_ALGORITHM", '{"schemaVersion":2,"config":{"mediaType":"x","digest":"md5:00","size":1}}'],
    ["OCI_DUPLICATE_KEY", `{"schemaVersion":2,${config},"layers":[],"\\u006cayers":[]}`],
    ["OCI_DUPLICATE_KEY", `{"schemaVersion":2,${config},"annotations":{"a":"{","b":"\\"","a":""}}`],
    ["OCI_MANIFEST_AMBIGUOUS", `{"schemaVersion":2,${config},"manifests":[]}`],
    ["OCI_SCHEMA_VERSION", '{"schemaVersion":1}'],
    ["OCI_MEDIA_TYPE", '{"schemaVersion":2,"mediaType":"text/plain"}'],
    ["OCI_DOCUMENT_TOO_LARGE", `{"schemaVersion":2,"x":"${"x".repeat(4 << 20)}"}`],
  ])("are refused with %s", (code, text) => {
    expect(() => parseManifest(bytes(text), undefined, "m")).toThrow(expect.objectContaining({ code }));
  });

  it("must be what their descriptor says", () => {
    const error = expect.objectContaining({ code: "OCI_MANIFEST_MEDIA_TYPE" });
    expect(() => parseManifest(imageManifest(MANIFEST), MEDIA_TYPES.index, "m")).toThrow(error);
    expect(() => parseManifest(imageIndex(INDEX), MEDIA_TYPES.manifest, "m")).toThrow(error);
  });

  it("of any bytes at all are parsed or refused", () => {
    const whole = Buffer.concat([imageManifest(MANIFEST), imageConfig(CONFIG)]);
    const mutations = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.integer({ min: 0x20, max: 0x7d })), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(mutations, (changes) => {
        const mutant = Buffer.from(whole);
        for (const [at, byte] of changes) mutant[at] = byte;
        const split = imageManifest(MANIFEST).length;
        for (const parse of [
          () => parseManifest(mutant.subarray(0, split), undefined, "m"),
          () => parseImageConfig(mutant.subarray(split), "c"),
        ]) {
          try {
            parse();
          } catch (cause) {
            expect(cause).toBeInstanceOf(ConverterError);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it("nested as deep as they fit cost no stack", () => {
    const deep = bytes(`{"schemaVersion":2,"x":${"[".repeat(1 << 17)}${"]".repeat(1 << 17)}}`);
    expect(parseManifest(deep, undefined, "m")).toMatchObject({ kind: "index", manifests: [] });
  });
});

describe("the platform of an index", () => {
  const entry = (text: string, more: Partial<Descriptor> = {}): Descriptor => {
    const [os = "", architecture = "", variant] = text.split("/");
    return { ...ENTRY, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) }, ...more };
  };
  const wanted = (text: string) => entry(text).platform ?? { os: "", architecture: "" };

  it.each([
    ["linux/amd64", ["linux/arm64", "linux/amd64"], 1],
    ["linux/amd64", ["linux/amd64/v2", "linux/amd64"], 1],
    ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], 1],
    ["linux/arm64", ["linux/arm64/v8"], 0],
    ["linux/arm64/v8", ["linux/arm64"], 0],
    ["linux/arm", ["linux/arm/v6", "linux/arm/v7", "linux/arm/v7"], 1],
    ["linux/arm/v6", ["linux/arm/v7", "linux/arm/v5"], 1],
    ["linux/ppc64le", ["linux/ppc64", "linux/amd64"], undefined],
    ["linux/amd64", ["unknown/unknown", "windows/amd64"], undefined],
  ])("%s among %j is number %s", (platform, list, expected) => {
    const manifests = list.map((text) => entry(text));
    const chosen = choosePlatform(manifests, wanted(platform));
    expect(chosen === undefined ? undefined : manifests.indexOf(chosen)).toBe(expected);
  });

  it("is never an attestation or something unknown", () => {
    const attestation = entry("linux/amd64", { annotations: { "vnd.docker.reference.type": "attestation-manifest" } });
    expect(
      choosePlatform([attestation, entry("linux/amd64", { mediaType: "x" })], wanted("linux/amd64")),
    ).toBeUndefined();
    expect(platformText(wanted("linux/arm64/v8"))).toBe("linux/arm64");
    expect(platformText(wanted("linux/arm/v6"))).toBe("linux/arm/v6");
  });
});

describeWith({ corpus: "oci-schema" }, "the specification's schemas", () => {
  type Schema = Record<string, unknown>;
  const folder = corpus("oci-schema");
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".json")) : [];
  const withoutInnerIds = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(withoutInnerIds);
    if (value === null || typeof value !== "object") return value;
    const entries = Object.entries(value).filter(([key, text]) => key !== "id" || typeof text !== "string");
    return Object.fromEntries(entries.map(([key, inner]) => [key, withoutInnerIds(inner)]));
  };
  const validate = (name: string, document: Uint8Array): unknown => {
    const ajv = new draft04.default({ strict: false });
    formats.default(ajv as never);
    for (const file of names) {
      const schema = withoutInnerIds(JSON.parse(readFileSync(corpus("oci-schema", file), "utf8"))) as Schema;
      for (const base of ["https://opencontainers.org/schema/", "https://opencontainers.org/schema/image/"]) {
        ajv.addSchema({ ...schema, id: `${base}${file}` });
      }
    }
    const check = ajv.getSchema(`https://opencontainers.org/schema/image/${name}`);
    check?.(JSON.parse(Buffer.from(document).toString()));
    return check === undefined ? "no such schema" : check.errors;
  };

  it.each([
    ["config-schema.json", imageConfig(CONFIG)],
    ["config-schema.json", imageConfig({ ...CONFIG, execution: {}, history: [] })],
    ["image-manifest-schema.json", imageManifest(MANIFEST)],
    ["image-manifest-schema.json", imageManifest({ ...MANIFEST, subject: ENTRY, artifactType: "application/x" })],
    ["image-index-schema.json", imageIndex(INDEX)],
    ["image-layout-schema.json", Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
  ])("%s accepts what we write", (name, document) => {
    expect(validate(name, document)).toBeNull();
  });

  it("do find mistakes", () => {
    expect(validate("image-manifest-schema.json", Buffer.from('{"schemaVersion":1}'))).not.toBeNull();
  });
});
