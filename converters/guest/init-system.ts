import { baseName } from "../../src/bytes/byte-path.ts";
import type { GuestTree } from "./tree.ts";

/** What starts a machine; `other` has an /sbin/init that is none of those known, `none` has none. */
export type InitSystem = "systemd" | "openrc" | "upstart" | "sysvinit" | "busybox" | "other" | "none";

/** Judged by what /sbin/init leads to; OpenRC counts before the init (sysvinit's, BusyBox's) that starts it. */
export async function findInit(tree: GuestTree): Promise<InitSystem> {
  const init = await tree.follow("sbin/init");
  if (init?.type !== "file") return "none";
  if (baseName(init.path) === "systemd") return "systemd";
  if ((await tree.follow("etc/runlevels/default"))?.type === "directory") return "openrc";
  if (/^busybox/.test(baseName(init.path))) return "busybox";
  if (await isFile(tree, "etc/init/rc.conf")) return "upstart";
  for (const path of ["etc/rc.d/rc.sysinit", "etc/init.d/rcS", "etc/init.d/rc", "etc/rc.d/rc", "etc/inittab"]) {
    if (await isFile(tree, path)) return "sysvinit";
  }
  return "other";
}

async function isFile(tree: GuestTree, path: string): Promise<boolean> {
  return (await tree.follow(path))?.type === "file";
}

/**
 * The signal that makes an init stop all services and end; undefined where none is known. As process 1 sysvinit ignores SIGTERM,
 * BusyBox's init takes it for a reboot, and Upstart restarts itself; SIGINT is its way to be told of Ctrl+Alt+Del.
 */
export async function initStopSignal(tree: GuestTree, init: InitSystem): Promise<string | undefined> {
  if (init === "systemd") return "SIGRTMIN+3";
  if (init === "upstart") return "SIGINT";
  if (init === "none" || init === "other") return undefined;
  const program = await tree.follow("sbin/init");
  return program !== undefined && /^busybox/.test(baseName(program.path)) ? "SIGUSR2" : "SIGPWR";
}
