import { Catalog } from "../catalog.ts";
import type { DiskWriter } from "./disk-writer.ts";

/** Every disk image format that can be written. */
export const diskWriters: Catalog<DiskWriter> = new Catalog<DiskWriter>([
  {
    name: "qcow2",
    magic: [],
    suffixes: [".qcow2"],
    load: async () => (await import("./qcow2/writer.ts")).writer,
  },
  {
    name: "raw",
    magic: [],
    suffixes: [".raw", ".img"],
    load: async () => (await import("./raw/writer.ts")).writer,
  },
  {
    name: "vmdk",
    magic: [],
    suffixes: [".vmdk"],
    load: async () => (await import("./vmdk/writer.ts")).writer,
  },
]);
