import type { BytePath } from "../../src/bytes/byte-path.ts";
import { knownService, POSTGRES_DATA } from "./known-services.ts";
import type { GuestTree } from "./tree.ts";
import type { Words } from "./words.ts";

/** Something that the machine starts by itself. */
export interface GuestService {
  /** Without `.service`. */
  readonly name: string;
  readonly manager: "systemd" | "sysvinit" | "upstart" | "openrc";
  /** Part of nearly every machine of its kind (logging, time, terminals...): never the one that an image is about. */
  readonly stock: boolean;
  /** What runs it in the foreground, if that is known. */
  readonly command: Words | undefined;
  /** `user` or `user:group`, as OCI's User. */
  readonly user: string | undefined;
  /** `NAME=value` in order; later ones win. */
  readonly environment: readonly string[];
  /** Variables that look like secrets, and were therefore not taken: their names, and the files that set them. */
  readonly secretVariables: readonly { readonly name: string; readonly path: BytePath }[];
  readonly workingDirectory: string | undefined;
  readonly stopSignal: string | undefined;
  /** Names under /run that it needs. */
  readonly runDirectories: readonly string[];
  /** Units that it cannot start without. */
  readonly requires: readonly string[];
  /** Where it keeps data, for whoever wants to make volumes of them. */
  readonly data: readonly string[];
  /** Why its command may not do, or is missing. */
  readonly problems: readonly string[];
}

/** Services of the distribution and of the virtual machine, by name without a suffix. */
const STOCK = new RegExp(
  `^(?:${[
    "systemd-.*|dbus.*|getty.*|.*getty|console-.*|keyboard-.*|kbd|kmod.*|procps|sysctl|sysfs|hwclock|swap|localmount|bootmisc|hostname",
    "udev.*|mdev|hwdrivers|modules|devfs|dmesg|loopback|root|mtab|fsck|seedrng|urandom|savecache|killprocs|mount-ro|mount.*|checkfs|checkroot",
    "crond?|dcron|cronie|fcron|anacron|atd|rsyslogd?|syslog.*|sysklogd|klogd|acct|psacct|logrotate|auditd|ssh|sshd.*|dropbear",
    "network.*|networking|NetworkManager.*|ifupdown.*|connman|wpa_supplicant|iwd|dhcpcd|dhclient|ModemManager|resolvconf|avahi-.*|nscd|sssd.*",
    "chronyd?|ntpd?|ntpsec|openntpd|systemd-timesyncd|tuned|irqbalance|thermald|rngd|rng-tools.*|haveged|cpupower|ondemand|upower|acpid|apmd|powertop",
    "firewalld|ufw|ip6?tables.*|nftables|netfilter-persistent|fail2ban|apparmor|selinux-.*|policykit|polkit|accounts-daemon|udisks2",
    "lvm2.*|blk-availability|mdmonitor.*|mdadm.*|dm-event.*|multipathd.*|iscsi.*|open-iscsi|smartd|smartmontools|lm[-_]sensors|hddtemp|e2scrub.*|fstrim",
    "cloud-.*|snapd.*|unattended-upgrades|apt-daily.*|dnf-.*|packagekit|apport.*|whoopsie|kerneloops|abrt.*|kdump.*|kexec.*|rhsm.*|insights-client.*",
    "qemu-guest-agent|spice-vdagentd?|vboxadd.*|virtualbox-guest-.*|VBoxService|vmtoolsd|vgauthd|open-vm-tools|hv-.*|hypervkvpd|hypervvssd|waagent|walinuxagent|xe-.*",
    "grub.*|plymouth.*|rc-local|rc\\.local|local|remote-fs|rpcbind|nfs-client|nfs-common|nis-domainname|microcode|import-state|loadmodules|initial-setup.*",
    "gdm\\d*|lightdm|sddm|display-manager|bluetooth|alsa-.*|cups.*|colord|switcheroo-control|speech-dispatcher|brltty|motd.*|pppd-dns|x11-common|sudo",
    "exim4|postfix|sendmail|networkd-dispatcher|gpm|mcelog|ras.*|binfmt-support|screen-cleanup|secureboot-db|ua-timer|ubuntu-advantage|ubuntu-fan|lxd-agent|vgauth",
  ].join("|")})$`,
);

export function isStock(name: string): boolean {
  return STOCK.test(name);
}

/** Where a service of this name usually keeps its data. */
export function dataOf(name: string): readonly string[] {
  return /^postgresql/.test(name) ? POSTGRES_DATA : (knownService(name)?.data ?? []);
}

/** Those of the directories that the machine has. */
export async function existing(tree: GuestTree, directories: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of directories) if ((await tree.follow(path.slice(1)))?.type === "directory") found.push(path);
  return found;
}
