import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";

const CACHE = join(tmpdir(), `transload-test-cache-${process.getuid?.() ?? 0}`);
const PROGRAMS: Readonly<Record<string, string>> = { gz: "gzip", xz: "xz", bz2: "bzip2", zst: "zstd" };

/**
 * The path of the plain, sparse copy of a compressed file; made once and kept in the temporary directory. Of a tar archive it
 * is the only file that it holds. Plain files are given back as they are.
 */
export async function unpacked(path: string): Promise<string> {
  const suffix = /\.(gz|xz|bz2|zst)$/.exec(path)?.[1];
  if (suffix === undefined) return path;
  const stat = statSync(path);
  const key = createHash("sha256").update(`${path}\0${stat.size}\0${stat.mtimeMs}`).digest("hex").slice(0, 16);
  const folder = join(CACHE, key);
  if (path.endsWith(`.tar.${suffix}`)) return untarred(path, `${folder}-files`);
  const plain = join(folder, basename(path, `.${suffix}`));
  if (existsSync(plain)) return plain;
  mkdirSync(folder, { recursive: true });
  const part = `${plain}.${process.pid}.part`;
  const child = spawn(PROGRAMS[suffix] ?? suffix, ["-dc"], { stdio: ["pipe", "pipe", "inherit"] });
  createReadStream(path).pipe(child.stdin);
  const ended = new Promise<number | null>((resolve, reject) => child.once("error", reject).once("close", resolve));
  await writeSparse(child.stdout, part);
  const status = await ended;
  if (status !== 0) throw new Error(`${PROGRAMS[suffix]} ended with ${status} for ${path}`);
  renameSync(part, plain);
  return plain;
}

/** tar alone keeps the holes of a file of 2 TB. */
function untarred(path: string, folder: string): string {
  if (!existsSync(folder)) {
    const part = `${folder}.${process.pid}.part`;
    mkdirSync(part, { recursive: true });
    execFileSync("tar", ["-xf", path, "-C", part, "--no-same-owner"]);
    if (existsSync(folder)) rmSync(part, { recursive: true });
    else renameSync(part, folder);
  }
  const [name, ...others] = readdirSync(folder);
  if (name === undefined || others.length > 0) throw new Error(`${path} holds not just one file`);
  return join(folder, name);
}

const PAGE = 4096;
const ZEROS = Buffer.alloc(PAGE);

async function writeSparse(from: Readable, path: string): Promise<void> {
  const fd = openSync(path, "w");
  let at = 0;
  for await (const chunk of from as AsyncIterable<Buffer>) {
    for (let start = 0; start < chunk.length; start += PAGE) {
      const page = chunk.subarray(start, start + PAGE);
      if (!page.equals(ZEROS.subarray(0, page.length))) writeSync(fd, page, 0, page.length, at + start);
    }
    at += chunk.length;
  }
  ftruncateSync(fd, at);
  closeSync(fd);
}
