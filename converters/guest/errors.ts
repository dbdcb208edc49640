import type { Context } from "../../src/context.ts";
import { NotFoundError, UnsupportedError, UsageError } from "../../src/errors.ts";

export function badOption(option: string, text: string, expected: string): UsageError {
  return new UsageError("GUEST_OPTION", `${option} is ${JSON.stringify(text)}, but ${expected} is expected`);
}

export function badPattern(pattern: string): UsageError {
  return new UsageError(
    "GUEST_PATTERN",
    `${JSON.stringify(pattern)} is not a path pattern: a set in it has no meaning`,
  );
}

export function noCommand(): UnsupportedError {
  return new UnsupportedError(
    "GUEST_NO_COMMAND",
    "the machine has neither /sbin/init nor /bin/sh, so nothing tells what to run",
    {
      advice: "name the program with --entrypoint",
    },
  );
}

export function serviceNotFound(name: string, known: readonly string[]): NotFoundError {
  const list = known.length === 0 ? "no services at all" : known.join(", ");
  return new NotFoundError(
    "GUEST_SERVICE_NOT_FOUND",
    `no service ${JSON.stringify(name)} is enabled in the machine; it has ${list}`,
    {
      advice: "name one of these with --service, or the program with --entrypoint",
    },
  );
}

export function serviceNotSingle(candidates: readonly string[]): UsageError {
  const found = candidates.length === 0 ? "none" : candidates.join(", ");
  return new UsageError(
    "GUEST_SERVICE_NOT_SINGLE",
    `--service auto needs exactly one service besides those of the system, found ${found}`,
    {
      advice: "name one with --service, or leave the option out to start all of them with the machine's init",
    },
  );
}

export function serviceWithoutCommand(name: string, problems: readonly string[]): UnsupportedError {
  const reason = problems.length === 0 ? "its start script is not understood" : problems.join("; ");
  return new UnsupportedError(
    "GUEST_SERVICE_COMMAND",
    `the service ${JSON.stringify(name)} has no command that runs in the foreground: ${reason}`,
    {
      advice: "name the program with --entrypoint",
    },
  );
}

export function windowsGuest(): UnsupportedError {
  return new UnsupportedError("GUEST_WINDOWS", "the machine runs Windows, which a Linux container cannot hold", {
    advice: "convert it with --as disk or --as package",
  });
}

/** A configuration file that is too large to be one and is taken as absent, or a directory whose other files are. */
export function reportLargeFile(path: string, size: number, limit: number, ctx: Context): void {
  const message = `configuration of ${size} bytes is not read, the limit is ${limit}`;
  ctx.diagnostic({ code: "GUEST_FILE_TOO_LARGE", severity: "warning", message, where: { path } });
}

export function reportArchitecture(path: string, found: string, claimed: string, ctx: Context): void {
  const message = `the machine's programs are for ${found}, but its description says ${claimed}`;
  ctx.diagnostic({ code: "GUEST_ARCHITECTURE_DIFFERS", severity: "warning", message, where: { path } });
}

export function reportUnknownArchitecture(assumed: string, ctx: Context): void {
  ctx.diagnostic({
    code: "GUEST_ARCHITECTURE_UNKNOWN",
    severity: "warning",
    message: `no program of the machine tells its architecture, ${assumed} is assumed`,
    where: {},
    advice: "name it with --platform",
  });
}

export function reportCandidates(names: readonly string[], ctx: Context): void {
  const advice = "make one of them the container's only process with --service NAME";
  const message = `the image starts the machine's init; its services are ${names.join(", ")}`;
  ctx.diagnostic({ code: "GUEST_SERVICES_FOUND", severity: "info", message, where: {}, advice });
}

export function reportMissingUser(service: string, user: string, ctx: Context): void {
  const message = `the service ${service} runs as ${JSON.stringify(user)}, who is not in /etc/passwd; the container runs as root`;
  ctx.diagnostic({ code: "GUEST_SERVICE_USER_MISSING", severity: "warning", message, where: { path: "etc/passwd" } });
}

export function reportMaskedNeed(unit: string, need: string, ctx: Context): void {
  const message = `the service ${unit} asks for ${need}, which cannot run in a container and is masked`;
  ctx.diagnostic({ code: "GUEST_SERVICE_NEEDS_MASKED", severity: "warning", message, where: { path: unit } });
}
