import type { Context } from "../../src/context.ts";
import type { ImageDestination } from "../../src/transport/image-transport.ts";
import type { ConvertRequest } from "../conversion.ts";
import { transportOf } from "../open.ts";
import type { Reference } from "../reference.ts";

/** Where the image of a machine goes, under the name asked for, or the machine's own. */
export async function openImageDestination(
  to: Reference,
  machineName: string,
  { tag, force = false }: Pick<ConvertRequest, "tag" | "force">,
  ctx: Context,
): Promise<ImageDestination> {
  const transport = await transportOf(to);
  const name = tag ?? imageName(machineName);
  return await transport.openDestination(to.details, { force, ...(name === undefined ? {} : { name }) }, ctx);
}

/** A repository name (distribution-spec grammar) made of the machine's name; undefined where nothing of it is left. */
function imageName(machineName: string): string | undefined {
  const name = machineName
    .replace(/\.(ova|ovf|box|vmdk|raw|img)$/i, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return name === "" ? undefined : `${name}:latest`;
}
