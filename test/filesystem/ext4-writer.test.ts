import { execFileSync } from "node:child_process";
import { rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chunks } from "../../src/bytes/byte-source.ts";
import type { FileTree } from "../../src/bytes/file-tree.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { format } from "../../src/filesystem/ext4/reader.ts";
import { SuperBlock } from "../../src/filesystem/ext4/super-block.ts";
import { planExt4 } from "../../src/filesystem/ext4/writer/plan.ts";
import { memoryFileTree, type Part, type TreeNode } from "../support/memory-file-tree.ts";
import { describeWith } from "../support/needs.ts";
import {
  complaints,
  expectUsable,
  filled,
  inFile,
  inFolder,
  inMemory,
  kernelListing,
  largeTree,
  mounted,
  planned,
  treeListing,
  UUID,
} from "./ext4-images.ts";
import { walked } from "./volumes.ts";

const MIB = 1 << 20;
const FREE = 64 * MIB;

function acl(...entries: readonly (readonly [tag: number, permissions: number, id?: number])[]): Buffer {
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  for (const [index, [tag, permissions, id = 0xffffffff]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + index * 8);
    bytes.writeUInt16LE(permissions, 6 + index * 8);
    bytes.writeUInt32LE(id, 8 + index * 8);
  }
  return bytes;
}

const CAPABILITY = Buffer.from("0100000200040000000000000000000000000000", "hex");
const ACL = acl([1, 6], [2, 4, 1000], [4, 4], [8, 7, 2000], [16, 7], [32, 4]);

/** One of everything that an inode can be or hold. */
const ZOO: readonly (readonly [string, TreeNode])[] = [
  ["", { type: "directory", mode: 0o711, uid: 1, gid: 2, mtime: { seconds: 1_600_000_000, nanoseconds: 1 } }],
  ["empty", {}],
  ["text", { parts: [filled(11)], mode: 0o4755, uid: 70_000, gid: 4_000_000_000 }],
  ["dir/block", { parts: [filled(4096)], mode: 0o2711 }],
  ["dir/second name", { same: "text" }],
  ["dir/sticky", { type: "directory", mode: 0o1777 }],
  ["dir/holes", { parts: [10_000, filled(70_000), 123_456, filled(5), 65_536] }],
  ["dir/only holes", { parts: [3 * MIB] }],
  ["dir/no mode", { parts: [filled(1)], mode: 0 }],
  ["fast", { type: "symlink", target: "a".repeat(59) }],
  ["slow", { type: "symlink", target: "b".repeat(60), xattrs: new Map([["security.x", filled(300)]]) }],
  ["slowest", { type: "symlink", target: "c/".repeat(2047) }],
  ["another name of slow", { same: "slow" }],
  ["old block device", { type: "block-device", device: [8, 1] }],
  ["new block device", { type: "block-device", device: [259, 300_000] }],
  ["device of zeros", { type: "character-device", device: [0, 0] }],
  ["last device", { type: "character-device", device: [4095, 1_048_575], mode: 0o600 }],
  ["fifo", { type: "fifo" }],
  ["socket", { type: "socket", mode: 0o777 }],
  ["before 1970", { mtime: { seconds: -1, nanoseconds: 999_999_999 } }],
  ["first time", { mtime: { seconds: -(2 ** 31), nanoseconds: 0 } }],
  ["after 2038", { mtime: { seconds: 2 ** 31, nanoseconds: 5 } }],
  ["in 2400", { mtime: { seconds: 13_569_465_600, nanoseconds: 5 } }],
  ["last time", { mtime: { seconds: 2 ** 34 - 2 ** 31 - 1, nanoseconds: 0 } }],
  ["not \xff UTF-8 \x80\n", { parts: [filled(3)] }],
  ["\xc3\xa9".repeat(127), { type: "directory" }],
  ["n".repeat(255), {}],
  ["capability", { xattrs: new Map([["security.capability", CAPABILITY]]) }],
  ["acl", { mode: 0o674, xattrs: new Map([["system.posix_acl_access", ACL]]) }],
  [
    "default acl",
    {
      type: "directory",
      xattrs: new Map([
        ["system.posix_acl_default", ACL],
        ["user.x", filled(30)],
      ]),
    },
  ],
  [
    "in a block",
    {
      xattrs: new Map([
        ["user.small", filled(1)],
        ["user.large", filled(2000)],
        ["trusted.none", filled(0)],
      ]),
    },
  ],
  [
    "a block and the inode",
    {
      xattrs: new Map(
        Array.from({ length: 30 }, (_, index) => [`user.${"x".repeat(index)}y`, filled(index * 3, index)]),
      ),
    },
  ],
  [
    "in inodes",
    {
      parts: [filled(5000)],
      xattrs: new Map([
        ["user.a", filled(65_536)],
        ["user.b", filled(3000, 2)],
        ["user.c", filled(2000, 3)],
        ["user.d", filled(10)],
      ]),
    },
  ],
  ["other inodes", { xattrs: new Map([["user.a", filled(5000)]]) }],
];

