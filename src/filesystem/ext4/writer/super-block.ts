import type { BytePath } from "../../../bytes/byte-path.ts";
import { Inode } from "../inode.ts";
import { BLOCK_TYPE, JBD2_MAGIC, JournalSuperBlock } from "../journal-structures.ts";
import { COMPAT, INCOMPAT, RO_COMPAT, SuperBlock } from "../super-block.ts";
import { BLOCK, DESCRIPTOR, GROUP_BLOCKS, INODE, LOG_GROUPS_PER_FLEX } from "./geometry.ts";
import type { GroupTable } from "./group-table.ts";
import { HALF_MD4 } from "./hash-tree.ts";
import { type InodeTable, JOURNAL_INODE } from "./inode-table.ts";
import type { Layout } from "./layout.ts";
import { FIRST_INODE } from "./node.ts";
import { EXTRA_ISIZE } from "./xattr-places.ts";

/** s_state: unmounted cleanly. */
const VALID = 1;
/** s_errors: go on. */
const CONTINUE = 1;
/** s_flags: the hashes of names take their bytes as unsigned. */
const UNSIGNED_HASH = 2;
/** s_default_mount_opts: user_xattr and acl. */
const MOUNT_OPTIONS = 0xc;
const DYNAMIC_REVISION = 1;
const CRC32C = 1;
const NEVER = 0xffff;
/** Of a journal's superblock, of what it can hold and of where its log begins. */
const JOURNAL_FIRST = 1;

/** How a file system is known. */
export interface Identity {
  readonly uuid: Uint8Array;
  readonly label: BytePath;
  readonly hashSeed: Uint8Array;
  /** Seconds since 1970. */
  readonly time: number;
  /** Blocks that only root may use. */
  readonly reservedBlocks: number;
  readonly hasXattrValues: boolean;
}

/** The superblock, or its copy in a group. */
export function superBlock(
  group: number,
  identity: Identity,
  layout: Layout,
  groups: GroupTable,
  inodes: InodeTable,
): Uint8Array {
  const bytes = new Uint8Array(SuperBlock.SIZE);
  const block = new SuperBlock(bytes);
  putFeatures(block, layout, identity.hasXattrValues);
  putGeometry(block, layout, groups);
  block.blockGroupNr = group;
  block.reservedBlocksCount = identity.reservedBlocks;
  block.writeTime = identity.time;
  block.makeTime = identity.time;
  block.lastCheck = identity.time;
  block.maxMountCount = NEVER;
  block.magic = SuperBlock.MAGIC;
  block.state = VALID;
  block.errors = CONTINUE;
  block.uuidBytes = identity.uuid;
  block.volumeName = identity.label;
  block.hashSeed = identity.hashSeed;
  block.defaultHashVersion = HALF_MD4;
  block.flags = UNSIGNED_HASH;
  block.defaultMountOptions = MOUNT_OPTIONS;
  if (layout.journal.blocks > 0) putJournal(block, layout, inodes);
  block.checksumType = CRC32C;
  block.setChecksum();
  return bytes;
}

function putFeatures(block: SuperBlock, { geometry, journal }: Layout, hasXattrValues: boolean): void {
  block.revLevel = DYNAMIC_REVISION;
  block.featureCompat =
    COMPAT.EXT_ATTR |
    COMPAT.DIR_INDEX |
    (journal.blocks > 0 ? COMPAT.HAS_JOURNAL : 0) |
    (geometry.reservedBlocks > 0 ? COMPAT.RESIZE_INODE : 0);
  block.featureIncompat =
    INCOMPAT.FILETYPE |
    INCOMPAT.EXTENTS |
    INCOMPAT["64BIT"] |
    INCOMPAT.FLEX_BG |
    (hasXattrValues ? INCOMPAT.EA_INODE : 0);
  block.featureRoCompat =
    RO_COMPAT.SPARSE_SUPER |
    RO_COMPAT.LARGE_FILE |
    RO_COMPAT.HUGE_FILE |
    RO_COMPAT.DIR_NLINK |
    RO_COMPAT.EXTRA_ISIZE |
    RO_COMPAT.METADATA_CSUM;
}

function putGeometry(block: SuperBlock, { geometry }: Layout, groups: GroupTable): void {
  block.inodesCount = geometry.groups * geometry.inodesPerGroup;
  block.blocksCount = geometry.blocks;
  block.freeBlocksCount = groups.freeBlocks;
  block.freeInodesCount = groups.freeInodes;
  block.logBlockSize = Math.log2(BLOCK / 1024);
  block.logClusterSize = Math.log2(BLOCK / 1024);
  block.blocksPerGroup = GROUP_BLOCKS;
  block.clustersPerGroup = GROUP_BLOCKS;
  block.inodesPerGroup = geometry.inodesPerGroup;
  block.firstInode = FIRST_INODE;
  block.inodeSize = INODE;
  block.minExtraIsize = EXTRA_ISIZE;
  block.wantExtraIsize = EXTRA_ISIZE;
  block.descSize = DESCRIPTOR;
  block.reservedGdtBlocks = geometry.reservedBlocks;
  block.logGroupsPerFlex = LOG_GROUPS_PER_FLEX;
}

/** With what tells where the journal is even if its inode is lost. */
function putJournal(block: SuperBlock, { journal }: Layout, inodes: InodeTable): void {
  block.journalInum = JOURNAL_INODE;
  const inode = new Inode(inodes.blocks(JOURNAL_INODE, 1), 0, INODE, JOURNAL_INODE);
  const copy = Buffer.alloc(17 * 4);
  copy.set(inode.block);
  copy.writeUInt32LE(Math.floor((journal.blocks * BLOCK) / 0x1_0000_0000), 15 * 4);
  copy.writeUInt32LE((journal.blocks * BLOCK) % 0x1_0000_0000, 16 * 4);
  block.jnlBlocks = copy;
  block.journalBackupType = 1;
}

/** The first block of a journal whose log is empty. */
export function journalSuperBlock(blocks: number, uuid: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  const journal = new JournalSuperBlock(bytes);
  journal.magic = JBD2_MAGIC;
  journal.blockType = BLOCK_TYPE.SUPERBLOCK_V2;
  journal.blockSize = BLOCK;
  journal.maxLen = blocks;
  journal.first = JOURNAL_FIRST;
  journal.firstSequence = 1;
  journal.uuid = uuid;
  journal.users = 1;
  return bytes;
}
