import { joinPath } from "../../src/bytes/byte-path.ts";
import type { Context } from "../../src/context.ts";
import { meaningfulLines, namesIn, readText } from "./configuration.ts";
import { dataOf, existing, type GuestService, isStock } from "./guest-service.ts";
import type { InitSystem } from "./init-system.ts";
import { foregroundCommand, knownService } from "./known-services.ts";
import { systemdService } from "./systemd-service.ts";
import type { SystemdUnits } from "./systemd-units.ts";
import type { GuestTree } from "./tree.ts";
import type { Words } from "./words.ts";

/** Everything that the machine starts, sorted by name. */
export async function findServices(
  tree: GuestTree,
  init: InitSystem,
  units: SystemdUnits | undefined,
  keepSecrets: boolean,
  ctx: Context,
): Promise<GuestService[]> {
  const found: GuestService[] = [];
  if (units !== undefined) {
    for (const name of await units.wanted()) {
      ctx.signal.throwIfAborted();
      const service = name.endsWith(".service") ? await systemdService(tree, units, name, keepSecrets, ctx) : undefined;
      if (service !== undefined) found.push(service);
    }
    found.push(...(await postgresClusters(tree, found, ctx)));
  } else {
    for (const { name, manager } of await scriptedNames(tree, init, ctx)) {
      ctx.signal.throwIfAborted();
      found.push(await scriptedService(tree, name, manager, ctx));
    }
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The services that an image may be about, one of them only where there is no other. */
export function candidates(services: readonly GuestService[]): readonly GuestService[] {
  return services.filter(({ stock }) => !stock);
}

/** Debian's postgresql.service does nothing: a generator makes an instance for each cluster when the machine starts. */
async function postgresClusters(
  tree: GuestTree,
  found: readonly GuestService[],
  ctx: Context,
): Promise<GuestService[]> {
  if (found.some(({ name }) => name.startsWith("postgresql"))) return [];
  const clusters: string[] = [];
  for (const version of await namesIn(tree, "etc/postgresql")) {
    for (const cluster of await namesIn(tree, `etc/postgresql/${version}`)) {
      const start = await readText(tree, `etc/postgresql/${version}/${cluster}/start.conf`, ctx);
      const automatic = start === undefined || meaningfulLines(start)[0]?.startsWith("auto");
      if (automatic) clusters.push(`postgresql@${version}-${cluster}`);
    }
  }
  return await Promise.all(clusters.map((name) => scriptedService(tree, name, "systemd", ctx)));
}

async function scriptedNames(
  tree: GuestTree,
  init: InitSystem,
  ctx: Context,
): Promise<readonly Pick<GuestService, "name" | "manager">[]> {
  const named = (manager: GuestService["manager"]) => (name: string) => ({ name, manager });
  if (init === "openrc") return (await namesIn(tree, "etc/runlevels/default")).map(named("openrc"));
  const jobs = init === "upstart" ? await upstartJobs(tree, ctx) : [];
  const scripts = (await sysvinitNames(tree, ctx)).filter((name) => !jobs.includes(name));
  return [...jobs.map(named("upstart")), ...scripts.map(named("sysvinit"))];
}

/** The jobs of Upstart's init(5) that start with a runlevel or the network. */
async function upstartJobs(tree: GuestTree, ctx: Context): Promise<string[]> {
  const jobs: string[] = [];
  for (const file of await namesIn(tree, "etc/init")) {
    const text = file.endsWith(".conf") ? await readText(tree, joinPath("etc/init", file), ctx) : undefined;
    const start = /^start on ([^\n]*)/m.exec(text ?? "")?.[1] ?? "";
    if (/runlevel|filesystem|net-device/.test(start) && !/^task$/m.test(text ?? ""))
      jobs.push(file.slice(0, -".conf".length));
  }
  return jobs;
}

/** The S links of the runlevel that /etc/inittab starts, sysvinit's inittab(5); 3 and then 2 where it does not tell; BusyBox's rcS has them in /etc/init.d. */
async function sysvinitNames(tree: GuestTree, ctx: Context): Promise<string[]> {
  const inittab = (await readText(tree, "etc/inittab", ctx)) ?? "";
  const level = /^[^#:\n]*:(\d):initdefault:/m.exec(inittab)?.[1];
  for (const runlevel of level === undefined ? ["3", "2"] : [level]) {
    for (const directory of [`etc/rc${runlevel}.d`, `etc/rc.d/rc${runlevel}.d`, "etc/init.d"]) {
      const names = (await namesIn(tree, directory)).map((name) => /^S\d\d(.+)$/.exec(name)?.[1]);
      const started = names.filter((name) => name !== undefined);
      if (started.length > 0) return [...new Set(started)];
    }
  }
  return [];
}

async function scriptedService(
  tree: GuestTree,
  name: string,
  manager: GuestService["manager"],
  ctx: Context,
): Promise<GuestService> {
  const known = await foregroundCommand(tree, name, ctx);
  const openrc = manager === "openrc" ? await openrcCommand(tree, name, ctx) : undefined;
  return {
    name,
    manager,
    stock: isStock(name),
    command: known?.words ?? openrc,
    user: known?.user,
    environment: [],
    secretVariables: [],
    workingDirectory: undefined,
    stopSignal: /^postgresql/.test(name) ? "SIGINT" : knownService(name)?.stopSignal,
    runDirectories: known?.runDirectories ?? [],
    requires: [],
    data: await existing(tree, dataOf(name)),
    problems: known === undefined && openrc === undefined ? ["its start script is not understood"] : [],
  };
}

/** openrc-run(8): a script that only sets variables, and lets OpenRC put the program in the background, tells the program. */
async function openrcCommand(tree: GuestTree, name: string, ctx: Context): Promise<Words | undefined> {
  const script = (await readText(tree, joinPath("etc/init.d", name), ctx)) ?? "";
  if (!/^(?:command_background=["']?(?:yes|true|1)|supervisor=)/m.test(script) || /^start\s*\(\)/m.test(script))
    return undefined;
  const command = /^command=["']?([^\s"'$]+)["']?$/m.exec(script)?.[1];
  const args = /^command_args=(?:"([^"$`\\]*)"|'([^']*)')$/m.exec(script);
  if (command === undefined || (args === null && /^command_args=/m.test(script))) return undefined;
  return [command, ...(args?.[1] ?? args?.[2] ?? "").split(/\s+/).filter((word) => word !== "")];
}