/** What our reader sees, as a tree. */
async function readBack(image: Buffer): Promise<FileTree & { readonly diagnostics: readonly Diagnostic[] }> {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (diagnostic) => diagnostics.push(diagnostic) });
  const fileSystem = await format.open(new MemorySource(image), ctx);
  const kept = (await walked(fileSystem)).filter(({ path }) => path !== "lost+found");
  const files = kept.filter((entry) => entry.type === "file" && entry.size > 0);
  return {
    diagnostics,
    walk: () => kept,
    runs: () => [],
    order: [],
    async *contents() {
      for (const entry of files)
        if (entry.type === "file") yield { inode: entry.inode, chunks: chunks(fileSystem.content(entry)) };
    },
  };
}

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
  return "none";
}

const BYTE_NAME = fc
  .array(
    fc.integer({ min: 1, max: 255 }).filter((byte) => byte !== 0x2f),
    { minLength: 1, maxLength: 40 },
  )
  .map((bytes) => String.fromCharCode(...bytes))
  .filter((name) => name !== "." && name !== ".." && name !== "lost+found");
const PART: fc.Arbitrary<Part> = fc.oneof(
  fc.integer({ min: 1, max: 50_000 }),
  fc
    .record({ length: fc.integer({ min: 1, max: 20_000 }), seed: fc.nat(200) })
    .map(({ length, seed }) => filled(length, seed)),
);
const XATTRS = fc
  .uniqueArray(fc.record({ name: fc.stringMatching(/^(user|trusted|security)\.[a-z]{1,30}$/), size: fc.nat(3000) }), {
    selector: ({ name }) => name,
    maxLength: 6,
  })
  .map((all) => new Map(all.map(({ name, size }) => [name, filled(size)])));
const NODE: fc.Arbitrary<TreeNode> = fc
  .record({
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 0xffff_ffff }),
    gid: fc.integer({ min: 0, max: 0xffff_ffff }),
    // Up to 2310: our reader takes what follows for times before 1970 of old kernels.
    mtime: fc.record({
      seconds: fc.integer({ min: -(2 ** 31), max: 2 ** 33 + 2 ** 31 - 1 }),
      nanoseconds: fc.nat(999_999_999),
    }),
    xattrs: XATTRS,
  })
  .chain((common) => {
    const xattrs = new Map([...common.xattrs].filter(([name]) => !name.startsWith("user.")));
    return fc.oneof(
      fc.array(PART, { maxLength: 8 }).map((parts) => ({ ...common, parts })),
      fc.constant({ ...common, type: "directory" as const }),
      fc.string({ minLength: 1, maxLength: 300 }).map((text) => ({
        ...common,
        xattrs,
        type: "symlink" as const,
        target: Buffer.from(text.replaceAll("\0", "x")).toString("latin1"),
      })),
      fc
        .tuple(fc.nat(4095), fc.nat(1_048_575))
        .map((device) => ({ ...common, xattrs, type: "block-device" as const, device })),
    );
  });
