import { BigEndianView, LittleEndianView } from "../../bytes/view.ts";

/** XFS_LI_*: the types of log items. */
export const ITEM = {
  EFI: 0x1236,
  EFD: 0x1237,
  INODE: 0x123b,
  BUFFER: 0x123c,
  DQUOT: 0x123d,
  QUOTA_OFF: 0x123e,
  ICREATE: 0x123f,
  RUI: 0x1240,
  RUD: 0x1241,
  CUI: 0x1242,
  CUD: 0x1243,
  BUI: 0x1244,
  BUD: 0x1245,
  ATTRI: 0x1246,
  ATTRD: 0x1247,
  XMI: 0x1248,
  XMD: 0x1249,
  EFI_RT: 0x124a,
  EFD_RT: 0x124b,
  RUI_RT: 0x124c,
  RUD_RT: 0x124d,
  CUI_RT: 0x124e,
  CUD_RT: 0x124f,
} as const;

/** XFS_BLF_*: what a buffer item says of its buffer. */
const BUFFER_FLAG = { INODE: 0x1, CANCEL: 0x2, QUOTA: 0x4 | 0x8 | 0x10 } as const;
const CHUNK = 128;

/** struct xfs_buf_log_format: which chunks of 128 bytes of a buffer follow. */
export class BufferFormat extends LittleEndianView {
  static readonly SIZE = 0x14;
  readonly #mapBits: number;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, bytes.length);
    this.#mapBits = bytes.length < BufferFormat.SIZE ? 0 : Math.min(this.u32(0x10), (bytes.length - 0x14) >>> 2) * 32;
  }

  get isInodes(): boolean {
    return (this.u16(0x04) & BUFFER_FLAG.INODE) !== 0;
  }
  get isCancelled(): boolean {
    return (this.u16(0x04) & BUFFER_FLAG.CANCEL) !== 0;
  }
  get isQuota(): boolean {
    return (this.u16(0x04) & BUFFER_FLAG.QUOTA) !== 0;
  }
  /** In sectors of 512 bytes, as all sizes and places of buffers. */
  get length(): number {
    return this.u16(0x06);
  }
  get blkno(): number {
    return this.u64(0x08);
  }

  /** Runs of chunks that were changed, in bytes of the buffer. */
  *runs(): Generator<{ readonly offset: number; readonly length: number }> {
    for (let bit = 0; bit < this.#mapBits; bit++) {
      if (!this.#hasBit(bit)) continue;
      const first = bit;
      while (bit < this.#mapBits && this.#hasBit(bit)) bit++;
      yield { offset: first * CHUNK, length: (bit - first) * CHUNK };
    }
  }

  #hasBit(bit: number): boolean {
    return ((this.u32(0x14 + (bit >>> 5) * 4) >>> (bit & 31)) & 1) !== 0;
  }
}

/** XFS_ILOG_*: which parts of an inode follow. */
export const INODE_FIELD = {
  DEVICE: 0x10,
  DATA: 0x02,
  EXTENTS: 0x04,
  BTREE_ROOT: 0x08,
  ATTRIBUTES: 0x40,
  ATTRIBUTE_EXTENTS: 0x80,
  ATTRIBUTE_BTREE_ROOT: 0x100,
} as const;

/** struct xfs_inode_log_format; 32-bit machines leave out the padding in front of the inode's number. */
export class InodeFormat extends LittleEndianView {
  static readonly SIZE = 0x38;
  static readonly SIZE_32 = 0x34;
  readonly #shift: number;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, Math.min(bytes.length, InodeFormat.SIZE));
    this.#shift = bytes.length < InodeFormat.SIZE ? InodeFormat.SIZE - InodeFormat.SIZE_32 : 0;
  }

  /** In regions. */
  get size(): number {
    return this.u16(0x02);
  }
  get fields(): number {
    return this.u32(0x04);
  }
  get ino(): number {
    return this.u64(0x10 - this.#shift);
  }
  get rdev(): number {
    return this.u32(0x18 - this.#shift);
  }
  /** The buffer of the inode's cluster, in sectors. */
  get blkno(): number {
    return this.u64(0x28 - this.#shift);
  }
  get length(): number {
    return this.u32(0x30 - this.#shift);
  }
}

/** struct xfs_icreate_log: inodes that were made from free blocks. The one item that is big endian. */
export class InodeCreate extends BigEndianView {
  static readonly SIZE = 0x1c;

  get group(): number {
    return this.u32(0x04);
  }
  get groupBlock(): number {
    return this.u32(0x08);
  }
  get count(): number {
    return this.u32(0x0c);
  }
  get inodeSize(): number {
    return this.u32(0x10);
  }
  /** In blocks. */
  get length(): number {
    return this.u32(0x14);
  }
  get generation(): number {
    return this.u32(0x18);
  }
}

/** An operation that is announced (struct xfs_efi_log_format and others) or done: which one. */
export class IntentFormat extends LittleEndianView {
  static readonly SIZE = 0x10;

  get id(): bigint {
    return this.data.getBigUint64(0x08, true);
  }
}
