import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GuestTree, type Mount, mountTree } from "../../converters/guest/tree.ts";
import { type BytePath, joinPath } from "../../src/bytes/byte-path.ts";
import { readAll } from "../../src/bytes/byte-source.ts";
import type { DirectoryEntry, Entry } from "../../src/bytes/entry.ts";
import { InMemoryFileSystem, type Node } from "./in-memory-file-system.ts";

async function walked(tree: GuestTree, enter?: (directory: DirectoryEntry) => boolean): Promise<Entry[]> {
  const all: Entry[] = [];
  for await (const entry of tree.walk(enter)) all.push(entry);
  return all;
}

const paths = (entries: readonly Entry[]) => entries.map(({ path }) => path);

async function text(tree: GuestTree, path: BytePath): Promise<string | undefined> {
  const bytes = await tree.readFile(path);
  return bytes && Buffer.from(bytes).toString("latin1");
}

const ROOT = new InMemoryFileSystem({
  "boot/hidden": "under the mount",
  "boot-2": "b",
  bin: { target: "usr/bin" },
  "etc/fstab": "fstab",
  "usr/bin/sh": "sh",
  "usr/bin/bash": { linkTo: "usr/bin/sh" },
  "var/tmp": { target: "/boot/efi" },
  loop: { target: "loop" },
});
const BOOT = new InMemoryFileSystem({ efi: null, vmlinuz: "kernel" });
const EFI = new InMemoryFileSystem({ "EFI/BOOT/BOOTX64.EFI": "loader" });
const tree = mountTree([
  { path: "", fileSystem: ROOT },
  { path: "boot", fileSystem: BOOT },
  { path: "boot/efi", fileSystem: EFI },
]);

describe("a guest tree", () => {
  it("gives parents first and names in byte order across mounts, which hide what lies under them", async () => {
    expect(paths(await walked(tree))).toEqual([
      "",
      "bin",
      "boot",
      "boot/efi",
      "boot/efi/EFI",
      "boot/efi/EFI/BOOT",
      "boot/efi/EFI/BOOT/BOOTX64.EFI",
      "boot/vmlinuz",
      "boot-2",
      "etc",
      "etc/fstab",
      "loop",
      "usr",
      "usr/bin",
      "usr/bin/bash",
      "usr/bin/sh",
      "var",
      "var/tmp",
    ]);
    expect(await tree.lookup("boot/hidden")).toBeUndefined();
  });

  it("numbers inodes uniquely and keeps hard links together", async () => {
    const entries = await walked(tree);
    const byPath = new Map(entries.map((entry) => [entry.path, entry.inode]));
    expect(byPath.get("usr/bin/bash")).toBe(byPath.get("usr/bin/sh"));
    expect(new Set(byPath.values()).size).toBe(entries.length - 1);
  });

  it("asks `enter` once for each directory in its place, and leaves out what lies in a refused one, mounts too", async () => {
    const asked: BytePath[] = [];
    const found = await walked(tree, ({ path }) => {
      asked.push(path);
      return path !== "boot" && path !== "usr";
    });
    expect(asked).toEqual(["", "boot", "etc", "usr", "var"]);
    expect(paths(found)).toEqual(["", "bin", "boot", "boot-2", "etc", "etc/fstab", "loop", "usr", "var", "var/tmp"]);
    const boot = found.find(({ path }) => path === "boot");
    expect(boot).toEqual(await tree.lookup("boot"));
  });

  it("reads, lists and follows through symlinks and mounts", async () => {
    expect(await text(tree, "bin/sh")).toBe("sh");
    expect(await text(tree, "var/tmp/EFI/BOOT/BOOTX64.EFI")).toBe("loader");
    expect(await text(tree, "boot/hidden")).toBeUndefined();
    expect(await text(tree, "boot")).toBeUndefined();
    expect(await tree.follow("loop")).toBeUndefined();
    expect((await tree.follow("bin"))?.path).toBe("usr/bin");
    expect(paths(await tree.list("bin"))).toEqual(["usr/bin/bash", "usr/bin/sh"]);
    expect(paths(await tree.list("boot"))).toEqual(["boot/efi", "boot/vmlinuz"]);
    expect(paths(await tree.list("var/tmp"))).toEqual(["boot/efi/EFI"]);
    expect(paths(await tree.list(""))).toEqual(["bin", "boot", "boot-2", "etc", "loop", "usr", "var"]);
    expect(await tree.list("etc/fstab")).toEqual([]);
    expect(await tree.list("nowhere")).toEqual([]);
    await expect(tree.readFile("etc/fstab", 4)).rejects.toMatchObject({ code: "BYTES_TOO_LARGE" });
  });

  it("has numbers for inodes that are too large for its scheme", async () => {
    const odd = new InMemoryFileSystem({ a: "1", b: { linkTo: "a" }, c: "2" }, { inodeBase: 2 ** 50 });
    const merged = mountTree([
      { path: "", fileSystem: new InMemoryFileSystem({ data: null, more: null }, { inodeBase: 2 ** 50 }) },
      { path: "data", fileSystem: odd },
      { path: "more", fileSystem: odd },
    ]);
    const entries = await walked(merged);
    const inode = (path: BytePath) => entries.find((entry) => entry.path === path)?.inode;
    expect(inode("data/a")).toBe(inode("data/b"));
    expect(inode("data/a")).not.toBe(inode("more/a"));
    expect(new Set(entries.map((entry) => entry.inode)).size).toBe(7);
    expect(entries.every((entry) => Number.isSafeInteger(entry.inode))).toBe(true);
    expect(await text(merged, "data/c")).toBe("2");
    expect(await text(merged, "more/b")).toBe("1");
  });

  it("takes content by copies of entries, and throws a programming error for a stranger's", async () => {
    const entry = await tree.lookup("boot/vmlinuz");
    if (entry?.type !== "file") throw new Error("no file");
    expect(await readAll(tree.content({ ...entry, mode: 0 }), 100)).toEqual(Buffer.from("kernel"));
    expect(() => tree.content({ ...entry, inode: 200 * 2 ** 44 })).toThrow("not of this tree");
  });

  it("costs little beside the walk of the file systems themselves", async () => {
    const nodes: Record<BytePath, Node> = { mnt: null };
    for (let i = 0; i < 20_000; i++) nodes[`d${i % 100}/f${i}`] = "";
    const large = new InMemoryFileSystem(nodes);
    const merged = mountTree([
      { path: "", fileSystem: large },
      { path: "mnt", fileSystem: large },
    ]);
    const timed = async (walk: AsyncIterable<Entry>): Promise<number> => {
      const start = performance.now();
      for await (const _ of walk);
      return performance.now() - start;
    };
    const alone = await timed(large.walk());
    // Measured: 2 to 3 times as long for twice the entries.
    expect(await timed(merged.walk())).toBeLessThan(alone * 20);
  });
});