/** Each node goes into one of the directories before it. */
const TREE = fc.array(fc.record({ name: BYTE_NAME, node: NODE, parent: fc.nat() }), { maxLength: 30 }).map((all) => {
  const directories = [""];
  const nodes = new Map<string, TreeNode>();
  for (const { name, node, parent } of all) {
    const folder = directories[parent % directories.length] as string;
    const path = folder === "" ? name : `${folder}/${name}`;
    if (nodes.has(path)) continue;
    nodes.set(path, node);
    if (node.type === "directory") directories.push(path);
  }
  return memoryFileTree(nodes);
});

describe("an ext4 file system that we write", () => {
  it("is read by our own reader as what it was made from", async () => {
    const tree = memoryFileTree(ZOO);
    const back = await readBack(await inMemory(planned(tree)));
    expect(back.diagnostics).toEqual([]);
    expect(await treeListing(back)).toEqual(await treeListing(tree));
  });

  it("is so for any tree", async () => {
    const property = fc.asyncProperty(TREE, async (tree) => {
      expect(await treeListing(await readBack(await inMemory(planned(tree))))).toEqual(await treeListing(tree));
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it("has the same bytes for the same tree, and others for another uuid", async () => {
    const tree = memoryFileTree(ZOO);
    const [one, two, other] = [planned(tree), planned(tree), planned(tree, { uuid: UUID.replace("1", "2") })];
    const image = await inMemory(one);
    expect(image.equals(await inMemory(two))).toBe(true);
    expect(image.equals(await inMemory(one))).toBe(true);
    expect(image.equals(await inMemory(other))).toBe(false);
  });

  it("has no time after the epoch", async () => {
    const tree = memoryFileTree([
      ["old", { mtime: { seconds: 5, nanoseconds: 7 } }],
      ["new", {}],
    ]);
    const entries = [...(await readBack(await inMemory(planned(tree, {}, 1000)))).walk()];
    expect(entries.map(({ path, mtime }) => [path, mtime.seconds, mtime.nanoseconds])).toEqual([
      ["", 1000, 0],
      ["new", 1000, 0],
      ["old", 5, 7],
    ]);
  });

  it("uses the lost+found of the tree, if it is a directory", async () => {
    for (const type of ["directory", "file"] as const) {
      const tree = memoryFileTree([
        ["lost+found", { type, mode: 0o701 }],
        ["lost+found 2", {}],
      ]);
      const fileSystem = await format.open(new MemorySource(await inMemory(planned(tree))), createContext());
      expect(await fileSystem.lookup("lost+found")).toMatchObject({ type, mode: 0o701, inode: 11 });
    }
  });

  it("puts large files at multiples of 64 KiB, holes or not, if asked to", async () => {
    const [a, b, c] = ["a", "b", "c"].map((letter) => Buffer.alloc(300_000, letter)) as [Buffer, Buffer, Buffer];
    const tree = memoryFileTree([
      ["small", { parts: [filled(7)] }],
      ["large", { parts: [a.subarray(0, 5000), 100_000, b] }],
      ["larger", { parts: [c] }],
    ]);
    const image = await inMemory(planned(tree, { alignFrom: 100_000 }));
    const [placeA, placeB, placeC] = [a, b, c].map((bytes) => image.indexOf(bytes.subarray(0, 4096)) % 65_536);
    expect([placeA, placeB, placeC]).toEqual([0, 105_000 % 65_536, 0]);
    expect(await treeListing(await readBack(image))).toEqual(await treeListing(tree));
  });

  it("has the size that is asked for, or more free space than is asked for", () => {
    const tree = memoryFileTree([["file", { parts: [filled(MIB)] }]]);
    expect(planned(tree, { size: 300 * MIB + 512 }).size).toBe(300 * MIB + 512);
    for (const freeBytes of [0, MIB, 100 * MIB, 2 ** 35, 2 ** 40]) {
      const plan = planned(tree, { freeBytes });
      expect(plan.size % MIB).toBe(0);
      expect(plan.freeBytes).toBeGreaterThanOrEqual(freeBytes);
    }
  });

  it("has the journal that mke2fs would make where the size is ours to choose, a smaller one where no other fits", async () => {
    const journal = async (options: object) => {
      const bytes = await inMemory(planned(memoryFileTree([["file", { parts: [filled(125 * MIB)] }]]), options));
      return Buffer.from(new SuperBlock(bytes, SuperBlock.OFFSET).jnlBlocks).readUInt32LE(16 * 4) / MIB;
    };
    expect(await journal({ freeBytes: 0 })).toBe(16);
    expect(await journal({ size: 134 * MIB })).toBe(4);
  });

  it("tells how much is missing if the size is too small", () => {
    const tree = memoryFileTree([["file", { parts: [filled(20 * MIB)] }]]);
    for (const size of [0, 4095, 4096, MIB, 20 * MIB]) {
      expect(code(() => planned(tree, { size }))).toBe("EXT_SIZE_TOO_SMALL");
    }
    try {
      planned(tree, { size: MIB });
    } catch (error) {
      const needed = Number(/\d+/.exec((error as ConverterError).advice ?? "")?.[0]);
      expect(planned(tree, { size: needed }).size).toBe(needed);
      expect(code(() => planned(tree, { size: needed - MIB }))).toBe("EXT_SIZE_TOO_SMALL");
    }
    expect(code(() => planned(tree, { size: 2 ** 50 }))).toBe("EXT_SIZE");
  });

  it("refuses names of its own that it cannot have", () => {
    const tree = memoryFileTree([]);
    expect(code(() => planned(tree, { uuid: "1234" }))).toBe("EXT_UUID");
    expect(code(() => planned(tree, { label: "12345678901234567" }))).toBe("EXT_LABEL");
    expect(code(() => planned(tree, { label: "é".repeat(9) }))).toBe("EXT_LABEL");
  });

  it.each<[string, TreeNode]>([
    ["n".repeat(256), {}],
    ["owner", { uid: 2 ** 32 }],
    ["large", { parts: [2 ** 45] }],
    ["target", { type: "symlink", target: "t".repeat(4096) }],
    ["no target", { type: "symlink", target: "" }],
    ["major", { type: "block-device", device: [4096, 0] }],
    ["minor", { type: "character-device", device: [0, 1_048_576] }],
  ])("refuses what it cannot hold: %s", (path, node) => {
    expect(code(() => planned(memoryFileTree([[path, node]])))).toBe("EXT_NOT_EXPRESSIBLE");
  });

  it("refuses a file with more names than an inode can count", () => {
    const names = Array.from(
      { length: 65_001 },
      (_, index) => [`n${index}`, index === 0 ? {} : { same: "n0" }] as const,
    );
    expect(code(() => planned(memoryFileTree(names)))).toBe("EXT_NOT_EXPRESSIBLE");
  });

  it("leaves out attributes and moves times that it cannot hold, and says so", async () => {
    const diagnostics: string[] = [];
    const ctx = createContext({ diagnostic: ({ code: name, message }) => diagnostics.push(`${name} ${message}`) });
    const xattrs = new Map<string, Uint8Array>([
      ["system.nfs4_acl", filled(10)],
      ["user.", filled(10)],
      ["user.large", Buffer.alloc(65_537)],
      [`user.${"n".repeat(256)}`, filled(10)],
      ["system.posix_acl_access", filled(11)],
      ["user.kept", filled(10)],
    ]);
    for (let index = 0; index < 50; index++) xattrs.set(`user.${"m".repeat(200)}${index}`, filled(1));
    const seconds = 2 ** 34;
    const tree = memoryFileTree([
      ["file", { xattrs, mtime: { seconds, nanoseconds: 0 } }],
      ["early", { mtime: { seconds: -seconds, nanoseconds: 1 } }],
      ["fifo", { type: "fifo", xattrs: new Map([["user.x", filled(1)]]) }],
    ]);
    const plan = planExt4(tree, { uuid: UUID, label: "" }, ctx);
    const [, early, fifo, file] = [...(await readBack(await inMemory(plan))).walk()];
    expect(early?.mtime).toEqual({ seconds: -(2 ** 31), nanoseconds: 0 });
    expect(file?.mtime).toEqual({ seconds: 2 ** 34 - 2 ** 31 - 1, nanoseconds: 0 });
    expect(file?.xattrs.get("user.kept")).toEqual(Uint8Array.from(filled(10)));
    const codes = diagnostics.map((text) => text.split(" ")[0]);
    expect(codes.filter((name) => name === "EXT_TIME")).toHaveLength(2);
    expect(codes.filter((name) => name === "EXT_XATTR_LEFT_OUT")).toHaveLength(57 - (file?.xattrs.size ?? 0));
    expect(fifo?.xattrs.size).toBe(0);
    expect(file?.xattrs.size).toBeGreaterThan(15);
    expect(diagnostics[0]).toContain("EXT_TIME");
  });

  it("refuses a tree whose content is not as it said", async () => {
    const tree = memoryFileTree([["file", { parts: [filled(5000), 8192, filled(10)] }]]);
    const changed = (...parts: readonly Part[]): FileTree => ({
      ...tree,
      contents: memoryFileTree([["file", { parts }]]).contents,
    });
    for (const parts of [
      [filled(5000), 8192, filled(9)],
      [filled(5000), 8192, filled(11)],
      [filled(5000), filled(8192), filled(10)],
    ]) {
      await expect(inMemory(planned(changed(...parts)))).rejects.toMatchObject({ code: "EXT_CONTENT_DIFFERS" });
    }
    await expect(inMemory(planned({ ...tree, async *contents() {} }))).rejects.toMatchObject({
      code: "EXT_CONTENT_DIFFERS",
    });
    const zeros = changed(filled(5000), Buffer.alloc(8192), filled(10));
    expect(await treeListing(await readBack(await inMemory(planned(zeros))))).toEqual(await treeListing(tree));
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const tree = memoryFileTree([["file", { parts: [filled(5000)] }]]);
    const plan = planExt4(tree, { uuid: UUID, label: "" }, createContext({ signal: controller.signal }));
    controller.abort(new Error("enough"));
    await expect(inMemory(plan)).rejects.toThrow("enough");
  });
});

describeWith({ tools: ["e2fsck"] }, "ext4 for e2fsck", () => {
  const check = (tree: FileTree, options = {}) =>
    inFolder(async (folder) => {
      const image = join(folder, "image");
      await inFile(planned(tree, options), image);
      expect(complaints(image)).toBe("");
    });

  it.each([
    ["nothing", memoryFileTree([])],
    ["one of everything", memoryFileTree(ZOO)],
    ["names in hash trees, 3,000 extents, a hole of 5 GiB", largeTree(1000, 200, 3000)],
    ["a file lost+found", memoryFileTree([["lost+found", {}]])],
  ])("is clean with %s", async (_name, tree) => await check(tree));

  it.each([0, 120 * MIB, 127 * MIB, 3 * 1024 * MIB, 40 * 1024 * MIB])(
    "is clean with %d bytes free",
    async (freeBytes) => {
      await check(memoryFileTree(ZOO), { freeBytes });
    },
  );

  it.each([
    ["a last group without room for its copy", 128 * MIB + 65_536],
    ["a last group of a few blocks", 256 * MIB + 4096 * 20],
    ["no whole block at the end", 200 * MIB + 512],
    ["no journal", 6 * MIB],
  ])(
    "is clean with %s",
    async (_name, size) => await check(memoryFileTree([["a", { parts: [filled(10)] }]]), { size }),
  );

  it("is clean with files across the copies of the superblock, aligned or not", async () => {
    const large = { parts: [filled(190 * MIB)] };
    for (const alignFrom of [0, 2 ** 40]) {
      const tree = memoryFileTree([
        ["a", large],
        ["b", { parts: [filled(100)] }],
        ["c", large],
      ]);
      await check(tree, { alignFrom });
    }
  });

  it("is clean for any tree", async () => {
    await inFolder(async (folder) => {
      const image = join(folder, "image");
      const property = fc.asyncProperty(TREE, async (tree) => {
        rmSync(image, { force: true });
        await inFile(planned(tree), image);
        expect(complaints(image)).toBe("");
      });
      await fc.assert(property, { numRuns: 25 });
    });
  });
});

describeWith({ tools: ["dumpe2fs"] }, "ext4 for dumpe2fs", () => {
  it("has the features of today, and those that are needed only where they are needed", async () => {
    await inFolder(async (folder) => {
      const image = join(folder, "image");
      const features = async (tree: FileTree) => {
        await inFile(planned(tree, { label: "wurzel", freeBytes: FREE }), image);
        const text = execFileSync("dumpe2fs", ["-h", image], { encoding: "utf8", stdio: "pipe" });
        expect(text).toContain(`Filesystem UUID:          ${UUID}`);
        expect(text).toContain("Filesystem volume name:   wurzel");
        expect(text).toContain("unsigned_directory_hash");
        return /features: +(.*)/.exec(text)?.[1];
      };
      const usual =
        "has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file dir_nlink extra_isize metadata_csum";
      expect(await features(memoryFileTree([]))).toBe(usual);
      expect(await features(memoryFileTree(ZOO))).toBe(usual.replace("flex_bg", "flex_bg ea_inode"));
    });
  });
});

describeWith({ tools: ["grub-fstest"] }, "ext4 for GRUB", () => {
  it("is read, hash trees and extent trees too", async () => {
    await inFolder(async (folder) => {
      const image = join(folder, "image");
      const kernel = join(folder, "kernel");
      const pages = Array.from({ length: 800 }, (_, index) => (index % 2 === 0 ? filled(4096, index) : 4096));
      writeFileSync(kernel, Buffer.concat(pages.map((part) => (typeof part === "number" ? Buffer.alloc(part) : part))));
      const names = Array.from({ length: 1000 }, (_, index) => [`boot/module ${index}.ko`, {}] as const);
      const links: [string, TreeNode][] = [
        ["vmlinuz", { type: "symlink", target: "boot/kernel" }],
        ["old", { type: "symlink", target: `${"./".repeat(100)}boot/kernel` }],
      ];
      await inFile(planned(memoryFileTree([...names, ["boot/kernel", { parts: pages }], ...links])), image);
      for (const path of ["/boot/kernel", "/vmlinuz", "/old"]) {
        execFileSync("grub-fstest", [image, "cmp", path, kernel], { stdio: "pipe" });
      }
      const list = execFileSync("grub-fstest", [image, "ls", "/boot/"], { encoding: "utf8", stdio: "pipe" });
      expect(list.match(/\.ko/g)).toHaveLength(1000);
    });
  });
});

describeWith({ tools: ["e2fsck", "mount", "python3"], root: true }, "ext4 for the kernel", () => {
  it("holds what it was made from, and is clean after use", async () => await expectUsable(memoryFileTree(ZOO)));
});

describeWith({ tools: ["e2fsck", "resize2fs", "mount", "python3"], root: true }, "ext4 that grows", () => {
  it.each([
    [128, 3000],
    [9000, 20_000],
  ])("is clean and complete afterwards: from %d to %d MiB", async (from, to) => {
    await inFolder(async (folder) => {
      const image = join(folder, "image");
      const tree = memoryFileTree(ZOO);
      await inFile(planned(tree, { size: from * MIB }), image);
      truncateSync(image, to * MIB);
      execFileSync("resize2fs", ["-f", image], { stdio: "pipe" });
      expect(complaints(image)).toBe("");
      const expected = await treeListing(tree);
      await mounted(image, "ro", async (place) => expect(kernelListing(place)).toEqual(expected));
      const text = execFileSync("dumpe2fs", ["-h", image], { encoding: "utf8", stdio: "pipe" });
      expect(Number(/Block count: +(\d+)/.exec(text)?.[1])).toBe((to * MIB) / 4096);
      expect(text).not.toContain("meta_bg");
    });
  });
});
