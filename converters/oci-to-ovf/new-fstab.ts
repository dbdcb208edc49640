import { displayPath } from "../../src/bytes/byte-path.ts";
import type { Context } from "../../src/context.ts";
import { type FstabLine, parseFstab } from "../machine/fstab.ts";
import { fstabDropped, fstabRoot } from "./errors.ts";

/** What an fstab asks of a new disk, and what becomes of its lines. */
export interface NewFstab {
  /** By which the root is known: it is given to the new one. */
  readonly uuid: string | undefined;
  readonly label: string | undefined;
  /** The file for the new disk, whose root has that UUID; undefined where nothing changes. */
  bytes(uuid: string): Uint8Array | undefined;
}

const UUID = /^UUID="?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"?$/i;
const LABEL = /^LABEL="?([\x20-\x7e]{1,16})"?$/;
const EXT = /^(ext[234]|auto)$/;

/**
 * Fits the fstab of a machine to a disk that has only its root: the root keeps its UUID or label where ext4 can have them, and
 * is called by UUID otherwise; what lay on other partitions and disks is taken out, since a machine waits for it and does not
 * start. Info and warnings: APPLIANCE_FSTAB_ROOT, APPLIANCE_FSTAB_DROPPED.
 */
export function newFstab(bytes: Uint8Array, ctx: Context): NewFstab {
  const quiet: Context = { ...ctx, diagnostic() {} };
  const lines = parseFstab(bytes, quiet);
  const root = lines.find(({ path }) => path === "");
  const uuid = UUID.exec(root?.device ?? "")?.[1]?.toLowerCase();
  const label = LABEL.exec(root?.device ?? "")?.[1];
  return {
    uuid,
    label,
    bytes(newUuid) {
      const changes = new Map<number, string>();
      for (const line of lines) {
        if (line === root) {
          if ((uuid !== undefined || label !== undefined) && EXT.test(line.type)) continue;
          changes.set(line.line, `UUID=${newUuid} / ext4 defaults 0 1`);
          ctx.diagnostic(fstabRoot(displayPath(line.device), newUuid));
        } else if (isOfAnotherDisk(line)) {
          changes.set(line.line, "");
          ctx.diagnostic(fstabDropped(displayPath(line.device), displayPath(line.path ?? "none"), line.line));
        }
      }
      if (changes.size === 0) return undefined;
      const text = Buffer.from(bytes).toString("latin1").split("\n");
      const kept = text.map((line, index) => {
        const change = changes.get(index + 1);
        if (change === undefined) return line;
        return change === "" ? `# not on this disk: ${line}` : change;
      });
      return Buffer.from(kept.join("\n"), "latin1");
    },
  };
}

/** Swap in a file of the root stays; loops and bind mounts name paths of other kinds. */
function isOfAnotherDisk({ device, options }: FstabLine): boolean {
  if (options.includes("bind") || options.includes("rbind") || options.includes("loop")) return false;
  return /^(\/dev\/(?!shm|loop)|(UUID|LABEL|PARTUUID|PARTLABEL|ID)=)/.test(device);
}
