import { ArchiveDestination } from "./archive-destination.ts";
import type { ImageTransport } from "./image-transport.ts";
import { ArchiveFiles } from "./layout-files.ts";
import { openLayout } from "./layout-source.ts";
import { namingOf } from "./naming.ts";
import { parseLayoutReference } from "./reference.ts";

/** `oci-archive:FILE[:TAG]`: an image layout in a tar. What is written can be loaded by Docker as well. */
export const transport: ImageTransport = {
  name: "oci-archive",
  async openSource(details, ctx) {
    const { path, name } = parseLayoutReference(details);
    return await openLayout(await ArchiveFiles.open(path, ctx), name, ctx);
  },
  async openDestination(details, options, ctx) {
    const { path, name } = parseLayoutReference(details);
    const naming = namingOf(name, options.name);
    return await ArchiveDestination.open(path, { ...options, naming, mustLoad: false }, ctx);
  },
};
