import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { format } from "../../src/filesystem/ext4/reader.ts";
import { corpus } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";
import { compareListings, debugfsListing, ourListing } from "./debugfs.ts";

/** Images of corpus/disk/ext that are damaged where nothing can be read in their stead, or that are none. */
export const REFUSED: Readonly<Record<string, string>> = {
  "e2fsprogs/d_fallocate_bigalloc.expect.gz": "EXT_SUPERBLOCK",
  "e2fsprogs/f_bad_inode_csum.image.gz": "EXT_INODE",
  "e2fsprogs/f_baddir2.image.gz": "EXT_DIRECTORY",
  "e2fsprogs/f_baddotdir.image.gz": "EXT_DIRECTORY_CYCLE",
  "e2fsprogs/f_badinode.image.gz": "EXT_INODE",
  "e2fsprogs/f_badroot.image.gz": "EXT_INODE",
  "e2fsprogs/f_badsymlinks.image.gz": "EXT_BLOCK_OUT_OF_RANGE",
  "e2fsprogs/f_badsymlinks2.image.gz": "EXT_SYMLINK",
  "e2fsprogs/f_corrupt_dirent_tail.image.gz": "EXT_DIRECTORY",
  "e2fsprogs/f_crashdisk.image.gz": "EXT_SUPERBLOCK",
  "e2fsprogs/f_desc_size_zero.image.gz": "EXT_SUPERBLOCK",
  "e2fsprogs/f_dup3.image.gz": "EXT_DIRECTORY",
  "e2fsprogs/f_dup_de.image.gz": "EXT_DIRECTORY",
  "e2fsprogs/f_dupfsblks.image.gz": "EXT_DIRECTORY",
  "e2fsprogs/f_extent_bad_node.image.gz": "EXT_EXTENT_TREE",
  "e2fsprogs/f_extent_int_bad_extent.image.gz": "EXT_EXTENT_TREE",
  "e2fsprogs/f_extent_leaf_bad_extent.image.gz": "EXT_EXTENT_TREE",
  "e2fsprogs/f_extent_leaf_bad_magic.image.gz": "EXT_EXTENT_TREE",
  "e2fsprogs/f_extent_too_deep.image.gz": "EXT_EXTENT_TREE",
  "e2fsprogs/f_holedir.image.gz": "EXT_BLOCK_OUT_OF_RANGE",
  "e2fsprogs/f_illitable.image.gz": "EXT_SUPERBLOCK",
  "e2fsprogs/f_inlinedata_repair.image.gz": "EXT_SYMLINK",
  "e2fsprogs/f_inlinedir_bad_symlink.image.gz": "EXT_SYMLINK",
  "e2fsprogs/f_invalid_extent_symlink.image.gz": "EXT_SYMLINK",
  "e2fsprogs/f_itable_collision.image.gz": "EXT_EXTENT_TREE",
  "e2fsprogs/f_lotsbad.image.gz": "EXT_BLOCK_OUT_OF_RANGE",
  "e2fsprogs/f_messy_inode.image.gz": "EXT_INODE",
  "e2fsprogs/f_misstable.image.gz": "EXT_SUPERBLOCK",
  "e2fsprogs/f_quota_deallocate_inode.image.gz": "EXT_SYMLINK",
  "e2fsprogs/f_rebuild_csum_rootdir.image.gz": "EXT_DIRECTORY",
  "e2fsprogs/f_resize_inode_meta_bg.image.gz": "EXT_DIRECTORY",
  "e2fsprogs/f_salvage_dir.image.gz": "EXT_DIRECTORY",
  "e2fsprogs/f_write_ea_no_extra_isize.image.gz": "EXT_DIRECTORY",
  "e2fsprogs/j_ext_dumpe2fs.image.gz": "EXT_SUPERBLOCK",
};

/** What debugfs 1.47 cannot judge: it dumps all 60 bytes of an inline file, and stops at wrong checksums of blocks, without a superblock, and without group descriptors. */
export const NO_ORACLE: ReadonlySet<string> = new Set([
  "e2fsprogs/d_inline_dump.image.gz",
  "e2fsprogs/f_extent_int_bad_csum.image.gz",
  "e2fsprogs/f_extent_leaf_bad_csum.image.gz",
  "e2fsprogs/f_htree_bad_csum.image.gz",
  "e2fsprogs/f_htree_leaf_csum.image.gz",
  "e2fsprogs/f_inlinedata_flags.image.gz",
  "e2fsprogs/f_no_cache_corrupt_inode.image.gz",
  "e2fsprogs/f_preen.image.gz",
  "e2fsprogs/f_preen_htree_csum.image.gz",
  "e2fsprogs/f_trunc_dirent_header.image.gz",
  "e2fsprogs/f_zero_group.image.gz",
  "e2fsprogs/f_zero_super.image.gz",
]);

/** What differs between our listing of an image, contents included, and that of debugfs. */
export async function differencesFromDebugfs(name: string): Promise<string[]> {
  const plain = await unpacked(corpus("disk", name));
  const diagnostics: Diagnostic[] = [];
  await using source = FileSource.open(plain);
  const fileSystem = await format.open(source, createContext({ diagnostic: (found) => diagnostics.push(found) }));
  const replayed = diagnostics.some(({ code }) => code.startsWith("EXT_JOURNAL"));
  const ours = await ourListing(fileSystem);
  const encrypted = diagnostics.filter(({ code }) => code === "EXT_ENCRYPTED").map(({ where }) => `${where.path}/`);
  return compareListings(debugfsListing(plain, replayed ? "journal" : "nothing"), ours, (path) =>
    encrypted.some((folder) => path.startsWith(folder)),
  );
}
