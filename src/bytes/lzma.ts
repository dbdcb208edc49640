/** Bits of a probability; half of the range to begin with. */
const HALF = 1024;
const MOVE_BITS = 5;
const TOP = 2 ** 24;

/** Where the probabilities of each kind begin (LZMA specification, "LZMA decoding"). 16 states of position at most. */
const IS_MATCH = 0;
const IS_REP = IS_MATCH + 12 * 16;
const IS_REP_G0 = IS_REP + 12;
const IS_REP_G1 = IS_REP_G0 + 12;
const IS_REP_G2 = IS_REP_G1 + 12;
const IS_REP0_LONG = IS_REP_G2 + 12;
const POS_SLOT = IS_REP0_LONG + 12 * 16;
const POS_SPECIAL = POS_SLOT + 4 * 64;
const ALIGN = POS_SPECIAL + 115;
const MATCH_LENGTH = ALIGN + 16;
/** Two choices, then 16 trees of 8 lengths, 16 more, and one of 256. */
const LENGTH_SIZE = 2 + 16 * 8 + 16 * 8 + 256;
const REP_LENGTH = MATCH_LENGTH + LENGTH_SIZE;
const LITERAL = REP_LENGTH + LENGTH_SIZE;

const SHORTEST_MATCH = 2;
const LITERAL_STATES = 7;

/** What each literal does to the state. */
const AFTER_LITERAL = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5] as const;

/** LZMA over a target that is the dictionary as well: what it decodes is never longer than what is in memory. */
export class LzmaDecoder {
  readonly #target: Uint8Array;
  readonly #source: Uint8Array;
  #at = 0;
  #end = 0;
  /** Where the dictionary begins: nothing in front of it can be repeated. */
  #dictionary = 0;
  #probabilities = new Uint16Array(0);
  #literalContext = 0;
  #literalPositionMask = 0;
  #positionMask = 0;
  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;
  /** Range and code. In an array they are never boxed. */
  readonly #coder = new Uint32Array(2);
  #failed = false;

  constructor(source: Uint8Array, target: Uint8Array) {
    this.#source = source;
    this.#target = target;
  }

  /** Bytes of the target that are decoded. */
  get end(): number {
    return this.#end;
  }

  forgetDictionary(): void {
    this.#dictionary = this.#end;
  }

  /** Takes the byte that packs lc, lp and pb; answers whether it can. */
  setProperties(byte: number): boolean {
    const lc = byte % 9;
    const lp = Math.floor(byte / 9) % 5;
    const pb = Math.floor(byte / 45);
    if (pb > 4) return false;
    this.#literalContext = lc;
    this.#literalPositionMask = (1 << lp) - 1;
    this.#positionMask = (1 << pb) - 1;
    this.#probabilities = new Uint16Array(LITERAL + (0x300 << (lc + lp)));
    this.resetState();
    return true;
  }

  resetState(): void {
    this.#probabilities.fill(HALF);
    this.#state = 0;
    this.#rep0 = 0;
    this.#rep1 = 0;
    this.#rep2 = 0;
    this.#rep3 = 0;
  }

