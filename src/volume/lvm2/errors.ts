import type { Diagnostic } from "../../context.ts";
import { CorruptError, NotFoundError, UnsupportedError } from "../../errors.ts";

const CARRY = "the disk can still be carried as it is, with --as disk or --as package";

/** LVM_DAMAGED: a physical volume, or one of its copies of the metadata, that cannot be used. */
export function damagedMember(file: string, reason: string): Diagnostic {
  return { code: "LVM_DAMAGED", severity: "warning", message: reason, where: { file } };
}

/** LVM_DUPLICATE_PV: two places with the UUID of one physical volume, as on copied disks. */
export function duplicateMember(file: string, uuid: string, used: string): Diagnostic {
  return {
    code: "LVM_DUPLICATE_PV",
    severity: "warning",
    message: `it has the same UUID ${uuid} as ${used}, which is used instead`,
    where: { file },
  };
}

/** LVM_ERROR_SEGMENT: a read of a segment that exists to fail. */
export function errorSegment(volume: string): UnsupportedError {
  return new UnsupportedError("LVM_ERROR_SEGMENT", `a part of ${volume} has no data: its segment is of type "error"`);
}

/** LVM_GROUP: metadata with impossible values. */
export function groupInvalid(group: string, reason: string): CorruptError {
  return new CorruptError("LVM_GROUP", `the metadata of volume group ${group} cannot be right: ${reason}`);
}

/** LVM_MERGE_PENDING: what the volume holds is settled only when the machine starts the next time. */
export function mergePending(volume: string, snapshot: string): UnsupportedError {
  return new UnsupportedError(
    "LVM_MERGE_PENDING",
    `${volume} is about to be replaced by its snapshot ${JSON.stringify(snapshot)}`,
    { advice: "start the machine, let the merge end, shut it down and export it again" },
  );
}

/** LVM_PV_MISSING: a logical volume lies on a physical volume that is on no disk of the machine. */
export function memberMissing(volume: string, uuid: string): NotFoundError {
  return new NotFoundError("LVM_PV_MISSING", `${volume} needs the physical volume ${uuid}, which is on no disk`, {
    advice: "export the machine with all its disks",
  });
}

/** LVM_SEGMENT_UNSUPPORTED: a kind of volume that is not read. */
export function segmentUnsupported(volume: string, type: string): UnsupportedError {
  return new UnsupportedError(
    "LVM_SEGMENT_UNSUPPORTED",
    `${volume} is of the type ${JSON.stringify(type)}, which is not read`,
    {
      advice: CARRY,
    },
  );
}

/** LVM_TEXT: metadata that does not parse; `offset` counts characters, `found` is undefined at the end. */
export function configSyntax(file: string, offset: number, found: string | undefined): CorruptError {
  const what = found === undefined ? "it ends too early" : `${JSON.stringify(found.slice(0, 40))} is not expected`;
  return new CorruptError("LVM_TEXT", `the text of the volume group breaks at character ${offset}: ${what}`, {
    where: { file },
  });
}

/** LVM_TEXT: metadata that no volume group has. */
export function configTooLarge(file: string, reason: string): CorruptError {
  return new CorruptError("LVM_TEXT", `the text of the volume group is refused: ${reason}`, { where: { file } });
}

/** LVM_THIN_METADATA: a damaged thin pool. */
export function thinInvalid(pool: string, reason: string, offset?: number): CorruptError {
  return new CorruptError("LVM_THIN_METADATA", `the metadata of the thin pool ${pool} is damaged: ${reason}`, {
    where: offset === undefined ? {} : { offset },
  });
}

/** LVM_UNUSABLE: none of the physical volumes tells what is on them. */
export function unusable(file: string, reason: string): CorruptError {
  return new CorruptError("LVM_UNUSABLE", `no volume group can be read: ${reason}`, { where: { file } });
}
