import { displayPath } from "../../bytes/byte-path.ts";
import type { ByteSource } from "../../bytes/byte-source.ts";
import { type Steps, settled } from "../../bytes/steps.ts";
import type { Context } from "../../context.ts";
import { bitsSet } from "../bits-set.ts";
import { utf16Path } from "../utf16.ts";
import { BootSector } from "./boot-sector.ts";
import { bootSectorDamaged, warn } from "./errors.ts";
import { ATTRIBUTE } from "./file-record.ts";
import { hasOpenLog } from "./log-file.ts";
import { Volume } from "./volume.ts";

/** Numbers of the file records that hold the file system itself. */
const RECORD = { VOLUME: 3, BITMAP: 6 } as const;
const VOLUME_IS_DIRTY = 0x1;
const LARGEST_LABEL = 4096;

/** A volume, and what its own records tell of it. */
export interface OpenedVolume {
  readonly volume: Volume;
  readonly uuid: string;
  readonly label: string | undefined;
  /** Bytes. */
  readonly size: number;
  readonly used: number | undefined;
}

/** Throws CorruptError where the boot sector or the first file records are damaged. */
export function* openVolume(source: ByteSource, ctx: Context): Steps<OpenedVolume> {
  const boot = new BootSector(yield* settled(source.read(0, BootSector.SIZE)));
  if (boot.flaw !== undefined) throw bootSectorDamaged(boot.flaw, source.name);
  const volume = yield* Volume.open(source, boot, ctx);
  const { label, isDirty } = yield* volumeFacts(volume);
  if (isDirty || (yield* hasOpenLog(volume))) {
    const message = "the volume was in use when the machine stopped: what stands only in its log is missing";
    warn(ctx, "NTFS_DIRTY", message, { file: source.name });
  }
  const size = boot.totalSectors * boot.bytesPerSector;
  return { volume, uuid: boot.serial, label, size, used: yield* usedBytes(volume) };
}

function* volumeFacts(volume: Volume): Steps<{ label: string | undefined; isDirty: boolean }> {
  const attributes = yield* volume.attributes(yield* volume.record(RECORD.VOLUME));
  const name = volume.stream(attributes, ATTRIBUTE.VOLUME_NAME, "", RECORD.VOLUME);
  const label = name && displayPath(utf16Path(yield* volume.readAll(name, LARGEST_LABEL, "the label")));
  const information = volume.stream(attributes, ATTRIBUTE.VOLUME_INFORMATION, "", RECORD.VOLUME);
  const flags = information && (yield* information.read(0x0a, 2));
  return { label: label || undefined, isDirty: ((flags?.[0] ?? 0) & VOLUME_IS_DIRTY) !== 0 };
}

/** Undefined where the bitmap is too large to be held. */
function* usedBytes(volume: Volume): Steps<number | undefined> {
  const attributes = yield* volume.attributes(yield* volume.record(RECORD.BITMAP));
  const bitmap = volume.stream(attributes, ATTRIBUTE.DATA, "", RECORD.BITMAP);
  const length = Math.ceil(volume.clusters / 8);
  if (bitmap === undefined || bitmap.size < length || length > volume.ctx.limits.tableBytes) return undefined;
  const used = bitsSet(yield* bitmap.read(0, length));
  return Math.min(volume.clusters, used) * volume.clusterSize;
}
