import type { ByteSource } from "../../bytes/byte-source.ts";
import { MD_MAGIC, type Member, SuperblockV0, SuperblockV1, superblockPlaces } from "./superblock.ts";

/** Whether one of the places where an array keeps its superblock holds one. */
export async function isMember(source: ByteSource): Promise<boolean> {
  return (await find(source)) !== undefined;
}

/** The superblock of a member; a sentence where it is damaged. */
export async function readMember(source: ByteSource): Promise<Member | string> {
  const found = await find(source);
  if (found === undefined) return "the array's superblock is gone";
  const { block, at } = found;
  return block.member(source, at);
}

async function find(source: ByteSource) {
  for (const { version, at } of superblockPlaces(source.size)) {
    const bytes = await source.read(at, SuperblockV0.SIZE);
    const block = version === "1" ? new SuperblockV1(bytes) : new SuperblockV0(bytes);
    const fits = version === "1" ? block.majorVersion === 1 : block.majorVersion === 0;
    if (block.magic === MD_MAGIC && fits) return { block, at };
  }
  return undefined;
}
