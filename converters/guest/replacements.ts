import { type BytePath, joinPath } from "../../src/bytes/byte-path.ts";
import type { Context } from "../../src/context.ts";
import { insidePath, meaningfulLines, readText, readTexts } from "./configuration.ts";
import type { GuestService } from "./guest-service.ts";
import type { Overlay } from "./overlay.ts";
import { lockPasswords, type SecretFinding } from "./secrets.ts";
import type { GuestTree } from "./tree.ts";

const FSTAB = "# Left empty by transload: a container's file systems are mounted by its runtime.\n";
const HOSTS = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

/** The files that made this machine this one machine, as those of any. What it does not have is not added, but for machine-id. */
export async function replaceIdentity(tree: GuestTree, systemd: boolean, overlay: Overlay): Promise<void> {
  const machineId = await tree.lookup("etc/machine-id");
  // Empty, not absent: systemd then takes $container_uuid, and does not see a first boot.
  if (machineId !== undefined || systemd) overlay.file("etc/machine-id", "", "machine-id", machineId, 0o444);
  const dbus = await tree.lookup("var/lib/dbus/machine-id");
  if (dbus?.type === "file") overlay.symlink(dbus.path, "/etc/machine-id", "machine-id", dbus);
  const files: readonly (readonly [path: string, text: string, rule: string])[] = [
    ["etc/fstab", FSTAB, "fstab"],
    ["etc/hostname", "", "host-names"],
    ["etc/HOSTNAME", "", "host-names"],
    ["etc/hosts", HOSTS, "host-names"],
    ["etc/resolv.conf", "", "resolver"],
  ];
  for (const [path, text, rule] of files) {
    const original = await tree.lookup(path);
    if (original?.type === "file" || original?.type === "symlink") overlay.file(path, text, rule, original);
  }
}

/** Finds password hashes, and locks the accounts if `lock` asks for it. */
export async function replacePasswords(
  tree: GuestTree,
  lock: boolean,
  overlay: Overlay,
  ctx: Context,
): Promise<SecretFinding[]> {
  const findings: SecretFinding[] = [];
  for (const path of ["etc/shadow", "etc/gshadow"]) {
    const text = await readText(tree, path, ctx);
    if (text === undefined) continue;
    const locked = lockPasswords(text);
    if (lock && locked.text !== text) overlay.file(path, locked.text, "locked-passwords", await tree.lookup(path));
    if (locked.hashes > 0) findings.push({ path, kind: "password-hash", action: lock ? "locked" : "kept" });
  }
  return findings;
}

/**
 * The directories under /run that a service finds when its machine has started, for a container that starts nothing else: what
 * tmpfiles.d(5) asks for, then the service's own RuntimeDirectory= and those that its script is known to make.
 */
export async function addRunDirectories(
  tree: GuestTree,
  service: Pick<GuestService, "runDirectories" | "user">,
  overlay: Overlay,
  ctx: Context,
): Promise<void> {
  const base = await runPath(tree);
  const add = async (name: string, made: Partial<Owner> & { readonly mode?: number } = {}) => {
    const segments = insidePath(name).split("/");
    if (segments.some((segment) => segment === "" || segment === "." || segment === "..")) return;
    for (const depth of segments.keys()) {
      const path = joinPath(base, segments.slice(0, depth + 1).join("/"));
      const leaf = depth === segments.length - 1;
      overlay.directory(path, RUN_RULE, await tree.lookup(path), leaf ? made : {});
    }
  };
  if ((await tree.lookup(base)) === undefined) overlay.directory(base, RUN_RULE, undefined);
  for (const { name, mode, user, group } of await temporaryDirectories(tree, ctx)) {
    const owner = await findUser(tree, user, ctx);
    const gid = (await findGroup(tree, group, ctx)) ?? owner?.gid ?? 0;
    await add(name, { uid: owner?.uid ?? 0, gid, ...(mode !== undefined && { mode }) });
  }
  const owner = await findUser(tree, service.user?.split(":")[0] ?? "root", ctx);
  for (const name of service.runDirectories) await add(name, owner);
}

const RUN_RULE = "run-directories";

/** Where /run is: /var/run of old systems, or a new directory. */
async function runPath(tree: GuestTree): Promise<BytePath> {
  const run = (await tree.follow("var/run")) ?? (await tree.follow("run"));
  return run?.type === "directory" ? run.path : "run";
}

interface TemporaryDirectory {
  /** Below /run. */
  readonly name: string;
  readonly mode: number | undefined;
  readonly user: string;
  readonly group: string;
}

/** The directories below /run in tmpfiles.d(5), but for those of systemd itself. */
async function temporaryDirectories(tree: GuestTree, ctx: Context): Promise<TemporaryDirectory[]> {
  const found: TemporaryDirectory[] = [];
  for (const directory of ["etc/tmpfiles.d", "usr/lib/tmpfiles.d"]) {
    for (const text of await readTexts(tree, directory, ".conf", ctx)) {
      for (const line of meaningfulLines(text)) {
        const [type = "", path = "", mode = "", user = "", group = ""] = line.split(/\s+/);
        const name = /^(?:\/var)?\/run\/([^%*?[]+)$/.exec(path)?.[1];
        if (!/^[dD][!-]*$/.test(type) || name === undefined || /^(?:systemd|log|user)(?:\/|$)/.test(name)) continue;
        found.push({ name, mode: /^0?[0-7]{3,4}$/.test(mode) ? Number.parseInt(mode, 8) : undefined, user, group });
      }
    }
  }
  return found;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A group's number, of group(5). */
async function findGroup(tree: GuestTree, group: string, ctx: Context): Promise<number | undefined> {
  const lines = ((await readText(tree, "etc/group", ctx)) ?? "").split("\n").map((line) => line.split(":"));
  const gid = lines.find(([name]) => name === group)?.[2];
  return gid !== undefined && /^\d{1,10}$/.test(gid) ? Number(gid) : undefined;
}

/** A user of passwd(5) by name or number. */
export async function findUser(tree: GuestTree, user: string, ctx: Context): Promise<Owner | undefined> {
  for (const line of ((await readText(tree, "etc/passwd", ctx)) ?? "").split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if ((name === user || uid === user) && /^\d{1,10}$/.test(uid ?? "") && /^\d{1,10}$/.test(gid ?? "")) {
      return { uid: Number(uid), gid: Number(gid) };
    }
  }
  return undefined;
}
