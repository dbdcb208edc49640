import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { convert } from "../../converters/convert.ts";
import { diffFiles } from "../../converters/diff/files.ts";
import { splitLayers } from "../../converters/ovf-to-oci/layer-split.ts";
import { verify } from "../../converters/verify.ts";
import { createContext } from "../../src/context.ts";
import { type LayerEntry, LayerWriter } from "../../src/oci/layer-writer.ts";
import { listTree, treeOf } from "../oci/tree-listing.ts";
import { type MemoryFiles, memoryFileSystem } from "../support/memory-tree.ts";
import { fixture } from "../support/needs.ts";

const ctx = createContext();

function entriesOf(files: MemoryFiles): () => AsyncIterable<LayerEntry> {
  const fileSystem = memoryFileSystem(files);
  return async function* () {
    for await (const entry of fileSystem.walk()) {
      yield entry.type === "file" ? { entry, content: fileSystem.content(entry) } : { entry };
    }
  };
}

async function written(entries: AsyncIterable<LayerEntry>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const bytes of new LayerWriter(entries, { kind: "none", level: 0 }, ctx).bytes()) {
    parts.push(Uint8Array.from(bytes));
  }
  return Buffer.concat(parts);
}

async function split(entries: () => AsyncIterable<LayerEntry>, limit: number): Promise<Buffer[]> {
  const { count, entries: select } = await splitLayers(entries(), entries, limit, ctx);
  return await Promise.all(Array.from({ length: count }, (_, index) => written(select(index))));
}

describe("files divided among layers", () => {
  const kib = (count: number) => ({ bytes: Buffer.alloc(count << 10, 1) });
  const FILES: MemoryFiles = {
    "a/": { mode: 0o700, xattrs: { "system.posix_acl_default": "\x02\0\0\0" } },
    "a/1": kib(20),
    "a/2": kib(20),
    "a/b/": { uid: 5 },
    "a/b/3": kib(20),
    "a/empty/": { gid: 7 },
    c: kib(90),
    "d/e/f": { hardLinkOf: "a/1" },
    z: kib(1),
  };

  it("come to layers of a size, each with the directories above its files", async () => {
    const layers = await split(entriesOf(FILES), 50 << 10);
    const paths = await Promise.all(
      layers.map(async (layer) => [...(await treeOf([layer])).walk()].map(({ path }) => path)),
    );
    expect(paths).toEqual([
      ["", "a", "a/1", "d", "d/e", "d/e/f"],
      ["", "a", "a/2", "a/b"],
      ["", "a", "a/b", "a/b/3", "a/empty"],
      ["", "c", "d", "d/e"],
      ["", "z"],
    ]);
    expect(layers.map(({ length }) => length <= 50 << 10)).toEqual([true, true, true, false, true]);
  });

  it("refuse to become more layers than engines take", async () => {
    const files = Object.fromEntries(Array.from({ length: 120 }, (_, index) => [`${index}`, kib(9)]));
    await expect(split(entriesOf(files), 4096)).rejects.toMatchObject({ code: "CONTAINER_LAYERS", exitCode: 2 });
  });

  it("are the same files together, and each layer says the same of what it repeats", async () => {
    const name = fc.constantFrom("a", "b", "c");
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));
    const node = fc.record({ size: fc.nat(6000), mode: fc.constantFrom(0o644, 0o4755), link: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(path, node, { maxKeys: 14 }),
        fc.integer({ min: 5000, max: 30_000 }),
        async (nodes, limit) => {
          const free = Object.entries(nodes)
            .filter(([at]) => !Object.keys(nodes).some((other) => other.startsWith(`${at}/`)))
            .sort(([a], [b]) => (a.replaceAll("/", "\0") < b.replaceAll("/", "\0") ? -1 : 1));
          const first = free[0]?.[0];
          const files: MemoryFiles = Object.fromEntries(
            free.map(([at, { size, mode, link }]) =>
              link && first !== undefined && at !== first
                ? [at, { hardLinkOf: first }]
                : [at, { bytes: Buffer.alloc(size, 7), mode }],
            ),
          );
          const whole = await listTree(await treeOf([await written(entriesOf(files)())]));
          const layers = await split(entriesOf(files), limit);
          expect(await listTree(await treeOf(layers))).toEqual(whole);
          const known = new Map(whole.map((row) => [row["path"], row]));
          for (const layer of layers) {
            for (const row of await listTree(await treeOf([layer]))) expect(row).toEqual(known.get(row["path"]));
          }
        },
      ),
      { numRuns: 12 },
    );
  });
});

describe("a machine in several layers", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "transload-split-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("is the same image as in one", async () => {
    const notes: string[] = [];
    const own = createContext({ tmp: folder, diagnostic: ({ code }) => void notes.push(code) });
    const source = fixture("appliances", "hello", "hello.ova");
    const [one, several] = ["one", "several"].map((tag) => `oci:${join(folder, "images")}:${tag}`) as [string, string];
    await convert({ source, destination: one }, own);
    const result = await convert(
      { source, destination: several, maxLayerSize: 4096, compression: { kind: "none", level: 0 } },
      own,
    );
    expect(result.target?.layers?.length).toBeGreaterThan(1);
    expect(await verify(several, own)).toMatchObject({ ok: true });
    expect(await diffFiles(one, several, {}, () => undefined, own)).toMatchObject({ onlyA: 0, onlyB: 0, changed: 0 });
    expect(notes).toContain("CONTAINER_LAYER_LARGE");
  });
});
