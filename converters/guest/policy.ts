import type { BytePath } from "../../src/bytes/byte-path.ts";
import type { Entry } from "../../src/bytes/entry.ts";
import type { Context } from "../../src/context.ts";
import type { Platform } from "../../src/oci/descriptor.ts";
import type { Execution } from "../../src/oci/image-config.ts";
import { type Command, chooseCommand, makeConfig } from "./config.ts";
import { reportCandidates, reportMaskedNeed, reportMissingUser, windowsGuest } from "./errors.ts";
import type { GuestFacts } from "./facts.ts";
import { type Decision, FilePolicy } from "./file-policy.ts";
import type { GuestService } from "./guest-service.ts";
import { findInit, type InitSystem, initStopSignal } from "./init-system.ts";
import { hardwareLabel, makeLabels, pairOf } from "./labels.ts";
import { isMasked, maskUnits } from "./masks.ts";
import { checkFilters, type GuestOptions } from "./options.ts";
import { type OsRelease, readOsRelease } from "./os-release.ts";
import { Overlay, type OverlayEntry } from "./overlay.ts";
import { findPlatform } from "./platform.ts";
import { type Port, servicePorts, socketPorts, sortPorts } from "./ports.ts";
import { addRunDirectories, findUser, replaceIdentity, replacePasswords } from "./replacements.ts";
import { GuestTally } from "./report.ts";
import type { SecretFinding } from "./secrets.ts";
import { candidates, findServices } from "./services.ts";
import { SystemdUnits } from "./systemd-units.ts";
import type { GuestTree } from "./tree.ts";

/** How one machine becomes an image: what it is, what the image starts, and what becomes of every file. */
export interface GuestPolicy {
  readonly osRelease: OsRelease;
  readonly init: InitSystem;
  readonly platform: Platform;
  /** Everything that the machine starts. */
  readonly services: readonly GuestService[];
  /** What an image may be about: the services that are not part of every machine. */
  readonly candidates: readonly GuestService[];
  /** Where the services listen that the image starts, and where the machine's ports were forwarded from. */
  readonly ports: readonly Port[];
  /** Directories of the machine worth a `--volume`. */
  readonly suggestedVolumes: readonly string[];
  /** Names of the units that cannot run in a container. */
  readonly maskedUnits: readonly string[];
  readonly command: Command;
  readonly config: Execution;
  readonly annotations: Readonly<Record<string, string>>;
  /** Entries that the machine does not have, by path, parents first. */
  readonly additions: readonly OverlayEntry[];
  /** How many of a file's first bytes `decide` wants; 0 for nearly all. */
  headBytes(entry: Entry): number;
  /** A function of its arguments alone; `head` only where `headBytes` asks for it. */
  decide(entry: Entry, head?: Uint8Array): Decision;
  /** A new count for one pass over the tree. */
  tally(): GuestTally;
}

/**
 * Looks at a machine and settles everything about its image. Reads configuration only; the caller then walks the tree, asks
 * `decide` for each entry, feeds the tally, and puts `additions` in.
 *
 * Throws UnsupportedError for Windows and for a machine without anything to start, UsageError for options without a meaning,
 * NotFoundError for a service that is not there.
 */
