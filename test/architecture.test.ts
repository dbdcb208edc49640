import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** room -> rooms it may import from (besides itself). The first prefix that fits a file is its room. */
const ROOMS: readonly (readonly [prefix: string, room: string, allowed: readonly string[] | "everything"])[] = [
  ["src/errors.ts", "errors", []],
  ["src/context.ts", "context", ["errors"]],
  ["src/catalog.ts", "catalog", ["errors", "context", "bytes"]],
  [
    "src/index.ts",
    "index",
    [
      "errors",
      "context",
      "catalog",
      "bytes",
      "archive",
      "ovf",
      "disk",
      "volume",
      "filesystem",
      "boot",
      "oci",
      "transport",
      "converters",
      "batch",
    ],
  ],
  ["src/bytes/", "bytes", ["errors", "context"]],
  ["src/archive/", "archive", ["errors", "context", "bytes", "catalog"]],
  ["src/disk/", "disk", ["errors", "context", "bytes", "catalog"]],
  ["src/volume/", "volume", ["errors", "context", "bytes", "catalog"]],
  ["src/filesystem/", "filesystem", ["errors", "context", "bytes", "catalog"]],
  ["src/boot/", "boot", ["errors", "context", "bytes", "catalog"]],
  ["src/oci/", "oci", ["errors", "context", "bytes", "catalog", "archive"]],
  ["src/ovf/", "ovf", ["errors", "context", "bytes", "catalog", "archive"]],
  ["src/transport/", "transport", ["errors", "context", "bytes", "catalog", "archive", "oci"]],
  [
    "converters/",
    "converters",
    [
      "errors",
      "context",
      "catalog",
      "bytes",
      "archive",
      "ovf",
      "disk",
      "volume",
      "filesystem",
      "boot",
      "oci",
      "transport",
    ],
  ],
  [
    "src/batch/",
    "batch",
    [
      "errors",
      "context",
      "catalog",
      "bytes",
      "archive",
      "ovf",
      "disk",
      "volume",
      "filesystem",
      "boot",
      "oci",
      "transport",
      "converters",
    ],
  ],
  ["src/cli/", "cli", "everything"],
];

/** Each package has one door. */
const DOORS: Readonly<Record<string, string>> = {
  "tar-stream": "src/archive/tar.ts",
  "fast-xml-parser": "src/ovf/xml.ts",
  yargs: "src/cli/",
  "yargs/helpers": "src/cli/",
  pino: "src/cli/log.ts",
  yaml: "src/cli/config.ts",
  fzstd: "src/bytes/decompress.ts",
  "smol-toml": "src/transport/docker/registries-conf.ts",
};

const SPECIFIER = /(?:^|[^\w.])(?:import|export)\s*(?:type\s)?(?:[^"'()]*?\sfrom\s*)?\(?\s*["']([^"']+)["']/gm;

interface Import {
  readonly file: string;
  readonly specifier: string;
}

function importsOf(file: string, text: string): Import[] {
  return [...text.matchAll(SPECIFIER)].map(([, specifier = ""]) => ({ file, specifier }));
}

function room(file: string): (typeof ROOMS)[number] | undefined {
  return ROOMS.find(([prefix]) => file.startsWith(prefix));
}

function violation({ file, specifier }: Import): string | undefined {
  const from = room(file);
  if (from === undefined) return `${file} stands in no room`;
  if (!specifier.startsWith(".")) {
    const door = DOORS[specifier];
    if (specifier.startsWith("node:") || (door !== undefined && file.startsWith(door))) return undefined;
    return `${file} -> ${specifier}`;
  }
  const target = normalize(join(dirname(file), specifier));
  const to = room(target);
  if (to === undefined) return `${file} -> ${specifier}`;
  const [, own, allowed] = from;
  return allowed === "everything" || own === to[1] || allowed.includes(to[1]) ? undefined : `${file} -> ${specifier}`;
}

function sourceFiles(): string[] {
  return ["src", "converters"]
    .flatMap((top) => readdirSync(join(ROOT, top), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)));
}

describe("architecture", () => {
  it("imports only in the allowed directions, packages only through their doors", () => {
    const all = sourceFiles().flatMap((file) => importsOf(file, readFileSync(join(ROOT, file), "utf8")));
    expect(all.length).toBeGreaterThan(20);
    expect(all.map(violation).filter((found) => found !== undefined)).toEqual([]);
  });

  it.each([
    ["src/disk/raw.ts", 'import { x } from "../filesystem/ext4/reader.ts";'],
    ["src/bytes/slice.ts", 'export * from "../oci/descriptor.ts";'],
    ["src/ovf/package.ts", 'const { y } = await import("../transport/oci.ts");'],
    ["converters/index.ts", 'import type { Z } from "../src/cli/main.ts";'],
    ["src/oci/layer-writer.ts", 'import tar from "tar-stream";'],
    ["src/nowhere/a.ts", 'import "../errors.ts";'],
  ])("finds a planted violation in %s", (file, text) => {
    expect(importsOf(file, text).map(violation)).not.toContain(undefined);
  });
});
