import type { Execution } from "../../src/oci/image-config.ts";
import { insidePath } from "./configuration.ts";
import { badOption, noCommand, serviceNotFound, serviceNotSingle, serviceWithoutCommand } from "./errors.ts";
import type { GuestFacts } from "./facts.ts";
import type { GuestService } from "./guest-service.ts";
import type { InitSystem } from "./init-system.ts";
import { LABEL_PREFIX } from "./labels.ts";
import type { GuestOptions } from "./options.ts";
import { type Port, parsePort, sortPorts } from "./ports.ts";
import { candidates } from "./services.ts";
import type { GuestTree } from "./tree.ts";
import { commandWords, type Words } from "./words.ts";

/** What a container of the image starts, and where that comes from. */
export interface Command {
  readonly origin: "options" | "package" | "service" | "init" | "shell";
  readonly entrypoint: Words | undefined;
  readonly cmd: Words | undefined;
  /** Set where `origin` is "service". */
  readonly service: GuestService | undefined;
}

const PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Options > properties of the package > the service that `--service` names > /sbin/init > /bin/sh. */
export async function chooseCommand(
  tree: GuestTree,
  init: InitSystem,
  services: readonly GuestService[],
  facts: Pick<GuestFacts, "properties">,
  options: GuestOptions,
): Promise<Command> {
  if (options.entrypoint !== undefined || options.cmd !== undefined) {
    const entrypoint = words("--entrypoint", options.entrypoint);
    return { origin: "options", entrypoint, cmd: words("--cmd", options.cmd), service: undefined };
  }
  if (options.service === undefined) {
    const entrypoint = words(`${LABEL_PREFIX}entrypoint`, property(facts, "entrypoint"));
    const cmd = words(`${LABEL_PREFIX}cmd`, property(facts, "cmd"));
    if (entrypoint ?? cmd) return { origin: "package", entrypoint, cmd, service: undefined };
  } else {
    const service = chooseService(options.service, services);
    if (service.command === undefined) throw serviceWithoutCommand(service.name, service.problems);
    return { origin: "service", entrypoint: undefined, cmd: service.command, service };
  }
  if (init !== "none") return { origin: "init", entrypoint: undefined, cmd: ["/sbin/init"], service: undefined };
  if ((await tree.follow("bin/sh"))?.type === "file") {
    return { origin: "shell", entrypoint: undefined, cmd: ["/bin/sh"], service: undefined };
  }
  throw noCommand();
}

function chooseService(name: string, services: readonly GuestService[]): GuestService {
  if (name === "auto") {
    const [only, ...others] = candidates(services);
    if (only === undefined || others.length > 0) throw serviceNotSingle(candidates(services).map((each) => each.name));
    return only;
  }
  const wanted = name.replace(/\.service$/, "");
  const found =
    services.find((each) => each.name === wanted) ?? services.find((each) => each.name.startsWith(`${wanted}@`));
  if (found === undefined)
    throw serviceNotFound(
      name,
      services.map((each) => each.name),
    );
  return found;
}

/** Everything of the configuration but the labels. `init` counts where it is what starts, `ports` are those that were found. */
export function makeConfig(
  command: Command,
  init: { readonly system: InitSystem; readonly stopSignal: string | undefined },
  ports: readonly Port[],
  facts: Pick<GuestFacts, "properties">,
  options: GuestOptions,
): Execution {
  const { service } = command;
  const starts = command.origin === "init" ? init : undefined;
  const user = options.user ?? property(facts, "user") ?? service?.user;
  const workdir = options.workdir ?? property(facts, "workdir") ?? service?.workingDirectory;
  if (workdir !== undefined && !workdir.startsWith("/")) throw badOption("--workdir", workdir, "an absolute path");
  const stopSignal = options.stopSignal ?? property(facts, "stop-signal") ?? service?.stopSignal ?? starts?.stopSignal;
  const asked = options.ports ?? property(facts, "ports")?.split(/[\s,]+/);
  const exposed = asked === undefined ? ports : asked.map((text) => exposedPort(text));
  const volumes = (options.volumes ?? []).map((path) => volume(path));
  return {
    ...(user !== undefined && { user }),
    ...(exposed.length > 0 && { exposedPorts: sortPorts(exposed) }),
    env: environment(
      service?.environment ?? [],
      starts?.system === "systemd" ? ["container=oci"] : [],
      options.env ?? [],
    ),
    ...(command.entrypoint && { entrypoint: command.entrypoint }),
    ...(command.cmd && { cmd: command.cmd }),
    ...(volumes.length > 0 && { volumes: [...new Set(volumes)].sort() }),
    ...(workdir !== undefined && { workingDir: workdir }),
    ...(stopSignal !== undefined && { stopSignal: signal(stopSignal) }),
  };
}

function property(facts: Pick<GuestFacts, "properties">, name: string): string | undefined {
  return facts.properties?.get(`${LABEL_PREFIX}${name}`) || undefined;
}

function words(option: string, text: string | undefined): Words | undefined {
  if (text === undefined) return undefined;
  const found = commandWords(text);
  if (found === undefined) throw badOption(option, text, "a JSON array of strings, or words with every quote closed");
  return found.length === 0 ? undefined : found;
}

/** The first place of each name stays, its last value counts. */
function environment(...lists: readonly (readonly string[])[]): string[] {
  const values = new Map<string, string>();
  for (const assignment of [PATH, ...lists.flat()]) {
    const equals = assignment.indexOf("=");
    if (equals < 1) throw badOption("--env", assignment, "NAME=value");
    values.set(assignment.slice(0, equals), assignment);
  }
  return [...values.values()];
}

function exposedPort(text: string): Port {
  const port = /^\d+(?:\/\w+)?$/.test(text) ? parsePort(text) : undefined;
  if (port === undefined) throw badOption("--port", text, "a number from 1 to 65535, with /tcp, /udp or /sctp");
  return port;
}

function volume(path: string): string {
  if (!path.startsWith("/") || insidePath(path) === "") throw badOption("--volume", path, "an absolute path below /");
  return path.replace(/\/+$/, "");
}

function signal(text: string): string {
  if (/^(?:SIG)?[A-Z][A-Z0-9]*(?:[+-]\d+)?$|^\d{1,2}$/.test(text)) return text;
  throw badOption("--stop-signal", text, "a signal's name or number");
}
