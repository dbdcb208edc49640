import type { BytePath } from "../../src/bytes/byte-path.ts";
import type { Execution } from "../../src/oci/image-config.ts";
import type { ImageTree } from "../../src/oci/image-tree.ts";
import { initMissing, nothingToStart } from "./errors.ts";
import { commandOf } from "./main-process.ts";

/** Where inits stand, the usual one first: that is where every initrd looks. */
const INITS: readonly BytePath[] = [
  "sbin/init",
  "usr/sbin/init",
  "lib/systemd/systemd",
  "usr/lib/systemd/systemd",
  "init",
];
const SHELL = /^(?:\/(?:usr\/)?bin\/)?(?:ba|da|a)?sh$/;

/** What process 1 is: a program of the image by its path with a leading slash, or ours, which runs the image's command. */
export type InitChoice = { readonly program: string } | { readonly program: undefined };

/**
 * Decides by `--init`: `auto` takes the image's init where its command is that, or only a shell, or nothing at all, as in the
 * images of distributions; `none` never does; a path names the program. Throws UsageError APPLIANCE_INIT, UnsupportedError
 * APPLIANCE_NO_COMMAND.
 */
export function chooseInit(tree: ImageTree, execution: Execution, asked: string, file: string): InitChoice {
  const isFile = (path: BytePath) => tree.follow(path)?.type === "file";
  const command = commandOf(execution);
  if (asked !== "auto" && asked !== "none") {
    if (!isFile(asked.replace(/^\/+/, ""))) throw initMissing(asked, file);
    return { program: `/${asked.replace(/^\/+/, "")}` };
  }
  if (asked === "auto") {
    const [first = ""] = command;
    const named = INITS.find((path) => first === `/${path}`);
    if (named !== undefined && isFile(named)) return { program: first };
    const init = INITS.find(isFile);
    const isIdle = command.length === 0 || (command.length === 1 && SHELL.test(first));
    if (isIdle && init !== undefined) return { program: `/${init}` };
  }
  if (command.length === 0) throw nothingToStart(file);
  return { program: undefined };
}
