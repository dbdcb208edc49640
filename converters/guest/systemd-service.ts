import type { BytePath } from "../../src/bytes/byte-path.ts";
import type { Context } from "../../src/context.ts";
import { insidePath, parseAssignments, readText } from "./configuration.ts";
import { dataOf, existing, type GuestService, isStock } from "./guest-service.ts";
import { foregroundCommand, knownService } from "./known-services.ts";
import { resolveSpecifiers, type SystemdUnit } from "./systemd-unit.ts";
import type { SystemdUnits } from "./systemd-units.ts";
import type { GuestTree } from "./tree.ts";
import { systemdWords, type Words } from "./words.ts";

/** Commands that only hold a place. */
const IDLE = /^(?:\/usr)?\/bin\/(?:true|echo|sleep)$/;

/** Variables that are not put where everyone who can pull the image reads them. */
const SECRET_NAME = /PASS(?:WORD|WD)?|SECRET|TOKEN|PRIVATE|CREDENTIAL|API_?KEY/i;

/** The service of a unit; undefined for one that is masked, runs once, or does nothing. */
export async function systemdService(
  tree: GuestTree,
  units: SystemdUnits,
  name: string,
  keepSecrets: boolean,
  ctx: Context,
): Promise<GuestService | undefined> {
  const unit = await units.load(name);
  const start = unit?.last("Service", "ExecStart");
  if (unit === undefined || start === undefined) return undefined;
  const type = unit.last("Service", "Type") ?? "simple";
  const stem = name.replace(/\.service$/, "");
  const { environment, secretVariables } = await environmentOf(tree, unit, keepSecrets, ctx);
  const own = expandCommand(start, name, environment);
  if (type === "oneshot" || (own !== undefined && IDLE.test(own[0] ?? ""))) return undefined;
  const known = type === "forking" || own === undefined ? await foregroundCommand(tree, stem, ctx) : undefined;
  const command = known?.words ?? (type === "forking" ? undefined : own && inForeground(own));
  const runDirectories = unit.words("Service", "RuntimeDirectory").map((path) => resolveSpecifiers(path, name) ?? "");
  return {
    name: stem,
    manager: "systemd",
    stock: isStock(stem),
    command,
    user: userOf(unit) ?? known?.user,
    environment: [...environment].map(([key, value]) => `${key}=${value}`),
    secretVariables,
    workingDirectory: workingDirectoryOf(unit),
    stopSignal: stopSignalOf(unit) ?? knownService(stem)?.stopSignal,
    runDirectories: [...new Set([...runDirectories, ...((known ?? knownService(stem))?.runDirectories ?? [])])].filter(
      (path) => path !== "",
    ),
    requires: [...unit.words("Unit", "Requires"), ...unit.words("Unit", "BindsTo"), ...unit.words("Unit", "Requisite")],
    data: await existing(tree, dataOf(stem)),
    problems: problemsOf(unit, type, command, secretVariables.length),
  };
}

async function environmentOf(tree: GuestTree, unit: SystemdUnit, keepSecrets: boolean, ctx: Context) {
  const environment = new Map<string, string>();
  const secretVariables: { readonly name: string; readonly path: BytePath }[] = [];
  const assign = (name: string, value: string, path: BytePath) => {
    if (keepSecrets || !SECRET_NAME.test(name)) environment.set(name, value);
    else secretVariables.push({ name, path });
  };
  for (const word of unit.words("Service", "Environment")) {
    const [, name, value = ""] = /^([A-Za-z_]\w*)=(.*)$/s.exec(resolveSpecifiers(word, unit.name) ?? "") ?? [];
    if (name !== undefined) assign(name, value, unit.path);
  }
  for (const value of unit.all("Service", "EnvironmentFile")) {
    const path = insidePath(resolveSpecifiers(value.replace(/^-/, ""), unit.name) ?? "");
    const text = (await readText(tree, path, ctx)) ?? "";
    for (const [name, assigned] of parseAssignments(text)) assign(name, assigned, path);
  }
  return { environment, secretVariables };
}

