import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { type ImageTree, openImageTree } from "../../src/oci/image-tree.ts";
import { complaints, inFile, inFolder, kernelListing, mounted, planned, type Row } from "../filesystem/ext4-images.ts";
import { listTree } from "../oci/tree-listing.ts";
import { corpus, describeWith } from "../support/needs.ts";

const needs = { tools: ["e2fsck", "mount", "python3", "tar"], root: true };

/** What no client can unpack either. */
const REFUSED = ["hard_fwd", "link_empty", "name_escape", "sparse_gnu", "type_dumpdir", "type_unknown"];

async function treeOf(layers: readonly string[]): Promise<ImageTree> {
  const inputs = layers.map((path) => ({ name: path, mediaType: undefined, open: () => createReadStream(path) }));
  return await openImageTree(inputs, {}, createContext());
}

/** The kernel shows no `user.` but on files and directories, and no name spaces that it does not know. */
function shown(row: Row): Row {
  const users = row["type"] === "file" || row["type"] === "directory" ? "user|" : "";
  const kept = new RegExp(`^((${users}trusted|security)\\..|system\\.posix_acl_(access|default)$)`);
  return {
    ...row,
    xattrs: Object.fromEntries(Object.entries(row["xattrs"] as object).filter(([name]) => kept.test(name))),
  };
}

async function kernelRows(tree: ImageTree, folder: string): Promise<Row[]> {
  const image = join(folder, "image");
  await inFile(planned(tree), image);
  expect(complaints(image)).toBe("");
  return await mounted(image, "ro", async (place) => [...kernelListing(place).values()]);
}

describeWith({ ...needs, corpus: "layer-tars" }, "a torture layer as ext4", () => {
  const folder = corpus("layer-tars");
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".tar")) : [];

  it.each(files)("%s is mounted as what it holds", async (name) => {
    const tree = await treeOf([join(folder, name)]).catch((error: unknown) => {
      if (error instanceof ConverterError) return undefined;
      throw error;
    });
    expect(tree === undefined).toBe(REFUSED.includes(name.replace(".tar", "")));
    if (tree === undefined) return;
    await inFolder(async (place) => expect(await kernelRows(tree, place)).toEqual((await listTree(tree)).map(shown)));
  });
});

describeWith(needs, "a large layer as ext4", () => {
  it("is mounted as what it was made from: 60,000 files in one directory, a hole of 5 GiB, 3,000 extents", async () => {
    await inFolder(async (folder) => {
      const root = join(folder, "root");
      mkdirSync(root);
      const script = `
        mkdir many && cd many && seq -f 'file with the number %.0f' 1 60000 | tr '\\n' '\\0' | xargs -0 touch && cd ..
        truncate -s 5G sparse && echo end >> sparse
        perl -e 'print chr(65 + $_ % 26) x 4096, chr(0) x 4096 for 1..3000' > extents
        tar --format=posix --sparse --xattrs -cf ../layer.tar .`;
      execFileSync("sh", ["-ec", script], { cwd: root });
      const expected = execFileSync("python3", ["test/support/listing.py", "tree", root], { maxBuffer: 1 << 28 });
      const rows = expected.toString().trimEnd().split("\n");
      const tree = await treeOf([join(folder, "layer.tar")]);
      const extents = [...tree.walk()].find(({ path }) => path === "extents");
      expect(tree.runs(extents?.inode ?? 0).filter(({ kind }) => kind === "data")).toHaveLength(3000);
      expect(await kernelRows(tree, folder)).toEqual(rows.map((row) => JSON.parse(row)));
    });
  });
});
