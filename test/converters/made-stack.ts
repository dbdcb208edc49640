import type { Content, DiskPlace, FileSystemContent, Place, StorageStack } from "../../converters/machine/stack.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { NotFoundError } from "../../src/errors.ts";
import type { FileSystem, FileSystemOptions } from "../../src/filesystem/file-system.ts";
import type { Volume, VolumeSystem } from "../../src/volume/volume-system.ts";

/** One partition or logical volume of a stack that a test makes up. */
interface MadeVolume {
  readonly id: string;
  readonly type?: string;
  readonly uuid?: string;
  readonly label?: string;
  readonly content?: Content | FileSystem;
}

export interface MadeSystem {
  readonly scheme: string;
  readonly uuid?: string;
  readonly label?: string;
  readonly volumes: readonly MadeVolume[];
}

function contentOf(content: Content | FileSystem | undefined): Content {
  if (content === undefined) return { kind: "unknown" };
  return "kind" in content ? content : fileSystemContent(content);
}

export function fileSystemContent(
  fileSystem: FileSystem,
  subvolumes: Readonly<Record<string, FileSystem>> = {},
): FileSystemContent {
  const { type, uuid, label } = fileSystem;
  const reopen = async ({ subvolume }: FileSystemOptions): Promise<FileSystem> => {
    const found = subvolumes[String(subvolume)];
    if (found === undefined) throw new NotFoundError("TEST", "no such subvolume");
    return found;
  };
  return { kind: "file-system", type, uuid, label, fileSystem, reopen };
}

class MadeSource extends MemorySource implements Volume {
  readonly id: string;
  readonly type: string;
  readonly typeName = "made";
  readonly uuid: string | undefined;
  readonly label: string | undefined;
  readonly bootable = false;
  readonly start = undefined;
  readonly format = "raw";
  readonly variant = undefined;
  readonly sectorSize = 512;
  readonly storedBytes = undefined;

  constructor(volume: MadeVolume) {
    super(new Uint8Array(512), volume.id);
    this.id = volume.id;
    this.type = volume.type ?? "";
    this.uuid = volume.uuid;
    this.label = volume.label;
  }
}

function madeSystem(
  made: MadeSystem,
  device: string,
  disk: number | undefined,
): { system: VolumeSystem; volumes: Place[] } {
  const { scheme, uuid, label } = made;
  const sources = made.volumes.map((volume) => new MadeSource(volume));
  const system = { scheme, uuid, label, sectorSize: 512, volumes: sources };
  const volumes = sources.map((volume, index) => {
    const content = contentOf(made.volumes[index]?.content);
    return { device: `${device}${volume.id}`, source: volume, volume, system, disk, content };
  });
  return { system, volumes };
}

/** A stack whose disks hold a table or a content of their own, and groups beside them. */
export function madeStack(
  disks: readonly (MadeSystem | Content | FileSystem)[],
  groups: readonly MadeSystem[] = [],
): StorageStack {
  return {
    disks: disks.map((made, index): DiskPlace => {
      const device = `sd${String.fromCharCode(97 + index)}`;
      const source = new MadeSource({ id: device });
      const content: Content =
        "scheme" in made && "volumes" in made && !("kind" in made)
          ? { kind: "volumes", ...madeSystem(made, device, index + 1) }
          : contentOf(made as Content | FileSystem);
      return { device, source, volume: undefined, system: undefined, disk: index + 1, content };
    }),
    groups: groups.map((group) => madeSystem(group, "", undefined)),
    async [Symbol.asyncDispose]() {},
  };
}
