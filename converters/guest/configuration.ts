import { type BytePath, bytePath, displayPath, joinPath } from "../../src/bytes/byte-path.ts";
import type { Context } from "../../src/context.ts";
import { reportLargeFile } from "./errors.ts";
import type { GuestTree } from "./tree.ts";

const LIMIT = 1 << 20;
const TOTAL_LIMIT = 16 << 20;

/** A configuration file's text, through symlinks; undefined if it is absent or, with a diagnostic, above 1 MiB. */
export async function readText(tree: GuestTree, path: BytePath, ctx: Context): Promise<string | undefined> {
  const entry = await tree.follow(path);
  if (entry?.type !== "file") return undefined;
  if (entry.size > LIMIT) {
    reportLargeFile(displayPath(entry.path), entry.size, LIMIT, ctx);
    return undefined;
  }
  const bytes = await tree.readFile(path, LIMIT);
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}

/** The texts of those direct children of a directory whose names end as asked, in byte order, up to 16 MiB together. */
export async function readTexts(tree: GuestTree, directory: BytePath, suffix: string, ctx: Context): Promise<string[]> {
  const texts: string[] = [];
  let total = 0;
  for (const name of await namesIn(tree, directory)) {
    if (!name.endsWith(suffix)) continue;
    ctx.signal.throwIfAborted();
    const text = await readText(tree, joinPath(directory, name), ctx);
    if (text === undefined) continue;
    total += text.length;
    if (total > TOTAL_LIMIT) {
      reportLargeFile(displayPath(directory), total, TOTAL_LIMIT, ctx);
      break;
    }
    texts.push(text);
  }
  return texts;
}

export async function namesIn(tree: GuestTree, directory: BytePath): Promise<BytePath[]> {
  return (await tree.list(directory)).map(({ path }) => path.slice(path.lastIndexOf("/") + 1));
}

/** The first of the absolute or relative paths that leads to a file, as it was written. */
export async function firstFile(tree: GuestTree, paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if ((await tree.follow(insidePath(path)))?.type === "file") return path;
  return undefined;
}

/** The guest's own way to name a file, as a path of the tree. */
export function insidePath(path: string): BytePath {
  return bytePath(path.replace(/^\/+|\/+$/g, "").replace(/\/{2,}/g, "/"));
}

/** The lines that say something: without comments and blanks around them. */
export function meaningfulLines(text: string, comment = /^[#;]/): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !comment.test(line));
}

/** `NAME=value` lines of os-release, EnvironmentFile= and /etc/default, with the quotes of the shell. */
export function parseAssignments(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of meaningfulLines(text)) {
    const match = /^(?:export\s+)?([A-Za-z_]\w*)=(.*)$/s.exec(line);
    if (match) values.set(match[1] ?? "", unquote(match[2] ?? ""));
  }
  return values;
}

function unquote(value: string): string {
  if (/^'[^']*'$/.test(value)) return value.slice(1, -1);
  if (/^".*"$/s.test(value) && value.length > 1) return value.slice(1, -1).replace(/\\(["\\$`])/g, "$1");
  return value.replace(/(?<!\s)\s+#.*$/, "").replace(/\\(.)/g, "$1");
}
