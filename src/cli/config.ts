import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { configFile } from "./errors.ts";

const NAME = "transload.yaml";

/** The options of the nearest transload.yaml upward from `folder`, or of `file` if given: names as on the command line. */
export async function readConfig(file: string | undefined, folder: string): Promise<Record<string, unknown>> {
  const path = file ?? nearest(resolve(folder));
  if (path === undefined) return {};
  if (!existsSync(path)) throw configFile(path, "no such configuration file");
  const { parse } = await import("yaml");
  let content: unknown;
  try {
    content = parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw configFile(path, cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause));
  }
  if (content === null || content === undefined) return {};
  if (typeof content !== "object" || Array.isArray(content))
    throw configFile(path, "the configuration is not a map of option names");
  return content as Record<string, unknown>;
}

function nearest(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const path = join(at, NAME);
    if (existsSync(path)) return path;
    if (dirname(at) === at) return undefined;
  }
}
