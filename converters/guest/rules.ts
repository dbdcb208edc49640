import type { Profile } from "./options.ts";

/** What a rule does with the files that its patterns match and with everything below those that are directories. */
export type RuleAction = "keep" | "leave-out" | "empty";

/** A reason to treat some files of a machine differently in an image. */
export interface Rule {
  /** Stable: the report counts by it. */
  readonly id: string;
  readonly reason: string;
  /** `empty` keeps files with no content, and directories as they are. */
  readonly action: RuleAction;
  /** In the language of PathPatterns. */
  readonly patterns: readonly string[];
  /** Worth a warning by this code when it leaves something out. */
  readonly warning?: string;
}

/** Holds in every profile and against every filter: no layer can say such names, they delete instead. */
export const WHITEOUT_NAMES: Rule = {
  id: "whiteout-names",
  reason: "a name that begins with .wh. deletes files when an image is unpacked",
  action: "leave-out",
  patterns: [".wh.*"],
  warning: "GUEST_WHITEOUT_NAME",
};

const BOOT: readonly Rule[] = [
  {
    id: "kernel",
    reason: "containers run on the host's kernel",
    action: "leave-out",
    patterns: [
      "/boot",
      "/lib/modules",
      "/usr/lib/modules",
      "/lib/firmware",
      "/usr/lib/firmware",
      "/usr/lib/linux-image-*",
      "/usr/src/linux-headers*",
      "/usr/src/kernels",
      "/vmlinuz*",
      "/initrd.img*",
      "/var/lib/initramfs-tools",
      "/var/lib/dkms",
      "/etc/default/grub",
      "/etc/default/grub.d",
      "/etc/grub.d",
      "/etc/grub2*.cfg",
    ],
  },
];

const CONTAINER: readonly Rule[] = [
  {
    id: "runtime",
    reason: "the container runtime provides it",
    action: "leave-out",
    patterns: ["/proc/*", "/sys/*", "/dev/*", "/run/*"],
  },
  {
    id: "temporary",
    reason: "temporary files and other file systems' places",
    action: "leave-out",
    patterns: ["/tmp/*", "/var/tmp/*", "/var/run/**/*.pid", "/mnt/*", "/media/*", "/lost+found/*"],
  },
  {
    id: "swap",
    reason: "swap space and hibernation images",
    action: "leave-out",
    patterns: ["/swapfile", "/swap.img", "/swap.swp", "/var/swap", "/swap/*", "/hibernation*", "/hiberfil.sys"],
  },
  {
    id: "package-cache",
    reason: "the package manager downloads it again",
    action: "leave-out",
    patterns: [
      "/var/cache/apt/*",
      "/var/cache/dnf/*",
      "/var/cache/yum/*",
      "/var/cache/libdnf5/*",
      "/var/cache/zypp/*",
      "/var/cache/PackageKit/*",
      "/var/cache/pacman/pkg/*",
      "/var/cache/apk/*",
      "/etc/apk/cache",
      "/var/lib/apt/lists/*",
    ],
  },
  {
    id: "old-logs",
    reason: "the machine's own history",
    action: "leave-out",
    patterns: ["/var/log/journal/*", "/var/log/**/*.{gz,xz,bz2,zst,old,[0-9],[0-9][0-9]}", "/var/log/**/*-20[0-9]*"],
  },
  { id: "logs", reason: "the machine's own history", action: "empty", patterns: ["/var/log/*"] },
  {
    id: "machine-state",
    reason: "state of this one machine",
    action: "leave-out",
    patterns: [
      "/var/crash/*",
      "/var/lib/systemd/random-seed",
      "/var/lib/systemd/coredump/*",
      "/var/lib/urandom/random-seed",
      "/var/lib/random-seed",
      "/var/lib/dhcp*/*",
      "/var/lib/dhclient/*",
      "/var/lib/NetworkManager/*",
      "/var/lib/cloud/*",
      "/core",
      "/core.[0-9]*",
      "/etc/blkid.tab",
      "/etc/{passwd,group,shadow,gshadow,subuid,subgid}-",
      "/vagrant",
    ],
  },
  {
    id: "hardware",
    reason: "describes the machine's disks and network cards",
    action: "leave-out",
    patterns: [
      "/etc/crypttab",
      "/etc/udev/rules.d/70-persistent-*",
      "/etc/netplan/*",
      "/etc/network/interfaces",
      "/etc/network/interfaces.d/*",
      "/etc/sysconfig/network-scripts/ifcfg-*",
      "/etc/sysconfig/network/ifcfg-*",
      "/etc/NetworkManager/system-connections/*",
      "/etc/systemd/network/*",
      "/etc/lvm/{backup,archive,cache}/*",
      "/etc/multipath/*",
    ],
  },
  {
    id: "container-storage",
    reason: "images and containers of an engine inside the machine",
    action: "leave-out",
    patterns: ["/var/lib/docker/*", "/var/lib/containerd/*", "/var/lib/containers/storage/*"],
    warning: "GUEST_CONTAINER_STORAGE",
  },
  {
    id: "guest-additions",
    reason: "drivers of the virtual machine monitor",
    action: "leave-out",
    patterns: ["/opt/VBoxGuestAdditions*", "/usr/lib/virtualbox", "/etc/init.d/vboxadd*", "/etc/rc?.d/*vboxadd*"],
  },
];

const MINIMAL: readonly Rule[] = [
  {
    id: "licences",
    reason: "the licences of what is distributed",
    action: "keep",
    patterns: ["/usr/share/doc/*/copyright", "/usr/share/doc/*/{LICENSE,LICENCE,COPYING}*", "/usr/share/licenses"],
  },
  {
    id: "documentation",
    reason: "only people read it",
    action: "leave-out",
    patterns: [
      "/usr/share/doc/*",
      "/usr/share/man/*",
      "/usr/share/info/*",
      "/usr/share/help/*",
      "/usr/share/gtk-doc",
      "/usr/share/lintian",
      "/usr/share/linda",
      "/usr/local/share/man/*",
    ],
  },
  {
    id: "translations",
    reason: "messages in other languages",
    action: "leave-out",
    patterns: ["/usr/share/locale/*", "/usr/share/i18n/locales/*"],
  },
  {
    id: "development",
    reason: "headers, static libraries and debugging symbols",
    action: "leave-out",
    patterns: ["/usr/include/*", "/usr/lib/debug", "/usr/src/*", "/usr/lib/**/*.a", "/usr/lib64/**/*.a"],
  },
  {
    id: "caches",
    reason: "made again when needed",
    action: "leave-out",
    patterns: ["/var/cache/**/*", "/root/.cache/*", "/home/*/.cache/*"],
  },
];

/** The rules of a profile in the order in which they are asked; the first that covers a path decides. */
export function rulesOf(profile: Profile, keepBoot: boolean): readonly Rule[] {
  if (profile === "full") return [];
  const rules = keepBoot ? CONTAINER : [...BOOT, ...CONTAINER];
  return (profile === "minimal" ? [...rules, ...MINIMAL] : rules).map(expand);
}

/** `{a,b}` in our own tables, not in the patterns of users, where rsync has no such thing. */
function expand(rule: Rule): Rule {
  return { ...rule, patterns: rule.patterns.flatMap(alternatives) };
}

export function alternatives(pattern: string): string[] {
  const [, before = "", words, after = ""] = /^(.*?)\{([^}]*)\}(.*)$/.exec(pattern) ?? [];
  return words === undefined ? [pattern] : words.split(",").flatMap((word) => alternatives(before + word + after));
}
