import { joinPath } from "../../src/bytes/byte-path.ts";
import type { Context } from "../../src/context.ts";
import { insidePath, readText } from "./configuration.ts";
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

/** The directories under /run that a service finds when systemd or its script makes them, for when neither does. */
export async function addRunDirectories(
  tree: GuestTree,
  service: Pick<GuestService, "runDirectories" | "user">,
  overlay: Overlay,
  ctx: Context,
): Promise<void> {
  const owner = await findUser(tree, service.user?.split(":")[0] ?? "root", ctx);
  const run = (await tree.follow("var/run")) ?? (await tree.follow("run"));
  const base = run?.type === "directory" ? run.path : "run";
  if (run === undefined && service.runDirectories.length > 0) overlay.directory(base, "run-directories", undefined);
  for (const name of service.runDirectories) {
    let path = base;
    for (const segment of insidePath(name).split("/")) {
      if (segment === "" || segment === "." || segment === "..") continue;
      path = joinPath(path, segment);
      overlay.directory(path, "run-directories", await tree.lookup(path), owner);
    }
  }
}

/** A user of passwd(5) by name or number. */
export async function findUser(
  tree: GuestTree,
  user: string,
  ctx: Context,
): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  for (const line of ((await readText(tree, "etc/passwd", ctx)) ?? "").split("\n")) {
    const [name, , uid, gid] = line.split(":");
    if ((name === user || uid === user) && /^\d{1,10}$/.test(uid ?? "") && /^\d{1,10}$/.test(gid ?? "")) {
      return { uid: Number(uid), gid: Number(gid) };
    }
  }
  return undefined;
}
