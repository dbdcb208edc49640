import { type Digest, parseDigest } from "../bytes/digest.ts";
import type { Platform } from "./descriptor.ts";
import { documentForm } from "./errors.ts";
import { Fields, jsonBytes, parseJson, sorted } from "./json.ts";

/** How a container of the image is started; each field is absent where the image does not say. */
export interface Execution {
  readonly user?: string;
  /** `80/tcp`. */
  readonly exposedPorts?: readonly string[];
  /** `NAME=value`. */
  readonly env?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly volumes?: readonly string[];
  readonly workingDir?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** `SIGRTMIN+3` for systemd. */
  readonly stopSignal?: string;
}

/** One step of the image's making. Those that are not `emptyLayer` stand for the layers, in order. */
export interface HistoryEntry {
  /** RFC 3339. */
  readonly created?: string;
  readonly createdBy?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly emptyLayer?: boolean;
}

/** image-spec, "OCI Image Configuration"; Docker's own config has the same fields. */
export interface ImageConfig {
  /** RFC 3339. */
  readonly created?: string;
  readonly author?: string;
  readonly platform: Platform;
  readonly execution: Execution;
  /** Digests of the uncompressed layers, lowest first. */
  readonly diffIds: readonly Digest[];
  readonly history: readonly HistoryEntry[];
}

/** Any optional field may be null. Throws CorruptError OCI_DOCUMENT_FORM, OCI_DUPLICATE_KEY, DIGEST_FORM... */
export function parseImageConfig(bytes: Uint8Array, file: string): ImageConfig {
  const fields = new Fields(parseJson(bytes, file), "", file);
  const rootfs = fields.object("rootfs");
  const type = rootfs?.text("type");
  if (type !== undefined && type !== "layers") throw documentForm(file, `rootfs.type is ${JSON.stringify(type)}`);
  const variant = fields.optionalText("variant");
  return {
    ...present({ created: fields.optionalText("created") || undefined, author: fields.optionalText("author") }),
    platform: { os: fields.text("os"), architecture: fields.text("architecture"), ...present({ variant }) },
    execution: parseExecution(fields.object("config")),
    diffIds: (rootfs?.texts("diff_ids") ?? []).map((text) => parseDigest(text).digest),
    history: fields.objects("history").map(parseHistory),
  };
}

function parseExecution(fields: Fields | undefined): Execution {
  if (fields === undefined) return {};
  const list = (key: string) => (fields.has(key) ? fields.texts(key) : undefined);
  return present({
    user: fields.optionalText("User") || undefined,
    exposedPorts: fields.has("ExposedPorts") ? fields.keys("ExposedPorts") : undefined,
    env: list("Env"),
    entrypoint: list("Entrypoint"),
    cmd: list("Cmd"),
    volumes: fields.has("Volumes") ? fields.keys("Volumes") : undefined,
    workingDir: fields.optionalText("WorkingDir") || undefined,
    labels: fields.textMap("Labels"),
    stopSignal: fields.optionalText("StopSignal") || undefined,
  });
}

function parseHistory(fields: Fields): HistoryEntry {
  return present({
    created: fields.optionalText("created") || undefined,
    createdBy: fields.optionalText("created_by"),
    author: fields.optionalText("author"),
    comment: fields.optionalText("comment"),
    emptyLayer: fields.flag("empty_layer") || undefined,
  });
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}

/** The bytes of a config: keys in a fixed order, maps sorted, no spaces. What is absent or empty is left out. */
export function imageConfig(config: ImageConfig): Uint8Array {
  const { execution, platform } = config;
  return jsonBytes({
    created: config.created,
    author: config.author,
    architecture: platform.architecture,
    os: platform.os,
    variant: platform.variant,
    config: {
      User: execution.user,
      ExposedPorts: keySet(execution.exposedPorts),
      Env: execution.env,
      Entrypoint: execution.entrypoint,
      Cmd: execution.cmd,
      Volumes: keySet(execution.volumes),
      WorkingDir: execution.workingDir,
      Labels: sorted(execution.labels),
      StopSignal: execution.stopSignal,
    },
    rootfs: { type: "layers", diff_ids: config.diffIds },
    history: config.history.map((step) => ({
      created: step.created,
      created_by: step.createdBy,
      author: step.author,
      comment: step.comment,
      empty_layer: step.emptyLayer,
    })),
  });
}

function keySet(keys: readonly string[] | undefined): object | undefined {
  return sorted(Object.fromEntries((keys ?? []).map((key) => [key, {}])));
}