/** The same tree put together without thought: a map from every path to what is there, mount after mount. */
function naive(mounts: readonly Mount[]): Map<BytePath, Entry> {
  let all = new Map<BytePath, Entry>();
  for (const { path: at, fileSystem } of mounts) {
    all = new Map([...all].filter(([path]) => at !== "" && path !== at && !path.startsWith(`${at}/`)));
    for (const [path, entry] of (fileSystem as InMemoryFileSystem).entries) {
      const place = path === "" ? at : joinPath(at, path);
      all.set(place, { ...entry, path: place });
    }
  }
  return all;
}

const componentWise = (a: BytePath, b: BytePath) => {
  const [left, right] = [a.split("/"), b.split("/")];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return (left[i] as string) < (right[i] as string) ? -1 : 1;
  }
  return left.length - right.length;
};

const NAME = fc.constantFrom("a", "b", "a-", "a.b", "\xff", "A", "z");
const PATH = fc.array(NAME, { minLength: 1, maxLength: 4 }).map((names) => names.join("/"));
const NODES = fc.uniqueArray(fc.tuple(PATH, fc.option(fc.string({ maxLength: 3, unit: "binary-ascii" }))), {
  selector: ([path]) => path,
  maxLength: 25,
});

/** A file cannot have children: those paths are left out. */
function fileSystemOf(nodes: readonly (readonly [BytePath, string | null])[]): InMemoryFileSystem {
  const files = nodes.filter(([, node]) => node !== null).map(([path]) => path);
  const possible = nodes.filter(([path]) => !files.some((file) => path.startsWith(`${file}/`)));
  return new InMemoryFileSystem(Object.fromEntries(possible));
}

describe("a guest tree of any mounts", () => {
  it("equals the same tree assembled naively", async () => {
    await fc.assert(
      fc.asyncProperty(NODES, fc.array(fc.tuple(NODES, fc.nat()), { maxLength: 4 }), async (rootNodes, others) => {
        const mounts: [Mount, ...Mount[]] = [{ path: "", fileSystem: fileSystemOf(rootNodes) }];
        for (const [nodes, choice] of others) {
          const deepest = mounts.at(-1)?.path ?? "";
          const points = [...naive(mounts).values()]
            .filter(({ type, path }) => type === "directory" && path.length >= deepest.length && path !== "")
            .map(({ path }) => path);
          const path = points[choice % Math.max(points.length, 1)];
          if (path !== undefined) mounts.push({ path, fileSystem: fileSystemOf(nodes) });
        }
        const merged = mountTree(mounts);
        const expected = naive(mounts);
        const entries = await walked(merged);
        expect(paths(entries)).toEqual([...expected.keys()].sort(componentWise));
        expect(new Set(entries.map(({ inode }) => inode)).size).toBe(entries.length);
        for (const entry of entries) {
          expect({ ...entry, inode: 0 }).toEqual({ ...expected.get(entry.path), inode: 0 });
          expect(await merged.lookup(entry.path)).toEqual(entry);
        }
      }),
      { numRuns: 150 },
    );
  });
});