  /** Bytes as they are; answers whether they fit. */
  copy(at: number, length: number): boolean {
    if (at + length > this.#source.length || this.#end + length > this.#target.length) return false;
    this.#target.set(this.#source.subarray(at, at + length), this.#end);
    this.#end += length;
    return true;
  }

  /**
   * Decodes what begins at `at` of the source until there are `length` more bytes in the target, or to an end mark. Answers
   * whether that went well.
   */
  decode(at: number, length: number): boolean {
    const limit = this.#end + length;
    if (limit > this.#target.length || this.#probabilities.length === 0 || this.#source[at] !== 0) return false;
    this.#at = at + 1;
    this.#coder[0] = 0xffffffff;
    this.#coder[1] = 0;
    for (let index = 0; index < 4; index++) this.#coder[1] = (this.#coder[1] << 8) | this.#byte();
    while (this.#end < limit) {
      if (this.#failed) return false;
      const positionState = (this.#end - this.#dictionary) & this.#positionMask;
      if (this.#bit(IS_MATCH + this.#state * 16 + positionState) === 0) {
        this.#literal();
        continue;
      }
      const count = this.#bit(IS_REP + this.#state) === 0 ? this.#match(positionState) : this.#repeat(positionState);
      if (this.#rep0 === 0xffffffff) return !this.#failed;
      if (this.#rep0 >= this.#end - this.#dictionary || this.#end + count > limit) return false;
      for (let left = count; left > 0; left--) {
        this.#target[this.#end] = this.#target[this.#end - this.#rep0 - 1] as number;
        this.#end++;
      }
    }
    return !this.#failed;
  }

  /** Whether the last `decode` took all up to `at`, and the range coder came out even, as it does for whole data. */
  isFinished(at: number): boolean {
    return this.#at === at && this.#coder[1] === 0;
  }

  #byte(): number {
    if (this.#at >= this.#source.length) this.#failed = true;
    return this.#source[this.#at++] ?? 0;
  }

  #bit(index: number): number {
    const coder = this.#coder;
    const range = coder[0] as number;
    const code = coder[1] as number;
    const probability = this.#probabilities[index] as number;
    const bound = (range >>> 11) * probability;
    const isOne = code >= bound;
    this.#probabilities[index] = isOne
      ? probability - (probability >> MOVE_BITS)
      : probability + ((2048 - probability) >> MOVE_BITS);
    const left = isOne ? range - bound : bound;
    const rest = isOne ? code - bound : code;
    if (left < TOP) {
      coder[0] = left << 8;
      coder[1] = (rest << 8) | this.#byte();
    } else {
      coder[0] = left;
      coder[1] = rest;
    }
    return isOne ? 1 : 0;
  }

  #direct(count: number): number {
    const coder = this.#coder;
    let value = 0;
    for (let left = count; left > 0; left--) {
      const range = (coder[0] as number) >>> 1;
      const code = coder[1] as number;
      const isOne = code >= range;
      coder[0] = range;
      coder[1] = isOne ? code - range : code;
      value = value * 2 + (isOne ? 1 : 0);
      if (range < TOP) {
        coder[0] = range << 8;
        coder[1] = ((coder[1] as number) << 8) | this.#byte();
      }
    }
    return value;
  }

  #tree(start: number, bits: number): number {
    let node = 1;
    for (let left = bits; left > 0; left--) node = node * 2 + this.#bit(start + node);
    return node - (1 << bits);
  }

  #reverseTree(start: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let index = 0; index < bits; index++) {
      const bit = this.#bit(start + node);
      node = node * 2 + bit;
      value |= bit << index;
    }
    return value;
  }

  #literal(): void {
    const position = this.#end - this.#dictionary;
    const previous = position === 0 ? 0 : (this.#target[this.#end - 1] as number);
    const low = (position & this.#literalPositionMask) << this.#literalContext;
    const start = LITERAL + 0x300 * (low + (previous >> (8 - this.#literalContext)));
    let symbol = 1;
    if (this.#state >= LITERAL_STATES) {
      let matched = this.#rep0 < position ? (this.#target[this.#end - this.#rep0 - 1] as number) : 0;
      while (symbol < 0x100) {
        const expected = (matched >> 7) & 1;
        matched <<= 1;
        const bit = this.#bit(start + ((1 + expected) << 8) + symbol);
        symbol = symbol * 2 + bit;
        if (bit !== expected) break;
      }
    }
    while (symbol < 0x100) symbol = symbol * 2 + this.#bit(start + symbol);
    this.#target[this.#end++] = symbol;
    this.#state = AFTER_LITERAL[this.#state] ?? 0;
  }

  /** A match at a new distance; answers its length. */
  #match(positionState: number): number {
    this.#rep3 = this.#rep2;
    this.#rep2 = this.#rep1;
    this.#rep1 = this.#rep0;
    const length = this.#length(MATCH_LENGTH, positionState);
    this.#state = this.#state < LITERAL_STATES ? 7 : 10;
    const slot = this.#tree(POS_SLOT + Math.min(length, 3) * 64, 6);
    this.#rep0 = slot < 4 ? slot : this.#distance(slot);
    return length + SHORTEST_MATCH;
  }

  #distance(slot: number): number {
    const bits = (slot >> 1) - 1;
    const base = (2 | (slot & 1)) * 2 ** bits;
    if (slot < 14) return base + this.#reverseTree(POS_SPECIAL + base - slot, bits);
    return base + this.#direct(bits - 4) * 16 + this.#reverseTree(ALIGN, 4);
  }

  /** A match at one of the last four distances; answers its length. */
  #repeat(positionState: number): number {
    const state = this.#state;
    const isAtFirst = this.#bit(IS_REP_G0 + state) === 0;
    if (isAtFirst) {
      if (this.#bit(IS_REP0_LONG + state * 16 + positionState) === 0) {
        this.#state = state < LITERAL_STATES ? 9 : 11;
        return 1;
      }
    } else {
      this.#takeDistance(state);
    }
    const length = this.#length(REP_LENGTH, positionState);
    this.#state = state < LITERAL_STATES ? 8 : 11;
    return length + SHORTEST_MATCH;
  }

  #takeDistance(state: number): void {
    let distance = this.#rep1;
    if (this.#bit(IS_REP_G1 + state) === 1) {
      distance = this.#rep2;
      if (this.#bit(IS_REP_G2 + state) === 1) {
        distance = this.#rep3;
        this.#rep3 = this.#rep2;
      }
      this.#rep2 = this.#rep1;
    }
    this.#rep1 = this.#rep0;
    this.#rep0 = distance;
  }

  #length(start: number, positionState: number): number {
    if (this.#bit(start) === 0) return this.#tree(start + 2 + positionState * 8, 3);
    if (this.#bit(start + 1) === 0) return 8 + this.#tree(start + 2 + 128 + positionState * 8, 3);
    return 16 + this.#tree(start + 2 + 256, 8);
  }
}

/**
 * Decodes an LZMA file of the old form (13 bytes of header: properties, dictionary size, size). Gives a view of `target` with
 * what was decoded, or undefined where the data is damaged, or holds more than fits into `target`.
 */
export function decodeLzma(source: Uint8Array, target: Uint8Array): Uint8Array | undefined {
  if (source.length < 13) return undefined;
  const view = new DataView(source.buffer, source.byteOffset, 13);
  const isUnknown = view.getUint32(5, true) === 0xffffffff && view.getUint32(9, true) === 0xffffffff;
  const size = isUnknown ? target.length : view.getUint32(9, true) * 2 ** 32 + view.getUint32(5, true);
  const decoder = new LzmaDecoder(source, target);
  if (size > target.length || !decoder.setProperties(source[0] ?? 0) || !decoder.decode(13, size)) return undefined;
  return isUnknown || decoder.end === size ? target.subarray(0, decoder.end) : undefined;
}
