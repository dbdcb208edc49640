import { bytePath, displayPath } from "../../src/bytes/byte-path.ts";
import { BigEndianView, LittleEndianView } from "../../src/bytes/view.ts";
import type { Context } from "../../src/context.ts";
import type { Platform } from "../../src/oci/descriptor.ts";
import { insidePath } from "./configuration.ts";
import { badOption, reportArchitecture, reportUnknownArchitecture } from "./errors.ts";
import type { GuestTree } from "./tree.ts";

/** System V ABI, "ELF Header": the fields that lie at the same place in both classes. */
class LittleEndianElf extends LittleEndianView {
  static readonly SIZE = 0x28;
  get machine(): number {
    return this.u16(0x12);
  }
  /** Where it lies in the 32-bit class. */
  get flags32(): number {
    return this.u32(0x24);
  }
}

class BigEndianElf extends BigEndianView {
  get machine(): number {
    return this.u16(0x12);
  }
  get flags32(): number {
    return this.u32(0x24);
  }
}

const MAGIC = "\x7fELF";
const EI_CLASS = 4;
const EI_DATA = 5;
const ELFDATA2LSB = 1;
const ELFCLASS64 = 2;
const EM_ARM = 40;
const EF_ARM_ABI_FLOAT_HARD = 0x400;

/** e_machine, class and byte order in Go's words; what is missing has no port of Go or Linux worth naming. */
const MACHINES: Readonly<Record<string, string>> = {
  "3 32 le": "386",
  "62 64 le": "amd64",
  "40 32 le": "arm",
  "183 64 le": "arm64",
  "243 64 le": "riscv64",
  "21 64 le": "ppc64le",
  "21 64 be": "ppc64",
  "22 64 be": "s390x",
  "8 32 be": "mips",
  "8 32 le": "mipsle",
  "8 64 be": "mips64",
  "8 64 le": "mips64le",
  "258 64 le": "loong64",
};

/** The architecture from the first bytes of a program; undefined if it is none, or of a machine without a name in OCI. */
export function elfPlatform(head: Uint8Array): Platform | undefined {
  if (head.length < LittleEndianElf.SIZE) return undefined;
  if (Buffer.from(head.buffer, head.byteOffset, 4).toString("latin1") !== MAGIC) return undefined;
  const little = head[EI_DATA] === ELFDATA2LSB;
  const elf = little
    ? new LittleEndianElf(head, 0, LittleEndianElf.SIZE)
    : new BigEndianElf(head, 0, LittleEndianElf.SIZE);
  const bits = head[EI_CLASS] === ELFCLASS64 ? 64 : 32;
  const architecture = MACHINES[`${elf.machine} ${bits} ${little ? "le" : "be"}`];
  if (architecture === undefined) return undefined;
  if (architecture === "arm64") return { os: "linux", architecture, variant: "v8" };
  if (elf.machine !== EM_ARM) return { os: "linux", architecture };
  return { os: "linux", architecture, variant: (elf.flags32 & EF_ARM_ABI_FLOAT_HARD) === 0 ? "v5" : "v7" };
}

/** The build attribute Tag_CPU_arch is not read: Raspberry Pi OS alone builds hard-float programs for ARMv6, and names itself. */
const ARMV6_SYSTEMS: ReadonlySet<string> = new Set(["raspbian"]);

const PROGRAMS = [
  "sbin/init",
  "bin/sh",
  "bin/busybox",
  "usr/bin/env",
  "lib/systemd/systemd",
  "usr/lib/systemd/systemd",
];

export interface PlatformHints {
  /** `--platform`, which always counts. */
  readonly asked: string | undefined;
  /** What the machine's description says. */
  readonly claimed: string | undefined;
  readonly osId: string;
  /** The program that will run, if it is known. */
  readonly program: string | undefined;
}

/** The platform of the machine's programs: of its init or shell, or of the one that will run. */
export async function findPlatform(tree: GuestTree, hints: PlatformHints, ctx: Context): Promise<Platform> {
  if (hints.asked !== undefined) return parsePlatform(hints.asked);
  const program = hints.program?.startsWith("/") ? [insidePath(hints.program)] : [];
  for (const path of [...PROGRAMS.map(bytePath), ...program]) {
    const entry = await tree.follow(path);
    if (entry?.type !== "file") continue;
    const content = tree.content(entry);
    const platform = elfPlatform(await content.read(0, Math.min(content.size, 64)));
    if (platform === undefined) continue;
    if (hints.claimed !== undefined && !sameArchitecture(hints.claimed, platform.architecture)) {
      reportArchitecture(displayPath(entry.path), platform.architecture, hints.claimed, ctx);
    }
    return platform.variant === "v7" && ARMV6_SYSTEMS.has(hints.osId) ? { ...platform, variant: "v6" } : platform;
  }
  const architecture = hints.claimed ?? "amd64";
  reportUnknownArchitecture(architecture, ctx);
  return { os: "linux", architecture };
}

/** Descriptions tell the processor; a 64-bit one runs 32-bit programs. */
function sameArchitecture(claimed: string, found: string): boolean {
  return claimed === found || (claimed === "amd64" && found === "386") || (claimed === "arm64" && found === "arm");
}

/** What `--platform` says. Throws UsageError GUEST_OPTION. */
export function parsePlatform(text: string): Platform {
  const match = /^(?:(linux)\/)?([a-z0-9]+)(?:\/(v\d+))?$/.exec(text);
  const [, os = "linux", architecture, variant] = match ?? [];
  if (architecture === undefined) throw badOption("--platform", text, "linux/ARCHITECTURE[/VARIANT]");
  return { os, architecture, ...(variant !== undefined && { variant }) };
}
