import { type ByteSource, readAll } from "../../src/bytes/byte-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { format } from "../../src/volume/lvm2/format.ts";
import type { Volume, VolumeFormat, VolumeSystem } from "../../src/volume/volume-system.ts";
import { codeOf } from "../disk/images.ts";

export interface OpenedGroups {
  readonly systems: readonly VolumeSystem[];
  /** Of the diagnostics. */
  readonly codes: readonly string[];
}

/** Every group on some disks in memory. */
export async function openGroups(disks: readonly Uint8Array[], groups: VolumeFormat = format): Promise<OpenedGroups> {
  const found: Diagnostic[] = [];
  const sources = disks.map((disk, index) => new MemorySource(disk, `disk ${index}`));
  const systems = await groups.open(
    sources,
    createContext({ diagnostic: (diagnostic) => void found.push(diagnostic) }),
  );
  return { systems, codes: found.map(({ code }) => code) };
}

/** The volumes of the only group, by their own names. */
export async function openGroup(disks: readonly Uint8Array[]): Promise<ReadonlyMap<string, Volume>> {
  const { systems } = await openGroups(disks);
  if (systems.length !== 1) throw new Error(`${systems.length} groups`);
  return new Map(systems[0]?.volumes.map((one) => [one.id.replace(/^.*\//, ""), one]));
}

export async function contentOf(source: ByteSource | undefined): Promise<Buffer> {
  if (source === undefined) throw new Error("no such volume");
  return Buffer.from(await readAll(source, 1 << 30));
}

/** The code with which an action ends, thrown at once or later. */
export async function refusal(action: () => unknown): Promise<string | undefined> {
  const code: unknown = await codeOf((async () => await action())());
  return typeof code === "string" ? code : undefined;
}

/** The code with which every use of a volume ends. */
export async function failureOf(found: Volume | undefined): Promise<string | undefined> {
  if (found === undefined) throw new Error("no such volume");
  const read = await refusal(() => found.read(0, 1));
  const extent = await refusal(() => found.extentAt(0, 1));
  return read === extent ? read : `${read} and ${extent}`;
}

/** Long content is compared as text: as lists of bytes it takes seconds. */
export function hex(bytes: Buffer): string {
  return bytes.toString("hex");
}
