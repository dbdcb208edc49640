import { stat } from "node:fs/promises";
import { NotFoundError } from "../errors.ts";
import type { ImageTransport } from "./image-transport.ts";
import { LayoutDestination } from "./layout-destination.ts";
import { DirectoryFiles } from "./layout-files.ts";
import { openLayout } from "./layout-source.ts";
import { namingOf } from "./naming.ts";
import { parseLayoutReference } from "./reference.ts";

/** `oci:DIR[:TAG]`: an image layout in a directory (image-spec "OCI Image Layout"), which may hold several images. */
export const transport: ImageTransport = {
  name: "oci",
  async openSource(details, ctx) {
    const { path, name } = parseLayoutReference(details);
    const isDirectory = (await stat(path).catch(() => undefined))?.isDirectory() === true;
    if (!isDirectory) throw new NotFoundError("FILE_NOT_FOUND", "no such directory", { where: { file: path } });
    return await openLayout(new DirectoryFiles(path), name, ctx);
  },
  async openDestination(details, options, ctx) {
    const { path, name } = parseLayoutReference(details);
    return await LayoutDestination.open(path, namingOf(name, options.name), options, ctx);
  },
};
