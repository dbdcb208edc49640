import type { Diagnostic } from "../../context.ts";
import { CorruptError, NotFoundError, UnsupportedError } from "../../errors.ts";

/** MD_ARRAY: superblocks with impossible values. */
export function arrayInvalid(array: string, reason: string): CorruptError {
  return new CorruptError("MD_ARRAY", `the superblocks of ${array} cannot be right: ${reason}`);
}

/** MD_DAMAGED: a member with a superblock that cannot be used. */
export function damagedMember(file: string, reason: string): Diagnostic {
  return { code: "MD_DAMAGED", severity: "warning", message: reason, where: { file } };
}

/** MD_LEVEL_UNSUPPORTED: an array of a kind that is not read, or one that is being changed into another. */
export function levelUnsupported(array: string, what: string): UnsupportedError {
  return new UnsupportedError("MD_LEVEL_UNSUPPORTED", `${array} is ${what}, which is not read`, {
    advice: "the disk can still be carried as it is, with --as disk or --as package",
  });
}

/** MD_MEMBER_MISSING: an array that cannot do without a disk that is not there. */
export function memberMissing(array: string, found: number, wanted: number): NotFoundError {
  return new NotFoundError("MD_MEMBER_MISSING", `${array} has ${found} of the ${wanted} members that it needs`, {
    advice: "export the machine with all its disks",
  });
}

/** MD_MEMBER_STALE: a member that fell out of its array; what it holds is out of date. */
export function memberStale(file: string, array: string): Diagnostic {
  return {
    code: "MD_MEMBER_STALE",
    severity: "warning",
    message: `it is out of date and not used for ${array}`,
    where: { file },
  };
}

/** MD_UNUSABLE: no member has a superblock that can be used. */
export function unusable(file: string, reason: string): CorruptError {
  return new CorruptError("MD_UNUSABLE", `no array can be read: ${reason}`, { where: { file } });
}