export async function compileGuestPolicy(
  tree: GuestTree,
  facts: GuestFacts,
  options: GuestOptions,
  ctx: Context,
): Promise<GuestPolicy> {
  checkFilters(options.filters ?? []);
  const osRelease = await readOsRelease(tree, ctx);
  if (osRelease.family === "windows") throw windowsGuest();
  const init = await findInit(tree);
  const units = init === "systemd" ? await SystemdUnits.open(tree, ctx) : undefined;
  const services = await findServices(tree, init, units, options.keepSecrets ?? false, ctx);
  const chosen = await chooseCommand(tree, init, services, facts, options);
  const command = { ...chosen, service: chosen.service && (await withExistingUser(tree, chosen.service, ctx)) };
  const ports = await findPorts(tree, command, services, units, facts, ctx);
  const { overlay, secrets, maskedUnits } = await makeOverlay(tree, command, units, options, ctx);
  if (maskedUnits.length > 0) reportNeeds(services, ctx);
  const own = candidates(services);
  if (command.origin === "init" && own.length > 0) {
    reportCandidates(
      own.map(({ name }) => name),
      ctx,
    );
  }
  const files = new FilePolicy(options, overlay.entries);
  const hints = {
    asked: options.platform,
    claimed: facts.architecture,
    osId: osRelease.id,
    program: (command.entrypoint ?? command.cmd)?.[0],
  };
  const labels = (asked: readonly string[]) =>
    makeLabels(facts, osRelease, { profile: options.profile ?? "container" }, asked, ctx);
  return {
    osRelease,
    init,
    platform: await findPlatform(tree, hints, ctx),
    services,
    candidates: own,
    ports,
    suggestedVolumes: [...new Set(own.flatMap(({ data }) => data))].sort(),
    maskedUnits,
    command,
    config: {
      ...makeConfig(command, { system: init, stopSignal: await initStopSignal(tree, init) }, ports, facts, options),
      labels: labels([...hardwareLabel(facts), ...(options.labels ?? [])]),
    },
    annotations: labels((options.annotations ?? []).map((text) => pairOf("--annotation", text).join("="))),
    additions: additionsOf(overlay, files),
    headBytes: (entry) => files.headBytes(entry),
    decide: (entry, head) => files.decide(entry, head),
    tally: () => new GuestTally([...secrets, ...environmentSecrets(command.service)]),
  };
}

/** A container does not start as a user who is not in /etc/passwd. */
async function withExistingUser(tree: GuestTree, service: GuestService, ctx: Context): Promise<GuestService> {
  const user = service.user?.split(":")[0];
  if (user === undefined || /^\d+$/.test(user) || (await findUser(tree, user, ctx)) !== undefined) return service;
  reportMissingUser(service.name, user, ctx);
  return { ...service, user: undefined };
}

async function findPorts(
  tree: GuestTree,
  { origin, service }: Command,
  services: readonly GuestService[],
  units: SystemdUnits | undefined,
  facts: Pick<GuestFacts, "forwardedPorts">,
  ctx: Context,
): Promise<Port[]> {
  if (origin === "shell") return [];
  const ports: Port[] = [];
  const started =
    service === undefined && origin === "init" ? services : [service].filter((each) => each !== undefined);
  for (const each of started) ports.push(...(await servicePorts(tree, each, ctx)));
  if (origin === "init" && units !== undefined) ports.push(...(await socketPorts(units)));
  // A single service is reached by its own ports; the machine's forwarding may be for ssh alone.
  if (service === undefined || ports.length === 0) ports.push(...(facts.forwardedPorts ?? []));
  return sortPorts(ports);
}

async function makeOverlay(
  tree: GuestTree,
  command: Command,
  units: SystemdUnits | undefined,
  options: GuestOptions,
  ctx: Context,
) {
  const overlay = new Overlay();
  const full = options.profile === "full";
  const secrets: SecretFinding[] = await replacePasswords(tree, options.lockPasswords ?? false, overlay, ctx);
  if (!full) await replaceIdentity(tree, units !== undefined, overlay);
  const maskedUnits = units === undefined || full ? [] : await maskUnits(tree, units, overlay);
  if (command.service !== undefined) await addRunDirectories(tree, command.service, overlay, ctx);
  return { overlay, secrets, maskedUnits };
}

function reportNeeds(services: readonly GuestService[], ctx: Context): void {
  for (const { name, stock, requires } of services) {
    if (stock) continue;
    for (const need of requires) if (isMasked(need)) reportMaskedNeed(name, need, ctx);
  }
}

function additionsOf(overlay: Overlay, files: FilePolicy): OverlayEntry[] {
  return [...overlay.entries.values()]
    .filter(({ added, entry }) => added && files.admits(entry.path, entry.type === "directory"))
    .sort((a, b) => (a.entry.path < b.entry.path ? -1 : 1));
}

function environmentSecrets(service: GuestService | undefined): SecretFinding[] {
  const paths = new Set<BytePath>(service?.secretVariables.map(({ path }) => path));
  return [...paths].map((path) => ({ path, kind: "environment", action: "removed" }));
}
