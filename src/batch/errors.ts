import { InputOutputError, NotFoundError, OutputError, UsageError } from "../errors.ts";

export function destinationTwice(destination: string, sources: readonly string[]): UsageError {
  const sentence = `${sources.length} sources go to ${JSON.stringify(destination)}: ${sources.slice(0, 4).join(", ")}`;
  return new UsageError("BATCH_DESTINATION_TWICE", sentence, {
    advice: "tell them apart in --to with {stem} (the file's name) or {index}",
  });
}

export function listLine(file: string, line: number, why: string): UsageError {
  return new UsageError("BATCH_LIST_LINE", `line ${line} of the list ${why}`, {
    where: { file },
    advice: "a line is SOURCE, or SOURCE<tab>DESTINATION, or a JSON object with source and destination",
  });
}

export function nothingToDo(sources: readonly string[]): NotFoundError {
  return new NotFoundError("BATCH_EMPTY", `no appliance is found in ${sources.join(", ")}`, {
    advice: "name files, folders that hold .ova or .ovf files, or a list with @FILE",
  });
}

export function reportExists(file: string): OutputError {
  return new OutputError("BATCH_REPORT_EXISTS", "there is a report already", {
    where: { file },
    advice: "go on where it ends with --resume, begin anew with --force, or name another with --report",
  });
}

export function reportLine(file: string, line: number): UsageError {
  return new UsageError("BATCH_REPORT_LINE", `line ${line} is not a result of a conversion`, { where: { file } });
}

export function reportUnwritable(file: string, cause: unknown): InputOutputError {
  const errno = (cause as NodeJS.ErrnoException).code ?? "unknown";
  return new InputOutputError("BATCH_REPORT_WRITE", `${errno} while the report was written`, {
    where: { file },
    cause,
  });
}

export function shardForm(text: string, why: string): UsageError {
  return new UsageError("BATCH_SHARD", `--shard ${JSON.stringify(text)} ${why}`, {
    advice: "write --shard 0/4 for the first of four, or --shard auto inside a job array",
  });
}

export function templateField(template: string, field: string, known: readonly string[]): UsageError {
  const sentence = `there is no {${field}} in ${JSON.stringify(template)}`;
  return new UsageError("BATCH_TEMPLATE", sentence, {
    advice: `the fields are ${known.map((name) => `{${name}}`).join(" ")}`,
  });
}
