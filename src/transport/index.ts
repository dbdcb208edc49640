import { Catalog } from "../catalog.ts";
import type { ImageTransport } from "./image-transport.ts";

/** The transports by the prefix of a reference: `catalog.byName("oci")` for `oci:DIR:TAG`. They have no magic of their own. */
export const transports: Catalog<ImageTransport> = new Catalog([
  { name: "oci", magic: [], suffixes: [], load: () => import("./oci.ts").then((module) => module.transport) },
  {
    name: "oci-archive",
    magic: [],
    suffixes: [],
    load: () => import("./oci-archive.ts").then((module) => module.transport),
  },
  {
    name: "docker-archive",
    magic: [],
    suffixes: [],
    load: () => import("./docker-archive.ts").then((module) => module.transport),
  },
  {
    name: "docker",
    magic: [],
    suffixes: [],
    load: () => import("./docker/transport.ts").then((module) => module.transport),
  },
]);
