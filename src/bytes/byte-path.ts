/**
 * A path or name as the guest stores it: one character for each byte (latin1), since Linux names need not be UTF-8.
 * Relative to the root, without a leading slash; the root itself is the empty string.
 */
export type BytePath = string;

/** The bytes of a path. */
export function pathBytes(path: BytePath): Buffer {
  return Buffer.from(path, "latin1");
}

/** A path from bytes, or from the text of a message or an option (as UTF-8). */
export function bytePath(from: Uint8Array | string): BytePath {
  return (
    typeof from === "string" ? Buffer.from(from, "utf8") : Buffer.from(from.buffer, from.byteOffset, from.length)
  ).toString("latin1");
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

/** For people: UTF-8 where the bytes are UTF-8, `\xNN` for the others. */
export function displayPath(path: BytePath): string {
  const bytes = pathBytes(path);
  try {
    return UTF8.decode(bytes);
  } catch {
    return path.replace(/[\x80-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16)}`);
  }
}

export function joinPath(parent: BytePath, name: BytePath): BytePath {
  return parent === "" ? name : `${parent}/${name}`;
}

export function parentPath(path: BytePath): BytePath {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

export function baseName(path: BytePath): BytePath {
  return path.slice(path.lastIndexOf("/") + 1);
}
