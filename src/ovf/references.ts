import type { EnvelopeIndex } from "./envelope-index.ts";
import { ambiguousReference, capacityMissing, danglingReference } from "./errors.ts";
import type { Disk, FileReference, HardwareItem } from "./model.ts";
import type { Oddities } from "./oddities.ts";
import type { Span } from "./xml.ts";

/** What a drive holds. */
interface Content {
  readonly disk?: Disk | undefined;
  readonly file?: FileReference | undefined;
}

/** Follows the references of drives to disks and files. A disk drive needs its content, a CD or floppy may do without. */
export class References {
  readonly #index: EnvelopeIndex;
  readonly #oddities: Oddities;

  constructor(index: EnvelopeIndex, oddities: Oddities) {
    this.#index = index;
    this.#oddities = oddities;
  }

  content(kind: "disk" | "cd" | "floppy", item: HardwareItem): Content {
    const [resource] = item.hostResources;
    if (resource === undefined) return {};
    // oVirt writes the fileRef of the disk, which is the path of the file.
    const found =
      resource.kind === "other" ? this.#byPath(resource.id) : this.#byId(resource.kind, resource.id, item.span);
    if (found !== undefined) return found;
    const what = resource.kind === "other" ? "the resource" : resource.kind;
    if (kind === "disk") throw danglingReference(what, resource.id, "a disk drive", this.#oddities.where(item.span));
    const message = `a ${kind} drive refers to ${what} ${JSON.stringify(resource.id)}, which is missing`;
    this.#oddities.warn("OVF_DANGLING_REFERENCE", message, item.span);
    return {};
  }

  #byPath(path: string): Content | undefined {
    const disk = this.#index.diskByFileRef.get(path);
    if (disk !== undefined) return { disk };
    const file = this.#index.fileByHref.get(path);
    return file === undefined ? undefined : { file };
  }

  #byId(kind: "disk" | "file", id: string, span: Span): Content | undefined {
    if (kind === "disk") {
      const disk = this.#only("Disk", this.#index.disks.get(id), id, span);
      return disk === undefined ? undefined : { disk };
    }
    const file = this.#only("File", this.#index.files.get(id), id, span);
    return file === undefined ? undefined : { file };
  }

  #only<T>(kind: string, found: readonly T[] | undefined, id: string, span: Span): T | undefined {
    if (found !== undefined && found.length > 1) throw ambiguousReference(kind, id, this.#oddities.where(span));
    return found?.[0];
  }

  /** A disk that a drive uses must have a file, or else a capacity to start blank with. */
  requireContent(disk: Disk, capacity: number | undefined): void {
    const where = this.#oddities.where(disk.span);
    if (disk.fileRef === undefined) {
      if (capacity === undefined) throw capacityMissing(disk.id, disk.capacityText, where);
      return;
    }
    if (disk.file === undefined) {
      throw danglingReference("file", disk.fileRef, `disk ${JSON.stringify(disk.id)}`, where);
    }
    const { id } = disk.file;
    if (id === disk.fileRef) this.#only("File", this.#index.files.get(id), id, disk.span);
  }

  /** A file that a setting names; one that is missing is reported. */
  optionalFile(id: string, by: string, span: Span): FileReference | undefined {
    const file = this.#index.files.get(id)?.[0];
    if (file === undefined) {
      this.#oddities.warn(
        "OVF_DANGLING_REFERENCE",
        `${by} refers to file ${JSON.stringify(id)}, which is missing`,
        span,
      );
    }
    return file;
  }
}