/**
 * systemd.service(5) "Command Lines": prefixes go, specifiers and variables are resolved, `$NAME` as a word of its own splits
 * into words. Undefined where a specifier or a quote cannot be resolved.
 */
export function expandCommand(line: string, unit: string, environment: ReadonlyMap<string, string>): Words | undefined {
  const prefix = /^[@\-:+!|]*/.exec(line)?.[0] ?? "";
  const words = systemdWords(line.slice(prefix.length));
  if (words === undefined) return undefined;
  const resolved = words.map((word) => resolveSpecifiers(word, unit));
  if (resolved.includes(undefined)) return undefined;
  const known = resolved.filter((word) => word !== undefined);
  const expanded = prefix.includes(":") ? known : known.flatMap((word) => expandVariables(word, environment));
  // With @ the second word is argv[0], which an image cannot set apart from the program.
  if (prefix.includes("@")) expanded.splice(1, 1);
  return expanded.length === 0 ? undefined : expanded;
}

function expandVariables(word: string, environment: ReadonlyMap<string, string>): Words {
  const alone = /^\$([A-Za-z_]\w*)$/.exec(word)?.[1];
  if (alone !== undefined) return systemdWords(environment.get(alone) ?? "") ?? [];
  return [
    word.replace(/\$\$|\$\{([A-Za-z_]\w*)\}/g, (text, name?: string) =>
      name === undefined ? text.slice(1) : (environment.get(name) ?? ""),
    ),
  ];
}

/** Words that only make sense under systemd, or that send a program into the background. */
const REPLACED_WORDS: ReadonlyMap<string, ReadonlyMap<string, Words>> = new Map([
  ["haproxy", new Map([["-Ws", ["-W", "-db"]]])],
  [
    "gunicorn",
    new Map([
      ["--daemon", []],
      ["-D", []],
    ]),
  ],
]);

function inForeground(words: Words): Words {
  const [program = "", ...rest] = words;
  const replaced = REPLACED_WORDS.get(program.slice(program.lastIndexOf("/") + 1));
  return [program, ...rest.flatMap((word) => replaced?.get(word) ?? [word])];
}

function userOf(unit: SystemdUnit): string | undefined {
  const user = unit.last("Service", "User");
  const group = unit.last("Service", "Group");
  if (user === undefined || unit.last("Service", "DynamicUser") === "yes") return undefined;
  const resolved = resolveSpecifiers(group === undefined ? user : `${user}:${group}`, unit.name);
  return resolved === "root" || resolved === "root:root" ? undefined : resolved;
}

function workingDirectoryOf(unit: SystemdUnit): string | undefined {
  const path = unit.last("Service", "WorkingDirectory")?.replace(/^-/, "");
  return path?.startsWith("/") ? resolveSpecifiers(path, unit.name) : undefined;
}

function stopSignalOf(unit: SystemdUnit): string | undefined {
  const signal = unit.last("Service", "KillSignal");
  return signal !== undefined && /^(?:SIG[A-Z0-9+]+|\d+)$/.test(signal) ? signal : undefined;
}

function problemsOf(unit: SystemdUnit, type: string, command: Words | undefined, secrets: number): string[] {
  const problems: string[] = [];
  if (command === undefined) {
    problems.push(
      type === "forking" ? "it puts itself into the background (Type=forking)" : "its ExecStart= cannot be resolved",
    );
  }
  if (unit.all("Service", "ExecStartPre").length > 0) problems.push("its ExecStartPre= is not run");
  if (unit.last("Service", "DynamicUser") === "yes") problems.push("its dynamic user does not exist, it runs as root");
  if (secrets > 0) problems.push(`${secrets} of its variables look like secrets and are left out`);
  return problems;
}
