import { joinPath } from "../../src/bytes/byte-path.ts";
import type { Overlay } from "./overlay.ts";
import { templateOf } from "./systemd-unit.ts";
import type { SystemdUnits } from "./systemd-units.ts";
import type { GuestTree } from "./tree.ts";

/** Units that need the hardware, the kernel or the network that a container's runtime has already set up. */
const MASKED = new RegExp(
  `^(?:${[
    // The kernel's and the disks' part of the boot.
    "systemd-remount-fs\\.service|systemd-udev.*\\.(?:service|socket)|systemd-modules-load\\.service|systemd-sysctl\\.service",
    "sys-(?:kernel|fs)-.*\\.mount|dev-(?:hugepages|mqueue)\\.mount|proc-sys-fs-binfmt_misc\\.(?:auto)?mount|systemd-binfmt\\.service",
    "swap\\.target|.*\\.swap|fstrim\\.timer|lvm2-.*\\.(?:service|socket|timer)|blk-availability\\.service|dm-event\\.(?:service|socket)",
    "multipathd\\.(?:service|socket)|iscsid?\\.(?:service|socket)|open-iscsi\\.service|mdmonitor.*\\.(?:service|timer)|e2scrub.*\\.(?:service|timer)",
    "smartd\\.service|smartmontools\\.service|acpid\\.(?:service|socket|path)|irqbalance\\.service|kdump\\.service|kexec(?:-load)?\\.service",
    // What belongs to one machine or its first start.
    "systemd-(?:machine-id-commit|firstboot|update-utmp|update-utmp-runlevel|hwdb-update|random-seed)\\.service|cloud-.*\\.(?:service|target|socket)",
    // Terminals.
    "(?:serial-)?getty@\\.service|console-getty\\.service|container-getty@\\.service|plymouth.*\\.service",
    // Network and time are the host's.
    "NetworkManager.*\\.service|networking\\.service|network\\.service|systemd-networkd.*\\.(?:service|socket)|systemd-resolved\\.service",
    "chronyd?\\.service|ntpd?\\.service|ntpsec\\.service|systemd-timesyncd\\.service|firewalld\\.service|nftables\\.service|ufw\\.service|auditd\\.service",
    // The virtual machine monitor's drivers.
    "vboxadd.*\\.service|virtualbox-guest-.*\\.service|vmtoolsd\\.service|open-vm-tools\\.service|vgauthd?\\.service|qemu-guest-agent\\.service",
    // An image is updated by making a new one.
    "snapd\\..*|snapd\\.seeded\\.service|unattended-upgrades\\.service|apt-daily.*\\.(?:service|timer)|dnf-makecache\\.(?:service|timer)|packagekit.*\\.service",
  ].join("|")})$`,
);

const UNITS = "etc/systemd/system";

/** Masks in the overlay whatever cannot run in a container and exists in the machine; answers the names, sorted. */
export async function maskUnits(tree: GuestTree, units: SystemdUnits, overlay: Overlay): Promise<string[]> {
  const directory = (await tree.follow(UNITS))?.path ?? UNITS;
  const names = units.names.filter((name) => MASKED.test(name) && !units.masked(name)).sort();
  if (names.length > 0 && (await tree.lookup(directory)) === undefined) {
    overlay.directory(directory, "masked-units", undefined);
  }
  for (const name of names) {
    const path = joinPath(directory, name);
    overlay.symlink(path, "/dev/null", "masked-units", await tree.lookup(path));
  }
  return names;
}

/** Whether a unit, or the template that it is an instance of, is masked in containers. */
export function isMasked(name: string): boolean {
  return MASKED.test(name) || MASKED.test(templateOf(name));
}
