import { userUnknown } from "./errors.ts";

/** Who runs the main process. */
export interface RunningUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
  readonly home: string;
}

const MOST_ID = 0xffff_fffe;

/**
 * A `User` of an image's config, `user[:group]` by names or numbers, as container engines resolve it: with the image's own
 * passwd(5) and group(5), whose bytes are given. Throws UnsupportedError APPLIANCE_USER.
 */
export function resolveUser(user: string, passwd: Uint8Array | undefined, group: Uint8Array | undefined): RunningUser {
  const [name = "", groupName] = user.split(":", 2);
  const accounts = fieldsOf(passwd);
  const groups = fieldsOf(group);
  const wanted = name === "" ? "0" : name;
  const account = accounts.find(([each]) => each === wanted) ?? accounts.find(([, , uid]) => uid === wanted);
  const uid = idOf(account?.[2]) ?? idOf(wanted);
  if (uid === undefined) throw userUnknown(user, "etc/passwd");
  const home = account?.[5] || "/";
  if (groupName !== undefined && groupName !== "") {
    const row = groups.find(([each]) => each === groupName);
    const gid = idOf(row?.[2]) ?? idOf(groupName);
    if (gid === undefined) throw userUnknown(user, "etc/group");
    return { uid, gid, groups: [gid], home };
  }
  const gid = idOf(account?.[3]) ?? 0;
  const member = account?.[0];
  const further = groups.flatMap(([, , id, members = ""]) =>
    member !== undefined && members.split(",").includes(member) ? (idOf(id) ?? []) : [],
  );
  return { uid, gid, groups: [...new Set([gid, ...further])], home };
}

function fieldsOf(bytes: Uint8Array | undefined): readonly string[][] {
  if (bytes === undefined) return [];
  const lines = Buffer.from(bytes).toString("latin1").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => line.trimEnd().split(":"));
}

function idOf(text: string | undefined): number | undefined {
  const id = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return id <= MOST_ID ? id : undefined;
}
