import type { Diagnostic } from "../../src/context.ts";
import { UsageError } from "../../src/errors.ts";

/** CONTAINER_LAYER_LARGE: one file alone is more than the limit. */
export function layerAboveLimit(file: string, size: number, limit: number): Diagnostic {
  return {
    code: "CONTAINER_LAYER_LARGE",
    severity: "warning",
    message: `a layer has ${size} bytes, more than the ${limit} that were asked for: a file cannot be divided`,
    where: { file },
    advice: "leave the file out with --exclude, or keep it in a volume",
  };
}

export function tooManyLayers(limit: number, count: number, most: number): UsageError {
  return new UsageError(
    "CONTAINER_LAYERS",
    `${count} layers of ${limit} bytes would be more than the ${most} that engines take`,
    {
      advice: "give a larger --max-layer-size",
    },
  );
}
