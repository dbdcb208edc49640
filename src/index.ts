/**
 * transload as a library: `convert` and its relatives take the words of the command line; below them stand the contracts of
 * each stage, for programs that read disks, file systems and images themselves.
 */
export { type ConversionPlan, type ConvertRequest, convert, copy, planConversion } from "../converters/convert.ts";
export type { Omission } from "../converters/converter.ts";
export { type DiskDifference, type DiskDiffSummary, diffDisks } from "../converters/diff/disks.ts";
export {
  type AspectDifference,
  diffFiles,
  type FileDifference,
  type FileDiffOptions,
  type FileDiffSummary,
} from "../converters/diff/files.ts";
export { type Files, type FilesOptions, openFilesAt } from "../converters/files.ts";
export type { Filter, GuestOptions, Profile } from "../converters/guest/options.ts";
export type { GuestTree } from "../converters/guest/tree.ts";
export {
  type DiskInspection,
  type GuestInspection,
  type ImageInspection,
  type Inspection,
  inspect,
  type MachineInspection,
  type PackageInspection,
  type PlaceInspection,
} from "../converters/inspect.ts";
export type { Guest, Machine, MachineOptions } from "../converters/machine/machine.ts";
export type { RootOptions } from "../converters/machine/root.ts";
export { openGuestAt, openMachineAt } from "../converters/open.ts";
export type { ContainerOptions } from "../converters/ovf-to-oci/container.ts";
export type { MachineFacts, PackageFacts } from "../converters/package-form/facts.ts";
export type { ConversionResult, ResultStats, ResultWarning, SourceFacts, TargetFacts } from "../converters/result.ts";
export { type Verification, verify } from "../converters/verify.ts";
export { type BytePath, bytePath, displayPath } from "./bytes/byte-path.ts";
export { type ByteSource, type Chunk, chunks, type Extent, extents, type StoredRange } from "./bytes/byte-source.ts";
export type { Digest } from "./bytes/digest.ts";
export type { Entry, Timestamp } from "./bytes/entry.ts";
export { FileSource } from "./bytes/file-source.ts";
export {
  type Context,
  createContext,
  DEFAULT_LIMITS,
  type Diagnostic,
  type Limits,
  type Logger,
  type ProgressEvent,
  type Stage,
} from "./context.ts";
export { openDisk } from "./disk/index.ts";
export type { OpenContext, VirtualDisk } from "./disk/virtual-disk.ts";
export {
  AuthorisationError,
  ConverterError,
  CorruptError,
  InputOutputError,
  NotFoundError,
  OutputError,
  TemporaryError,
  UnsupportedError,
  UsageError,
  type Where,
} from "./errors.ts";
export type { FileSystem, FileSystemOptions } from "./filesystem/file-system.ts";
export { fileSystemFormats } from "./filesystem/index.ts";
export { parseEnvelope } from "./ovf/envelope.ts";
export type { Envelope, VirtualSystem } from "./ovf/model.ts";
export { openPackage, type PackagePlace } from "./ovf/open-package.ts";
export type { Package } from "./ovf/package.ts";
export type { ImageDestination, ImageSource, ImageTransport } from "./transport/image-transport.ts";
export { transports } from "./transport/index.ts";
export { openVolumes } from "./volume/index.ts";
export type { Volume, VolumeSystem } from "./volume/volume-system.ts";
