import type { Execution } from "../../src/oci/image-config.ts";
import { badOption } from "../guest/errors.ts";
import type { GuestOptions } from "../guest/options.ts";
import { commandWords } from "../guest/words.ts";

/** Options that change what an image starts. */
export type ExecutionOptions = Pick<
  GuestOptions,
  "entrypoint" | "cmd" | "env" | "user" | "workdir" | "volumes" | "stopSignal"
>;

/**
 * An image's configuration as the options change it, by the rules of `docker run`: another entrypoint drops the image's Cmd,
 * variables are added to the image's, and so are volumes. Throws UsageError GUEST_OPTION.
 */
export function changedExecution(execution: Execution, options: ExecutionOptions): Execution {
  const entrypoint = words("--entrypoint", options.entrypoint) ?? execution.entrypoint;
  const cmd = words("--cmd", options.cmd) ?? (options.entrypoint === undefined ? execution.cmd : undefined);
  const { user = execution.user, workdir = execution.workingDir, stopSignal = execution.stopSignal } = options;
  for (const path of [...(options.volumes ?? []), ...(options.workdir === undefined ? [] : [options.workdir])]) {
    if (!path.startsWith("/"))
      throw badOption(path === options.workdir ? "--workdir" : "--volume", path, "an absolute path");
  }
  const env = new Map<string, string>();
  for (const pair of execution.env ?? []) env.set(nameOf(pair), pair);
  for (const pair of options.env ?? []) {
    if (pair.indexOf("=") < 1) throw badOption("--env", pair, "NAME=value");
    env.set(nameOf(pair), pair);
  }
  const { entrypoint: _entrypoint, cmd: _cmd, ...others } = execution;
  return {
    ...others,
    ...(entrypoint !== undefined && { entrypoint }),
    ...(cmd !== undefined && { cmd }),
    ...(user !== undefined && { user }),
    ...(workdir !== undefined && { workingDir: workdir }),
    ...(stopSignal !== undefined && { stopSignal }),
    env: [...env.values()],
    volumes: [...new Set([...(execution.volumes ?? []), ...(options.volumes ?? [])])],
  };
}

function nameOf(pair: string): string {
  return pair.split("=", 1)[0] ?? "";
}

function words(option: string, text: string | undefined): readonly string[] | undefined {
  if (text === undefined) return undefined;
  const found = commandWords(text);
  if (found === undefined) throw badOption(option, text, "a JSON array of strings, or words with every quote closed");
  return found;
}
