import type { OpenImage } from "../../src/transport/open-image.ts";
import { LABEL_PREFIX } from "../guest/labels.ts";

/** `ADD disk.img /disk/`, `#(nop) ADD file:... in /disk`. */
const INTO_DISK = /(?:^|\s)\/?disk(?:\/\S*)?(?:\s|$)/;

/**
 * Whether an image is one for KubeVirt: made by `--as disk`, or starting nothing and made by putting something into /disk, which
 * is how everybody else makes them.
 */
export function isDiskImage({ config, manifest }: OpenImage): boolean {
  if (config === undefined) return false;
  const { labels, entrypoint, cmd } = config.execution;
  if (labels?.[`${LABEL_PREFIX}form`] === "disk") return true;
  const startsNothing = (entrypoint ?? []).length === 0 && (cmd ?? []).length === 0;
  const intoDisk = config.history.some(({ createdBy = "" }) => INTO_DISK.test(createdBy));
  return startsNothing && manifest.layers.length > 0 && intoDisk;
}
