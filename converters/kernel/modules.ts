import { gunzipSync } from "node:zlib";
import { moduleFacts } from "../../src/boot/kernel-module.ts";
import { type BytePath, baseName } from "../../src/bytes/byte-path.ts";
import { compressionOf, unzstdFrame } from "../../src/bytes/decompress.ts";
import { unxz } from "../../src/bytes/xz.ts";
import { CorruptError } from "../../src/errors.ts";
import { DRIVERS, LIKELY_DEPENDENCIES } from "./drivers.ts";
import { kernelFileDamaged } from "./errors.ts";
import type { KernelSource } from "./source.ts";

/** No module of a distribution comes near this: bytes. */
const MOST_MODULE_BYTES = 64 << 20;
/** Rounds of reading until no dependency is missing. */
const MOST_ROUNDS = 8;

/** A module in the order in which it can be loaded. */
export interface KernelModule {
  /** With underscores. */
  readonly name: string;
  /** Not compressed. */
  readonly bytes: Uint8Array;
}

/** Whether a path is that of a driver that is probably wanted, for those who read a package only once. */
export function isLikelyDriver(path: BytePath): boolean {
  const name = moduleName(path);
  return name !== undefined && LIKELY.has(name);
}

const LIKELY: ReadonlySet<string> = new Set([...DRIVERS, ...LIKELY_DEPENDENCIES]);

interface Known extends KernelModule {
  readonly depends: readonly string[];
}

/** `virtio_blk` for lib/modules/6.1/kernel/drivers/block/virtio-blk.ko.xz; undefined for what is no module of that release. */
function moduleName(path: BytePath, release?: string): string | undefined {
  if (!path.startsWith(release === undefined ? "lib/modules/" : `lib/modules/${release}/`)) return undefined;
  return /^(.+)\.ko(?:\.(?:xz|zst|gz))?$/.exec(baseName(path))?.[1]?.replaceAll("-", "_");
}

/** The drivers of a release that virtual machines need, each after what it depends on. A kernel with all built in has none. */
export async function driversOf(source: KernelSource, release: string): Promise<readonly KernelModule[]> {
  const known = new Map<string, Known>();
  const existing = new Set<string>();
  let wanted = LIKELY;
  for (let round = 0; wanted.size > 0 && round < MOST_ROUNDS; round++) {
    const isWanted = (path: BytePath) => {
      const name = moduleName(path, release);
      if (name !== undefined) existing.add(name);
      return name !== undefined && wanted.has(name);
    };
    for await (const { path, bytes } of source.files(isWanted)) {
      const name = moduleName(path, release) ?? "";
      const plain = plainModule(bytes, `${path} of ${source.name}`);
      const facts = moduleFacts(plain);
      if (facts === undefined) throw kernelFileDamaged(source.name, path, "it is no kernel module");
      // A module that came with an update stands beside the first one.
      if (!known.has(name) || path.includes("/updates/"))
        known.set(name, { name, bytes: plain, depends: facts.depends });
    }
    wanted = new Set(missingOf(known, existing));
  }
  return inOrder(known);
}

/** Dependencies of what is to be loaded that were not read, although they are there. */
function* missingOf(known: ReadonlyMap<string, Known>, existing: ReadonlySet<string>): Iterable<string> {
  for (const { depends } of known.values()) {
    for (const name of depends) if (!known.has(name) && existing.has(name)) yield name;
  }
}

function inOrder(known: ReadonlyMap<string, Known>): readonly KernelModule[] {
  const order: KernelModule[] = [];
  const seen = new Set<string>();
  const add = (name: string): void => {
    const module = known.get(name);
    if (module === undefined || seen.has(name)) return;
    seen.add(name);
    for (const dependency of module.depends) add(dependency);
    order.push(module);
  };
  for (const name of DRIVERS) add(name);
  return order;
}

function plainModule(bytes: Uint8Array, name: string): Uint8Array {
  if (bytes[0] === 0xfd && bytes[1] === 0x37) {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for (const piece of unxz(bytes, name)) {
      size += piece.length;
      if (size > MOST_MODULE_BYTES) throw kernelFileDamaged(name, "", `it is larger than ${MOST_MODULE_BYTES} bytes`);
      pieces.push(piece.slice());
    }
    return Buffer.concat(pieces, size);
  }
  const compression = compressionOf(bytes);
  if (compression === "none") return bytes;
  if (compression === "zstd") return unzstdFrame(bytes, MOST_MODULE_BYTES, name);
  try {
    return gunzipSync(bytes, { maxOutputLength: MOST_MODULE_BYTES });
  } catch (cause) {
    throw new CorruptError("BYTES_COMPRESSED", "the gzip data is damaged or cut off", { where: { file: name }, cause });
  }
}
