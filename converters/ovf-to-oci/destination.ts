import type { Context } from "../../src/context.ts";
import type { ImageDestination } from "../../src/transport/image-transport.ts";
import type { ConvertRequest } from "../conversion.ts";
import { transportOf } from "../open.ts";
import type { Reference } from "../reference.ts";

/** Of a file name there is room for more, but not in a tar header. */
const MOST_NAME = 80;

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

/** The image's full name where nothing else is asked for; undefined where nothing of the machine's name is left. */
export function imageName(machineName: string): string | undefined {
  const name = fileStem(machineName);
  return name === undefined ? undefined : `${name}:latest`;
}

/** A repository name (distribution-spec grammar), also fit for a file, made of the machine's name. */
export function fileStem(machineName: string): string | undefined {
  const name = machineName
    .replace(/\.(ova|ovf|box|vmdk|raw|img)$/i, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, MOST_NAME)
    .replace(/^-+|-+$/g, "");
  return name === "" ? undefined : name;
}
