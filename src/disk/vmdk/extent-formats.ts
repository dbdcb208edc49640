import type { ByteSource } from "../../bytes/byte-source.ts";
import { Catalog } from "../../catalog.ts";
import type { Session } from "./session.ts";

/** A kind of sparse file that a descriptor may name. */
export interface ExtentFormat {
  /**
   * The first `sectors` of the extent; what it never got is read from `parent`, which has just that size. Reads metadata only
   * and borrows both.
   */
  open(source: ByteSource, sectors: number, parent: ByteSource | undefined, session: Session): Promise<ByteSource>;
}

/** Told apart by what the file is: the type in the extent line only says that it is sparse. */
export const extentFormats: Catalog<ExtentFormat> = new Catalog<ExtentFormat>([
  {
    name: "sparse",
    magic: [{ offset: 0, bytes: "KDMV" }],
    suffixes: [],
    load: async () => (await import("./sparse-extent.ts")).extentFormat,
  },
  {
    name: "cowd",
    magic: [{ offset: 0, bytes: "COWD" }],
    suffixes: [],
    load: async () => (await import("./cowd.ts")).extentFormat,
  },
  {
    name: "sesparse",
    magic: [{ offset: 0, bytes: Uint8Array.of(0xbe, 0xba, 0xfe, 0xca, 0, 0, 0, 0) }],
    suffixes: [],
    load: async () => (await import("./se-sparse.ts")).extentFormat,
  },
]);
