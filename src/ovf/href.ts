import type { Where } from "../errors.ts";
import { hrefUnsafe } from "./errors.ts";

/** Why a File/@href may not be opened inside a package; undefined where it may. */
export function hrefProblem(href: string): string | undefined {
  if (href === "") return "is empty";
  if (href.includes("\0")) return "holds a NUL";
  if (/^[A-Za-z]:/.test(href)) return "starts with a drive letter";
  if (/^(\\\\|\/\/)/.test(href)) return "is a network path";
  if (/^[\\/]/.test(href)) return "is an absolute path";
  if (/^[A-Za-z][A-Za-z0-9+.-]+:/.test(href)) return "is a URL";
  if (href.split(/[\\/]/).includes("..")) return "leads out of the package";
  return undefined;
}

/**
 * Gives back a File/@href that is safe to look up among the members of a package, exactly as written: nothing is decoded,
 * for "url%24encoded%a-1.vmdk" is a real file name. Both slashes count as separators, whatever the system.
 * @throws UnsupportedError OVF_HREF_UNSAFE for absolute paths, drive letters, network paths, "..", NUL and URLs.
 */
export function checkHref(href: string, where: Where = {}): string {
  const problem = hrefProblem(href);
  if (problem !== undefined) throw hrefUnsafe(href, problem, where);
  return href;
}
