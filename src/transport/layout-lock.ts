import { randomUUID } from "node:crypto";
import { link, open, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { locked } from "./errors.ts";

const NAME = ".transload-lock";
/** The lock is held for a few renames only: one that is older was left by a program that was killed. */
const STALE_MS = 30_000;
const PATIENCE_MS = 60_000;
const RETRY_MS = 20;

/**
 * Runs `work` while no other transload changes the same layout. Throws TemporaryError TRANSPORT_LOCKED when it does not get
 * its turn within a minute.
 */
export async function withLock<T>(directory: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const path = join(directory, NAME);
  const until = Date.now() + PATIENCE_MS;
  while (!(await taken(path))) {
    signal.throwIfAborted();
    if (Date.now() > until) throw locked(directory);
    await breakStale(path);
    await delay(RETRY_MS);
  }
  try {
    return await work();
  } finally {
    await unlink(path).catch(() => undefined);
  }
}

async function taken(path: string): Promise<boolean> {
  try {
    await (await open(path, "wx")).close();
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw cause;
  }
}

async function ageOf(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 0 : Date.now() - found.mtimeMs;
}

/** Moves the old lock away first: of several who see it, one wins, and a fresh lock that got in between is put back. */
async function breakStale(path: string): Promise<void> {
  if ((await ageOf(path)) < STALE_MS) return;
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
    if ((await ageOf(aside)) < STALE_MS) await link(aside, path);
  } catch {
    // Somebody else was faster.
  }
  await unlink(aside).catch(() => undefined);
}
