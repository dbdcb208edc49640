import type { Context } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import type { Platform } from "../../src/oci/descriptor.ts";
import type { GuestFacts } from "../guest/facts.ts";
import { LABEL_PREFIX, makeLabels } from "../guest/labels.ts";
import { type OsRelease, readOsRelease } from "../guest/os-release.ts";
import { findPlatform, parsePlatform } from "../guest/platform.ts";
import { type Machine, type MachineDisk, openGuest } from "../machine/machine.ts";

/** What the machine's own files tell; a disk is as good an image without that. */
export interface DiskGuest {
  readonly os: OsRelease | undefined;
  readonly platform: Platform;
}

/** Looks into the machine as far as its root can be found and read. */
export async function diskGuest(
  machine: Machine,
  { architecture: claimed }: GuestFacts,
  asked: string | undefined,
  ctx: Context,
): Promise<DiskGuest> {
  const platform = asked === undefined ? undefined : parsePlatform(asked);
  try {
    const { tree } = await openGuest(machine, {}, ctx);
    const os = await readOsRelease(tree, ctx);
    const hints = { asked, claimed, osId: os.id, program: undefined };
    return { os, platform: platform ?? (await findPlatform(tree, hints, ctx)) };
  } catch (cause) {
    if (!(cause instanceof ConverterError)) throw cause;
    ctx.log.debug({ code: cause.code }, `nothing is known of the machine's files: ${cause.message}`);
    return { os: undefined, platform: platform ?? { os: "linux", architecture: claimed ?? "amd64" } };
  }
}

/** What stands of a machine in the labels of the image of one of its disks. Sizes are bytes. `asked` win. */
export function diskLabels(
  machine: Machine,
  disk: MachineDisk,
  facts: GuestFacts,
  os: OsRelease | undefined,
  asked: readonly string[],
  ctx: Context,
): Record<string, string> {
  const { hardware, disks } = machine;
  const nics = hardware?.networkAdapters.map(({ subType }) => subType ?? "default");
  const own: Readonly<Record<string, string | number | undefined>> = {
    "cpu.cores-per-socket": hardware?.coresPerSocket,
    "disk.bus": disk.drive?.controller?.kind,
    "disk.capacity": disk.disk.size,
    "disk.count": disks.length,
    "disk.number": disks.indexOf(disk) + 1,
    cpus: hardware?.cpus,
    form: "disk",
    memory: hardware?.memory,
    nics: nics?.join(",") || undefined,
    "secure-boot": hardware?.secureBoot === true ? "true" : undefined,
  };
  const labels = Object.entries(own).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[`${LABEL_PREFIX}${name}`, String(value)]],
  );
  const unknown: OsRelease = { id: "", version: undefined, prettyName: "", family: "unknown" };
  return { ...Object.fromEntries(labels), ...makeLabels(facts, os ?? unknown, {}, asked, ctx) };
}
