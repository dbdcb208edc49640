/** Runs of zeros are looked for in pages of this size, aligned in the file: a file system's block. */
const PAGE = 4096;

const ZEROS = Buffer.alloc(PAGE);

/** Lengths of runs in bytes, in turn data and zeros, data first (which may be 0): what is kept of a file that has zeros. */
export type RunLengths = readonly number[];

/** Finds the pages of a file that hold only zeros, as its content goes by. One scanner serves one file after another. */
export class ZeroScanner {
  #lengths: number[] = [];
  #filled = 0;
  #isZero = true;
  #left: number;

  /** No more than `mostRuns` runs are told of, in all files together; what comes after them is data. */
  constructor(mostRuns: number) {
    this.#left = mostRuns;
  }

  data(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + PAGE - this.#filled);
      this.#isZero = this.#isZero && isZero(bytes, at, end);
      this.#fill(end - at);
      at = end;
    }
  }

  zeros(length: number): void {
    const first = Math.min(length, PAGE - this.#filled);
    this.#fill(first);
    const whole = length - first - ((length - first) % PAGE);
    if (whole > 0) this.#push(true, whole);
    this.#fill(length - first - whole);
  }

  /** Ends the file; undefined where it has no zeros to speak of. */
  finish(): RunLengths | undefined {
    if (this.#filled > 0) this.#push(this.#isZero, this.#filled);
    const lengths = this.#lengths;
    this.#lengths = [];
    this.#filled = 0;
    this.#isZero = true;
    if (lengths.length <= 1) return undefined;
    this.#left -= lengths.length;
    return lengths;
  }

  #fill(length: number): void {
    this.#filled += length;
    if (this.#filled < PAGE) return;
    this.#push(this.#isZero, PAGE);
    this.#filled = 0;
    this.#isZero = true;
  }

  #push(isZero: boolean, length: number): void {
    const lengths = this.#lengths;
    const last = lengths.length - 1;
    const kind = isZero && (last % 2 === 1 || lengths.length < this.#left) ? 1 : 0;
    if (last < 0) lengths.push(...(kind === 1 ? [0, length] : [length]));
    else if (last % 2 === kind) lengths[last] = (lengths[last] ?? 0) + length;
    else lengths.push(length);
  }
}

/** Most data shows at its ends. */
function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  if (bytes[from] !== 0 || bytes[to - 1] !== 0) return false;
  return ZEROS.compare(bytes, from, to, 0, to - from) === 0;
}
