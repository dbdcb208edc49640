import type { Context } from "../src/context.ts";
import type { ConvertRequest } from "./conversion.ts";
import { severalUnsupported } from "./errors.ts";
import { openPackageAt } from "./open.ts";
import { fileStem } from "./ovf-to-oci/destination.ts";
import { parseReference } from "./reference.ts";

/** Stands in a destination for the name of each machine of a package. */
const EACH_SYSTEM = "{system}";

/**
 * One request for each machine of the package at the source, where the destination asks for all by `{system}`; else the request
 * itself. Throws UsageError CONVERT_SEVERAL, and what opening the package throws.
 */
export async function eachSystem(request: ConvertRequest, ctx: Context): Promise<readonly ConvertRequest[]> {
  const { source, destination, more } = request;
  if (!destination.includes(EACH_SYSTEM)) return [request];
  const reference = await parseReference(source, ctx);
  if (reference.side !== "machine" || more !== undefined) {
    throw severalUnsupported(
      `${EACH_SYSTEM} is for the machines of one package`,
      "name one OVA or OVF folder as source",
    );
  }
  if (reference.details === "-") {
    throw severalUnsupported("standard input can be read for one machine only", "save the package as a file");
  }
  await using pkg = await openPackageAt(reference, ctx);
  const taken = new Set<string>();
  return (pkg.envelope?.systems ?? []).map(({ id, name }, index) => {
    const stem = fileStem(name ?? id ?? "") ?? `machine-${index + 1}`;
    let unique = stem;
    for (let number = 2; taken.has(unique); number++) unique = `${stem}-${number}`;
    taken.add(unique);
    const system = id ?? name;
    return {
      ...request,
      ...(system === undefined ? {} : { system }),
      destination: destination.replaceAll(EACH_SYSTEM, unique),
    };
  });
}
