import { type Awaitable, type ByteSource, type Extent, map } from "../byte-source.ts";
import type { Task } from "./run-tasks.ts";
import { KIND } from "./task.ts";

/** Gathers operations into tasks. */
export class TaskBuilder {
  #operations: number[] = [];
  #literals: Uint8Array[] = [];
  #names: string[] = [];
  /** Plain bytes gathered so far. */
  size = 0;

  add(kind: number, length: number, name: string, stored?: Extent["stored"]): void {
    const { fd = 0, offset = 0, length: storedLength = 0, size = 0, skip = 0 } = stored ?? {};
    this.#operations.push(kind, length, fd, offset, storedLength, size, skip);
    this.#names.push(name);
    this.size += length;
  }

  literal(bytes: Uint8Array): void {
    this.#literals.push(bytes);
    this.add(KIND.literal, bytes.length, "");
  }

  /** The first `length` bytes of an extent of `source`; what no thread can read for itself is read here. */
  extent(source: ByteSource, { offset, kind, stored }: Extent, length: number): Awaitable<void> {
    if (kind === "zero") return this.add(KIND.zero, length, source.name);
    if (stored !== undefined)
      return this.add(stored.coding === "identity" ? KIND.stored : KIND.zlib, length, source.name, stored);
    return map(source.read(offset, length), (bytes) => this.literal(Buffer.from(bytes)));
  }

  take(): Task {
    const operations = Float64Array.from(this.#operations);
    const task = { operations, literals: Buffer.concat(this.#literals), names: this.#names };
    this.#operations = [];
    this.#literals = [];
    this.#names = [];
    this.size = 0;
    return task;
  }
}
