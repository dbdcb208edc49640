import { shardForm } from "./errors.ts";

/** One of several machines that share a list: `index` from 0 to `count - 1`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** What tells a job of an array its place: the index counts from `first`, or from what the variable named there says. */
interface ArrayVariables {
  readonly index: string;
  readonly count: string | undefined;
  readonly first: 0 | 1 | string;
}

/** Kubernetes Indexed Job, Slurm, GitLab `parallel:`, Buildkite, AWS Batch. A count that a system does not give comes from TRANSLOAD_SHARDS. */
const SYSTEMS: readonly ArrayVariables[] = [
  { index: "SLURM_ARRAY_TASK_ID", count: "SLURM_ARRAY_TASK_COUNT", first: "SLURM_ARRAY_TASK_MIN" },
  { index: "CI_NODE_INDEX", count: "CI_NODE_TOTAL", first: 1 },
  { index: "BUILDKITE_PARALLEL_JOB", count: "BUILDKITE_PARALLEL_JOB_COUNT", first: 0 },
  { index: "AWS_BATCH_JOB_ARRAY_INDEX", count: "AWS_BATCH_JOB_ARRAY_SIZE", first: 0 },
  { index: "JOB_COMPLETION_INDEX", count: undefined, first: 0 },
];

type Variables = Readonly<Record<string, string | undefined>>;

/** Reads `INDEX/COUNT`, index from 0, or `auto`, which looks into the variables of job arrays. Throws UsageError BATCH_SHARD. */
export function parseShard(text: string, variables: Variables): Shard {
  if (text === "auto") return fromVariables(variables);
  const [, index, count] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  if (index === undefined || count === undefined) throw shardForm(text, "is not INDEX/COUNT");
  return checked({ index: Number(index), count: Number(count) }, text);
}

function fromVariables(variables: Variables): Shard {
  const system = SYSTEMS.find(({ index }) => variables[index] !== undefined);
  if (system === undefined) {
    throw shardForm("auto", `finds none of ${SYSTEMS.map(({ index }) => index).join(", ")}`);
  }
  const countName = system.count ?? "TRANSLOAD_SHARDS";
  const [index, count] = [wholeOf(variables, system.index), wholeOf(variables, countName)];
  const first = typeof system.first === "number" ? system.first : wholeOf(variables, system.first);
  return checked({ index: index - first, count }, `${variables[system.index]}/${variables[countName]}`);
}

function wholeOf(variables: Variables, name: string): number {
  const text = variables[name];
  if (text === undefined) throw shardForm("auto", `needs ${name}, which is not set`);
  if (!/^\d{1,6}$/.test(text)) throw shardForm("auto", `finds ${JSON.stringify(text)} in ${name}`);
  return Number(text);
}

function checked(shard: Shard, text: string): Shard {
  if (shard.index >= 0 && shard.index < shard.count) return shard;
  throw shardForm(text, `is no shard: the index is ${shard.index}, and there are ${shard.count}`);
}

/**
 * The items of one shard, the largest first. Every machine comes to the same answer from the same list: each item goes to the
 * shard that has the least so far.
 */
export function shareOf<T extends { readonly source: string; readonly size: number }>(
  items: readonly T[],
  { index, count }: Shard,
): T[] {
  const loads = new Float64Array(count);
  return largestFirst(items).filter((item) => {
    const least = loads.indexOf(Math.min(...loads));
    // One for the item itself, so that empty ones are shared out too.
    loads[least] = (loads[least] ?? 0) + item.size + 1;
    return least === index;
  });
}

/** Long jobs first, so that no core waits for the last one at the end. */
export function largestFirst<T extends { readonly source: string; readonly size: number }>(items: readonly T[]): T[] {
  return [...items].sort((a, b) => b.size - a.size || (a.source < b.source ? -1 : 1));
}
