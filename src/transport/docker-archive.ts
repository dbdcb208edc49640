import { ArchiveDestination } from "./archive-destination.ts";
import { openDockerArchive } from "./docker-archive-source.ts";
import { referenceForm } from "./errors.ts";
import type { ImageTransport } from "./image-transport.ts";
import { ArchiveFiles } from "./layout-files.ts";
import { namingOf } from "./naming.ts";
import { parseImageName, splitPath } from "./reference.ts";

/** `docker-archive:FILE[:NAME]`: what `docker save` writes and `docker load` takes; when reading, also `FILE:@INDEX`. */
export const transport: ImageTransport = {
  name: "docker-archive",
  async openSource(details, ctx) {
    const { path, name } = splitPath(details);
    if (name !== undefined && !/^@[0-9]+$/.test(name)) parseImageName(name);
    return await openDockerArchive(await ArchiveFiles.open(path, ctx), name, ctx);
  },
  async openDestination(details, options, ctx) {
    const { path, name } = splitPath(details);
    if (name?.startsWith("@") === true) throw referenceForm(name, "can only be read, not written");
    const naming = namingOf(undefined, name ?? options.name);
    return await ArchiveDestination.open(path, { ...options, naming, mustLoad: true }, ctx);
  },
};
