import { deflateRawSync, deflateSync } from "node:zlib";
import { failure, isReusable, OperationReader, type WholeUnit } from "./operation-reader.ts";
import {
  FIELD,
  type Job,
  PLAIN_ROOM,
  SLOT_BYTES,
  STRIDE,
  type TaskDone,
  type TaskFailure,
  UNIT,
  type UnitCoding,
} from "./task.ts";

/** Turns tasks of whole units into units that are coded one by one, in shared memory. */
export class UnitJob implements Job {
  readonly #memory: Uint8Array;
  readonly #coding: UnitCoding;
  readonly #zeros: Buffer;
  readonly #reader = new OperationReader();
  #plain: Uint8Array = new Uint8Array(0);
  #coded: Uint8Array = new Uint8Array(0);
  #codedEnd = 0;
  #reused = 0;

  constructor(memory: Uint8Array, coding: UnitCoding) {
    this.#memory = memory;
    this.#coding = coding;
    this.#zeros = Buffer.alloc(coding.unitBytes);
  }

  run(slot: number, operations: Float64Array, literals: Uint8Array): TaskDone | TaskFailure {
    const { unitBytes } = this.#coding;
    const base = slot * SLOT_BYTES;
    this.#plain = this.#memory.subarray(base, base + PLAIN_ROOM);
    this.#coded = this.#memory.subarray(base + PLAIN_ROOM, base + SLOT_BYTES);
    this.#codedEnd = this.#reused = 0;
    this.#reader.begin(literals);
    const units: number[] = [];
    let plainEnd = 0;
    for (let at = 0; at < operations.length; at += STRIDE) {
      const operation = operations.subarray(at, at + STRIDE);
      const start = plainEnd;
      plainEnd += operation[FIELD.length] as number;
      try {
        const whole = this.#reader.read(operation, this.#plain.subarray(start, plainEnd));
        const fits = whole?.bytes.length === unitBytes && start === units.length * unitBytes;
        while ((units.length + 1) * unitBytes <= plainEnd) {
          units.push(this.#unit(units.length * unitBytes, fits ? whole : undefined));
        }
      } catch (cause) {
        return failure(at / STRIDE, cause);
      }
    }
    return { plain: plainEnd, coded: this.#codedEnd, reused: this.#reused, units: Int32Array.from(units) };
  }

  /**
   * Codes one unit of the plain part; `whole` is how it is stored, if that is as a unit of its own. What its producer could not
   * compress is not tried again: on a used Debian disk that is a quarter of the units, and of the time.
   */
  #unit(at: number, whole: WholeUnit | undefined): number {
    const { coding, unitBytes, level, windowBits = 15 } = this.#coding;
    const plain = this.#plain.subarray(at, at + unitBytes);
    if (this.#zeros.equals(plain)) return UNIT.zeros;
    if (coding === "plain") return UNIT.plain;
    if (coding === "zlib" && whole !== undefined && isReusable(whole)) {
      this.#reused += unitBytes;
      return this.#put(whole.stored);
    }
    if (coding === "deflate" && whole !== undefined && whole.stored.length > unitBytes - unitBytes / 64)
      return UNIT.plain;
    // Measured: the larger hash table of memLevel 9 takes a tenth less time, for 0.2 % more bytes.
    const options = { level, windowBits, memLevel: 9, chunkSize: unitBytes + 64 };
    if (coding === "zlib") return this.#put(deflateSync(plain, options));
    const deflated = deflateRawSync(plain, options);
    return deflated.length < unitBytes ? this.#put(deflated) : UNIT.plain;
  }

  #put(bytes: Uint8Array): number {
    this.#coded.set(bytes, this.#codedEnd);
    this.#codedEnd += bytes.length;
    return bytes.length;
  }
}
