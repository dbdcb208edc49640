import type { ByteSource } from "../../bytes/byte-source.ts";
import { LittleEndianView } from "../../bytes/view.ts";

const MAGIC = 0x64526d44;

/** struct dm_raid_superblock (drivers/md/dm-raid.c), at the start of each metadata volume. */
class RaidSuperblock extends LittleEndianView {
  static readonly SIZE = 0x40;

  constructor(bytes: Uint8Array) {
    super(bytes, 0, RaidSuperblock.SIZE);
  }

  get magic(): number {
    return this.u32(0x00);
  }
  get events(): number {
    return this.u64(0x10);
  }
  /** Whether the leg with that number has failed; the first 32 are enough for what lvm2 makes. */
  failed(leg: number): boolean {
    return leg < 32 && ((this.u32(0x18) >>> leg) & 1) === 1;
  }
  /** A leg that is being filled knows how far it is; a whole one has all bits set. */
  get recovered(): boolean {
    return this.u32(0x20) === 0xffffffff && this.u32(0x24) === 0xffffffff;
  }
}

/** A leg of a raid1 volume that opened. */
export interface Leg {
  readonly number: number;
  readonly metadata: ByteSource | undefined;
  readonly image: ByteSource;
}

/**
 * The leg to read: of those with the latest metadata the first that is whole and that the others do not call failed. Where
 * the metadata tells nothing (a volume that was never started), the first leg. `legs` has at least one.
 */
export async function currentLeg(legs: readonly [Leg, ...Leg[]]): Promise<Leg> {
  const known: { leg: Leg; superblock: RaidSuperblock }[] = [];
  for (const leg of legs) {
    if (leg.metadata === undefined || leg.metadata.size < RaidSuperblock.SIZE) continue;
    const superblock = new RaidSuperblock(await leg.metadata.read(0, RaidSuperblock.SIZE));
    if (superblock.magic === MAGIC) known.push({ leg, superblock });
  }
  const events = Math.max(...known.map(({ superblock }) => superblock.events));
  const latest = known.filter(({ superblock }) => superblock.events === events);
  const whole = latest.find(
    ({ leg, superblock: own }) =>
      own.recovered && !latest.some(({ superblock }) => superblock !== own && superblock.failed(leg.number)),
  );
  return whole?.leg ?? latest[0]?.leg ?? legs[0];
}
