import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { corpus, describeWith } from "../support/needs.ts";
import { listTree, type Row, treeOf, unpackWithUmoci } from "./tree-listing.ts";

/** What no client can unpack. */
const REFUSED: Readonly<Record<string, string>> = {
  "hard_fwd.tar": "LAYER_LINK_TARGET",
  "link_empty.tar": "LAYER_PATH",
  "name_escape.tar": "LAYER_PATH",
  "sparse_gnu.tar": "LAYER_ENTRY_TYPE",
  "type_dumpdir.tar": "LAYER_ENTRY_TYPE",
  "type_unknown.tar": "LAYER_ENTRY_TYPE",
};

/** What umoci refuses and other clients take, or what no file system under it can hold. */
const UMOCI_REFUSES = new Set(["pax_1m.tar", "pax_global.tar", "type_contig.tar", "xattr_symlink_user.tar"]);

/** Attributes that umoci or the file system under it drops, or that the kernel folds into the mode: the tree has what the tar says. */
const XATTRS_LOST = new Set([
  "acl_dflt_min3.tar",
  "xattr_badutf8name.tar",
  "xattr_dev.tar",
  "xattr_overlay.tar",
  "xattr_selinux.tar",
  "xattr_system.tar",
  "xattr_unknownns.tar",
  "xattr_user.tar",
  "xattr_utf8name.tar",
]);

/** docker and podman apply a later link's own header to the file, umoci does not. */
const LINK_WINS: Readonly<Record<string, Row>> = {
  "hard.tar": { path: "p", mode: 0o644 },
  "hl_attr_differs.tar": { path: "a", mode: 0o644, uid: 7, gid: 8, mtime: 1_000_000_000 },
};

/** Directories that nobody names have the time of the entry that needs them instead of now; times after 2262 are kept. */
function hasAnotherTime({ type, mtime }: Row): boolean {
  const isMade = type === "directory" && Number(mtime) > (Date.now() - 3_600_000) * 1e6;
  return isMade || Number(mtime) < 0 || Number(mtime) > 9.2e18;
}

describeWith({ corpus: "layer-tars", tools: ["python3", "umoci"], root: true }, "the tree of a torture layer", () => {
  // The body of a skipped suite runs too.
  const folder = corpus("layer-tars");
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".tar")) : [];
  let place = "";
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "transload-tree-"));
  });
  afterAll(() => rmSync(place, { recursive: true, force: true }));

  const taken = files.filter((name) => !(name in REFUSED) && !UMOCI_REFUSES.has(name) && !(name in LINK_WINS));
  it.each(taken)("%s is what umoci unpacks", async (name) => {
    const truth = unpackWithUmoci([join(folder, name)], join(place, name));
    const tree = await treeOf([gzipSync(readFileSync(join(folder, name)))]);
    const timeless = new Set(truth?.filter(hasAnotherTime).map(({ path }) => path));
    const comparable = (row: Row): Row => ({
      ...row,
      ...(timeless.has(row["path"]) && { mtime: 0 }),
      ...(XATTRS_LOST.has(name) && { xattrs: {} }),
    });
    expect((await listTree(tree)).map(comparable)).toEqual(truth?.map(comparable));
  });

  it.each(Object.entries(LINK_WINS))("%s has the attributes of the last link", async (name, expected) => {
    const truth = unpackWithUmoci([join(folder, name)], join(place, name)) ?? [];
    const { path, ...attributes } = expected;
    const group = truth.find((row) => row["path"] === path)?.["same"];
    const patched = truth.map((row) =>
      row["same"] === group && group !== undefined ? { ...row, ...attributes } : row,
    );
    const tree = await treeOf([readFileSync(join(folder, name))]);
    expect(await listTree(tree)).toEqual(patched);
  });

  it.each([...UMOCI_REFUSES])("%s is read although umoci refuses it", async (name) => {
    expect(unpackWithUmoci([join(folder, name)], join(place, name))).toBeUndefined();
    const tree = await treeOf([readFileSync(join(folder, name))]);
    expect((await listTree(tree)).length).toBe(4);
  });

  it.each(Object.entries(REFUSED))("%s is refused with %s", async (name, code) => {
    await expect(treeOf([readFileSync(join(folder, name))])).rejects.toMatchObject({ code });
  });
});
