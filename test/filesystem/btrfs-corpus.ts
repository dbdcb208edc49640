import { existsSync, readdirSync } from "node:fs";
import { expect } from "vitest";
import { FileSource } from "../../src/bytes/file-source.ts";
import { listingDigest } from "../support/listing-digest.ts";
import { corpus } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";
import { codeOf, open } from "./btrfs-images.ts";

/** As support/kernel-digest.py prints them of a mount, but for those below. */
export const LISTINGS: Readonly<Record<string, string>> = {
  "fsck-tests__014-no-extent-info__no_extent.raw.xz": "101 e6aa29ce20f876f6",
  "fsck-tests__020-extent-ref-cases__block_group_item_false_alert.raw.xz": "52 eec5305eb5668528",
  "fsck-tests__022-qgroup-rescan-halfway__qgroup_rescan_halfway.raw.xz": "129 6afaccb22cb89b92",
  "fsck-tests__023-qgroup-stack-overflow__quota_balance_loop_backref.raw.xz": "106 89df07693c555386",
  "fsck-tests__027-bad-extent-inline-ref-type__bad-extent-inline-ref-type.raw.xz": "1 211f1e82126dfdc9",
  "fsck-tests__028-unaligned-super-dev-sizes__dev_and_super_mismatch_unaligned.raw.xz": "1 f4b08b7a395e10e6",
  "fsck-tests__040-compressed-nodatasum__compressed_extent_without_csum.raw.xz": "2 e37c9d7cde4de9bc",
  "fsck-tests__042-half-dropped-inode__default.raw.xz": "2 c7fe5dfadc96a1d8",
  "misc-tests__025-zstd-compression__compress.raw.xz": "4 fe19e8cf74389b23",
  "misc-tests__034-metadata-uuid__disk2.raw.xz": "1 2fc1297a50a5d05c",
  "misc-tests__034-metadata-uuid__disk3.raw.xz": "1 fec101a3001af19f",
  "misc-tests__034-metadata-uuid__disk5.raw.xz": "1 287c83d528ce1119",
  "misc-tests__060-ino-cache-clean__ino-cache-enabled.raw.xz": "13 6f62afcae9e36add",
  // The other device of disk2's file system.
  "misc-tests__034-metadata-uuid__disk1.raw.xz": "1 2fc1297a50a5d05c",
  // Damaged in what is not read, and refused by the kernel: compared with `btrfs inspect-internal dump-tree` and `btrfs restore`.
  "fuzz-tests__images__bko-155181-bad-backref.raw.xz": "1 c870d294b58fc703",
  "fuzz-tests__images__bko-155181-unaligned-extent-item.raw.xz": "1 c870d294b58fc703",
  "fuzz-tests__images__bko-155201-wrong-chunk-item-in-root-tree.raw.xz": "1 c870d294b58fc703",
  "fuzz-tests__images__bko-155551-unaligned-tree-block.raw.xz": "1 c870d294b58fc703",
  "fuzz-tests__images__superblock-stripsize-bogus.raw.xz": "10 3ded8303e91e538d",
};

export const REFUSED: Readonly<Record<string, string>> = {
  "convert-tests__004-ext2-backup-superblock-ranges__drdhdhrh.e2image.raw.xz": "BTRFS_SUPERBLOCK",
  "convert-tests__020-refuse-needs-recovery__ext4.raw.xz": "BTRFS_SUPERBLOCK",
  "fuzz-tests__images__bad-superblock-1.raw.xz": "BTRFS_SUPERBLOCK",
  "fuzz-tests__images__bad-superblock-3.raw.xz": "BTRFS_SUPERBLOCK",
  "fuzz-tests__images__bko-104141-fsck-exception.raw.xz": "BTRFS_SUPERBLOCK",
  "fuzz-tests__images__bko-153641-unaligned-tree-block-bytenr.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__bko-156731.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__bko-156741.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__bko-156811-bad-parent-ref-qgroup-verify.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__bko-161811.raw.xz": "BTRFS_INODE",
  "fuzz-tests__images__bko-161821.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__bko-166361-blocksize-zero.raw.xz": "BYTES_NUMBER_TOO_LARGE",
  "fuzz-tests__images__bko-167781.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__bko-167921.raw.xz": "BYTES_NUMBER_TOO_LARGE",
  "fuzz-tests__images__bko-168301.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__bko-169301-1-blocksize-zero.raw.xz": "BYTES_NUMBER_TOO_LARGE",
  "fuzz-tests__images__bko-169301-2-blocksize-zero.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__bko-169311-blocksize-zero-qgroup-verify.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__bko-172811.raw.xz": "BYTES_NUMBER_TOO_LARGE",
  "fuzz-tests__images__bko-199833-reloc-recovery-crash.raw.xz": "BYTES_NUMBER_TOO_LARGE",
  "fuzz-tests__images__bko-199839.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__bko-200409.raw.xz": "BYTES_NUMBER_TOO_LARGE",
  "fuzz-tests__images__bko-97021-invalid-chunk-sectorsize.raw.xz": "BTRFS_SUPERBLOCK",
  "fuzz-tests__images__bko-97031-invalid-stripe-len-sys-array.raw.xz": "BTRFS_CHUNK",
  "fuzz-tests__images__bko-97041-invalid-sub-stripes-zero-FPE.raw.xz": "BTRFS_CHUNK",
  "fuzz-tests__images__bko-97271-btrfs-image.raw.xz": "BTRFS_NODE",
  "fuzz-tests__images__sys-array-num-stripes-0.raw.xz": "BTRFS_CHUNK",
  "fuzz-tests__images__sys-chunk-stripe-len-bogus.raw.xz": "BTRFS_CHUNK",
  "fuzz-tests__images__sys-chunk-type-bogus.raw.xz": "BTRFS_CHUNK",
  "misc-tests__032-bad-item-ptr__bad_item_ptr.raw.xz": "BTRFS_NODE",
};

export const FOLDER = "disk/btrfs/btrfs-progs";
/** Dumps that btrfs-image made: trees without the places where they stood, and no file system. */
export const isDump = (name: string) => /\.img(\.xz)?$/.test(name);

export function imageNames(): string[] {
  return existsSync(corpus(FOLDER)) ? readdirSync(corpus(FOLDER)).sort() : [];
}

/** Half a GiB and more: unpacking them takes seconds. */
export function isLarge(name: string): boolean {
  return /^(convert-tests__004|misc-tests__034|misc-tests__060)/.test(name);
}

/** Expects the listing or the error of the tables. */
export async function checkImage(name: string): Promise<void> {
  await using source = FileSource.open(await unpacked(corpus(FOLDER, name)));
  const listing = LISTINGS[name];
  if (listing !== undefined) {
    expect(await listingDigest((await open(source)).fileSystem)).toBe(listing);
    return;
  }
  const expected = isDump(name) ? "BTRFS_SUPERBLOCK" : REFUSED[name];
  expect(await codeOf(open(source).then(({ fileSystem }) => listingDigest(fileSystem)))).toBe(expected);
}
