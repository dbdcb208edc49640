import { bytePath } from "../../src/bytes/byte-path.ts";
import type { Context } from "../../src/context.ts";
import { namesIn, parseAssignments, readText } from "./configuration.ts";
import type { GuestTree } from "./tree.ts";

export type OsFamily = "debian" | "rhel" | "suse" | "alpine" | "arch" | "gentoo" | "windows" | "unknown";

/** Which distribution a machine runs, in the words of os-release(5). */
export interface OsRelease {
  /** "debian", "rocky"...; "linux" where nothing tells. */
  readonly id: string;
  readonly version: string | undefined;
  readonly prettyName: string;
  readonly family: OsFamily;
}

const FAMILIES: ReadonlyMap<string, OsFamily> = new Map(
  Object.entries<OsFamily>({
    debian: "debian",
    ubuntu: "debian",
    devuan: "debian",
    raspbian: "debian",
    kali: "debian",
    rhel: "rhel",
    fedora: "rhel",
    centos: "rhel",
    rocky: "rhel",
    almalinux: "rhel",
    ol: "rhel",
    amzn: "rhel",
    mageia: "rhel",
    suse: "suse",
    sles: "suse",
    opensuse: "suse",
    alpine: "alpine",
    arch: "arch",
    manjaro: "arch",
    gentoo: "gentoo",
  }),
);

/** Files of systems that are older than os-release, and what they say. */
const FALLBACKS: readonly { readonly path: string; readonly id: string }[] = [
  { path: "etc/alpine-release", id: "alpine" },
  { path: "etc/centos-release", id: "centos" },
  { path: "etc/oracle-release", id: "ol" },
  { path: "etc/fedora-release", id: "fedora" },
  { path: "etc/redhat-release", id: "rhel" },
  { path: "etc/system-release", id: "rhel" },
  { path: "etc/SuSE-release", id: "suse" },
  { path: "etc/debian_version", id: "debian" },
  { path: "etc/arch-release", id: "arch" },
  { path: "etc/gentoo-release", id: "gentoo" },
];

/** Reads /etc/os-release, /usr/lib/os-release, /etc/lsb-release or an older file; a machine with none of them is a "linux". */
export async function readOsRelease(tree: GuestTree, ctx: Context): Promise<OsRelease> {
  if (await isWindows(tree)) {
    return { id: "windows", version: undefined, prettyName: "Microsoft Windows", family: "windows" };
  }
  for (const path of ["etc/os-release", "usr/lib/os-release"]) {
    const text = await readText(tree, path, ctx);
    if (text !== undefined && /^ID=|^NAME=/m.test(text)) return fromOsRelease(parseAssignments(text));
  }
  const lsb = parseAssignments((await readText(tree, "etc/lsb-release", ctx)) ?? "");
  const distributor = lsb.get("DISTRIB_ID")?.toLowerCase();
  if (distributor) return describe(distributor, lsb.get("DISTRIB_RELEASE"), lsb.get("DISTRIB_DESCRIPTION"));
  for (const { path, id } of FALLBACKS) {
    const line = (await readText(tree, path, ctx))?.split("\n")[0]?.trim();
    if (line !== undefined) return fromReleaseLine(id, line);
  }
  return { id: "linux", version: undefined, prettyName: "Linux", family: "unknown" };
}

function fromOsRelease(values: ReadonlyMap<string, string>): OsRelease {
  const id = values.get("ID") || "linux";
  const version = values.get("VERSION_ID") || values.get("BUILD_ID");
  const like = (values.get("ID_LIKE") ?? "").split(/\s+/);
  return describe(id, version, values.get("PRETTY_NAME") || values.get("NAME"), like);
}

function fromReleaseLine(id: string, line: string): OsRelease {
  const version = /\d[\w.]*/.exec(line)?.[0];
  return describe(id, version, /[A-Za-z]{3}/.test(line) && id !== "debian" ? line : undefined);
}

function describe(id: string, version: string | undefined, pretty: string | undefined, like: string[] = []): OsRelease {
  const family = [id, id.split("-")[0] ?? "", ...like]
    .map((word) => FAMILIES.get(word))
    .find((known) => known !== undefined);
  const prettyName = pretty || [id, version].filter((part) => part !== undefined).join(" ");
  return { id, version: version || undefined, prettyName, family: family ?? "unknown" };
}

/** Windows/System32 in any case, since NTFS keeps but does not tell cases apart. */
async function isWindows(tree: GuestTree): Promise<boolean> {
  const windows = (await namesIn(tree, bytePath(""))).find((name) => name.toLowerCase() === "windows");
  if (windows === undefined) return false;
  return (await namesIn(tree, windows)).some((name) => name.toLowerCase() === "system32");
}
