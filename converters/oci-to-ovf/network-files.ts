import type { ImageTree } from "../../src/oci/image-tree.ts";
import type { NewFile } from "./adapted-tree.ts";

/** Where the ways to configure a network keep what they are told; `lo` alone is not a network. */
const CONFIGURED: readonly RegExp[] = [
  /^etc\/systemd\/network\/[^/]+\.network$/,
  /^etc\/netplan\/[^/]+\.yaml$/,
  /^etc\/NetworkManager\/system-connections\/[^/]+/,
  /^etc\/sysconfig\/network-scripts\/ifcfg-(?!lo$)/,
  /^etc\/network\/interfaces(\.d\/[^/]+)?$/,
  /^etc\/sysconfig\/network\/ifcfg-(?!lo$)/,
  /^etc\/conf\.d\/net$/,
  /^(usr\/)?lib\/systemd\/system\/(NetworkManager|connman|cloud-init)\.service$/,
];
const UNIT =
  "# Made by transload: the image has no configuration of its network.\n[Match]\nType=ether\n\n[Network]\nDHCP=yes\n";

/**
 * DHCP on every card for an image with systemd whose network nobody has configured: images for containers are like that. Where
 * there is any configuration, or no systemd-networkd, nothing.
 */
export function networkFiles(tree: ImageTree, program: string): readonly NewFile[] {
  if (!/systemd$|^\/(usr\/)?sbin\/init$/.test(program)) return [];
  const place = ["lib/systemd", "usr/lib/systemd"].find(
    (each) => tree.follow(`${each}/systemd-networkd`)?.type === "file",
  );
  if (place === undefined) return [];
  for (const { path } of tree.walk()) if (CONFIGURED.some((pattern) => pattern.test(path))) return [];
  return [
    { path: "etc/systemd/network/80-transload.network", bytes: Buffer.from(UNIT) },
    {
      path: "etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
      target: `/${place}/system/systemd-networkd.service`,
    },
  ];
}
