import { baseName } from "../../src/bytes/byte-path.ts";
import type { GuestTree } from "./tree.ts";

/** What starts a machine; `other` has an /sbin/init that is none of those known, `none` has none. */
export type InitSystem = "systemd" | "openrc" | "sysvinit" | "busybox" | "other" | "none";

/** Judged by what /sbin/init leads to; OpenRC counts before the init (sysvinit's, BusyBox's) that starts it. */
export async function findInit(tree: GuestTree): Promise<InitSystem> {
  const init = await tree.follow("sbin/init");
  if (init?.type !== "file") return "none";
  if (baseName(init.path) === "systemd") return "systemd";
  if ((await tree.follow("etc/runlevels/default"))?.type === "directory") return "openrc";
  if (/^busybox/.test(baseName(init.path))) return "busybox";
  for (const path of ["etc/rc.d/rc.sysinit", "etc/init.d/rcS", "etc/init.d/rc", "etc/rc.d/rc", "etc/inittab"]) {
    if ((await tree.follow(path))?.type === "file") return "sysvinit";
  }
  return "other";
}
