/** Distances of the two short forms of a match. */
const M2_MAX = 0x800;
const M3_MAX = 0x4000;

/**
 * Decodes one LZO1X block, which ends where `source` ends. Gives a view of `target` with what was decoded, or undefined where
 * the block is damaged, or holds more than fits into `target`.
 */
export function decodeLzo1x(source: Uint8Array, target: Uint8Array): Uint8Array | undefined {
  const end = new Decoder(source, target).decode();
  return end === undefined ? undefined : target.subarray(0, end);
}

/** The grammar is that of Documentation/staging/lzo.rst of Linux, bitstream version 0. */
class Decoder {
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  #in = 0;
  #out = 0;
  #failed = false;

  constructor(source: Uint8Array, target: Uint8Array) {
    this.#source = source;
    this.#target = target;
  }

  /** How many bytes there are; undefined for damage. */
  decode(): number | undefined {
    /** Literals before this instruction: 0, 1 to 3, or 4 for more. */
    let state = this.#first();
    while (!this.#failed) {
      const code = this.#byte();
      if (code < 16 && state === 0) {
        this.#literals(code === 0 ? this.#longLength(15) + 3 : code + 3);
        state = 4;
        continue;
      }
      let trailing: number;
      if (code >= 64) {
        const distance = ((code >> 2) & 7) + (this.#byte() << 3) + 1;
        this.#match(distance, (code >> 5) + 1);
        trailing = code & 3;
      } else if (code >= 32) {
        const length = (code & 31) === 0 ? this.#longLength(31) + 2 : (code & 31) + 2;
        const low = this.#byte();
        this.#match(((low >> 2) | (this.#byte() << 6)) + 1, length);
        trailing = low & 3;
      } else if (code >= 16) {
        const length = (code & 7) === 0 ? this.#longLength(7) + 2 : (code & 7) + 2;
        const low = this.#byte();
        const distance = ((code & 8) << 11) + ((low >> 2) | (this.#byte() << 6));
        if (distance === 0) return this.#atEnd(length);
        this.#match(distance + M3_MAX, length);
        trailing = low & 3;
      } else {
        const distance = (code >> 2) + (this.#byte() << 2) + 1;
        this.#match(state === 4 ? distance + M2_MAX : distance, state === 4 ? 3 : 2);
        trailing = code & 3;
      }
      this.#literals(trailing);
      state = trailing;
    }
    return undefined;
  }

  /** A first byte above 17 stands for literals. */
  #first(): number {
    const code = this.#source[0] ?? 0;
    if (code <= 17) return 0;
    this.#in = 1;
    this.#literals(code - 17);
    return Math.min(code - 17, 4);
  }

  #atEnd(length: number): number | undefined {
    return !this.#failed && length === 3 && this.#in === this.#source.length ? this.#out : undefined;
  }

  #byte(): number {
    if (this.#in >= this.#source.length) this.#failed = true;
    return this.#source[this.#in++] ?? 0;
  }

  /** Each byte of 0 stands for 255 more. */
  #longLength(base: number): number {
    let length = base;
    for (;;) {
      const byte = this.#byte();
      if (byte !== 0 || this.#failed) return length + byte;
      length += 255;
    }
  }

  #literals(length: number): void {
    if (this.#in + length > this.#source.length || this.#out + length > this.#target.length) {
      this.#failed = true;
      return;
    }
    for (let index = 0; index < length; index++) this.#target[this.#out++] = this.#source[this.#in++] as number;
  }

  #match(distance: number, length: number): void {
    if (distance > this.#out || this.#out + length > this.#target.length) {
      this.#failed = true;
      return;
    }
    let from = this.#out - distance;
    for (let index = 0; index < length; index++) this.#target[this.#out++] = this.#target[from++] as number;
  }
}
