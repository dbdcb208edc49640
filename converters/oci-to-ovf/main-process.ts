import { bytePath } from "../../src/bytes/byte-path.ts";
import type { Execution } from "../../src/oci/image-config.ts";
import type { InitRecords } from "../kernel/initramfs.ts";
import { restartWrong } from "./errors.ts";
import { signalNumber } from "./signals.ts";
import type { RunningUser } from "./users.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Seconds between the signal and the end by force; container engines wait 10, but a machine's shutdown may take its time. */
const STOP_SECONDS = 30;

/** When the main process is started again: `no`, `always`, `on-failure`, `on-failure:COUNT`. Throws UsageError APPLIANCE_RESTART. */
export function restartRecords(policy: string): InitRecords {
  const [, name, limit] = /^(no|always|unless-stopped|on-failure)(?::(\d{1,9}))?$/.exec(policy) ?? [];
  if (name === undefined || (limit !== undefined && name !== "on-failure")) throw restartWrong(policy);
  if (name === "no") return [];
  const restart = ["restart", name === "unless-stopped" ? "always" : name] as const;
  return limit === undefined ? [restart] : [restart, ["restart-limit", limit]];
}

/** The words of an image's command. */
export function commandOf({ entrypoint = [], cmd = [] }: Execution): readonly string[] {
  return [...entrypoint, ...cmd];
}

/** What our init is told of the main process: all that a container engine takes from an image's config. */
export function mainProcessRecords(execution: Execution, user: RunningUser, hostname: string): InitRecords {
  const env = execution.env ?? [];
  const has = (name: string) => env.some((each) => each.startsWith(`${name}=`));
  const environment = [
    ...(has("PATH") ? [] : [`PATH=${DEFAULT_PATH}`]),
    ...(has("HOSTNAME") ? [] : [`HOSTNAME=${hostname}`]),
    ...(has("HOME") ? [] : [`HOME=${user.home}`]),
    ...(has("TERM") ? [] : ["TERM=linux"]),
    ...env,
  ];
  const records: InitRecords = [
    ...commandOf(execution).map((word) => ["argument", word] as const),
    ...environment.map((pair) => ["environment", pair] as const),
    ["uid", `${user.uid}`],
    ["gid", `${user.gid}`],
    ...user.groups.map((gid) => ["group", `${gid}`] as const),
    ["workdir", execution.workingDir || "/"],
    ...(execution.volumes ?? []).map((volume) => ["volume", volume] as const),
    ["stop-signal", `${signalNumber(execution.stopSignal ?? "SIGTERM")}`],
    ["stop-timeout", `${STOP_SECONDS}`],
  ];
  // A value ends at its first NUL, as it would in the process.
  return records.map(([key, value]) => [key, bytePath(value.split("\0")[0] ?? "")]);
}
