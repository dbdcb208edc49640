import { expect, it } from "vitest";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { fileSystemFormats } from "../../src/filesystem/index.ts";
import { describeWith } from "../support/needs.ts";
import { codeOf, differencesFromKernel, made, open } from "./btrfs-images.ts";

/** The quick ones; btrfs.slow.test.ts has the others. */
const MADE = ["btrfs-lzo", "btrfs-ubuntu", "btrfs-dirty", "btrfs-raid0"];

describeWith({ corpus: "disk/made", tools: ["xz"] }, "btrfs fixtures with truth listings", () => {
  it.each(MADE)("%s", async (name) => {
    expect(await differencesFromKernel(name)).toEqual([]);
  });

  it("btrfs-suse, but for the time of an empty directory in place of a subvolume, which Linux gives the time of its mount", async () => {
    const found = await differencesFromKernel("btrfs-suse");
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^@: mtimeNs is/);
  });

  it("is found by its magic", async () => {
    const [source] = await made("btrfs-suse");
    if (source === undefined) throw new Error("no device");
    expect((await fileSystemFormats.probe(source))?.name).toBe("btrfs");
  });

  it("opens subvolumes by path and by id, and crosses into those below", async () => {
    const [source] = await made("btrfs-suse");
    if (source === undefined) throw new Error("no device");
    const top = (await open(source, [], { subvolume: 5 })).fileSystem;
    const paths: string[] = [];
    const inodes = new Map<number, string>();
    for await (const entry of top.walk()) {
      paths.push(entry.path);
      if (entry.type === "directory" || entry.links > 1) continue;
      expect(inodes.get(entry.inode)).toBeUndefined();
      inodes.set(entry.inode, entry.path);
    }
    expect(paths).toContain("@/home/file");
    expect(paths).toContain("@/.snapshots/1/snapshot/acl-dir");
    const file = await top.lookup("@/home/file");
    if (file?.type !== "file") throw new Error("no file");
    expect(Buffer.from(await top.content(file).read(0, file.size)).toString()).toBe("suse-home\n");
    const { fileSystem: home } = await open(source, [], { subvolume: "@/home" });
    expect(await home.lookup("file")).toMatchObject({ path: "file", size: 10 });
    expect((await home.lookup(""))?.inode).toBe(256);
    for (const subvolume of ["nothing", "@/home/file", "acl-dir", 6, 999999]) {
      expect(await codeOf(open(source, [], { subvolume }))).toBe("BTRFS_SUBVOLUME");
    }
  });

  it("finds its devices among others, whichever comes first", async () => {
    const [first, second] = await made("btrfs-raid0");
    const [stranger] = await made("btrfs-raid1");
    if (first === undefined || second === undefined || stranger === undefined) throw new Error("no device");
    const { fileSystem, diagnostics } = await open(second, [stranger, first, new MemorySource(new Uint8Array(9))]);
    expect(new Set(fileSystem.members)).toEqual(new Set([first, second]));
    expect(diagnostics).toEqual([]);
    const alone = await open(first);
    expect(alone.diagnostics.map(({ code }) => code)).toEqual(["BTRFS_DEVICE_MISSING"]);
    const codes = new Set<string>();
    for await (const entry of alone.fileSystem.walk()) {
      if (entry.type !== "file" || entry.size < 1 << 18) continue;
      codes.add(await codeOf(Promise.resolve().then(() => alone.fileSystem.content(entry).read(0, entry.size))));
    }
    expect(codes).toContain("BTRFS_DEVICE_MISSING");
  });

  it("reads a mirror alone", async () => {
    const [, second] = await made("btrfs-raid1");
    if (second === undefined) throw new Error("no device");
    const { fileSystem, diagnostics } = await open(second);
    expect(diagnostics.map(({ code }) => code)).toEqual(["BTRFS_DEVICE_MISSING"]);
    for await (const entry of fileSystem.walk()) {
      if (entry.type === "file" && entry.size > 0)
        await fileSystem.content(entry).read(0, Math.min(entry.size, 1 << 20));
    }
  });
});
