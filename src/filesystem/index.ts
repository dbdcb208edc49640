import { Catalog } from "../catalog.ts";
import type { FileSystemFormat } from "./file-system.ts";

/** The file systems of guests, in the order in which they are tried. */
export const fileSystemFormats: Catalog<FileSystemFormat> = new Catalog<FileSystemFormat>([]);
