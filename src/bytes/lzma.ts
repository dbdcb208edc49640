/** Bits of a probability; half of the range to begin with. */
const HALF = 1024;
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
const AFTER_LITERAL: readonly number[] = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 4, 5];

/** Of `#coder`: the range, the code, and the place in the source. An array of numbers that are never boxed. */
const RANGE = 0;
const CODE = 1;
const AT = 2;

/** Matches from this length on are worth a call of `copyWithin`. */
const LONG_MATCH = 64;

/**
 * LZMA over a target that is the dictionary as well: what it decodes is never longer than what is in memory. The range
 * decoder is written out wherever several bits are taken one after another: with a call and the fields for each bit it took
 * three times as long (measured).
 */
export class LzmaDecoder {
  readonly #target: Uint8Array;
  readonly #source: Uint8Array;
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
  readonly #coder = new Uint32Array(3);

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

  /** Moves the last `keep` bytes to the front of the target, so that there is room behind them. */
  slide(keep: number): void {
    const by = Math.max(0, this.#end - keep);
    this.#target.copyWithin(0, by, this.#end);
    this.#end -= by;
    this.#dictionary -= by;
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
    const source = this.#source;
    const isStart = source[at] === 0 && at + 5 <= source.length;
    if (limit > this.#target.length || this.#probabilities.length === 0 || !isStart) return false;
    const coder = this.#coder;
    coder[RANGE] = 0xffffffff;
    coder[CODE] = new DataView(source.buffer, source.byteOffset + at + 1, 4).getUint32(0);
    coder[AT] = at + 5;
    while (this.#end < limit) {
      this.#literals(limit);
      // Beyond the end of the source zeros are read; each round adds a byte at least, so that it comes to an end.
      if (this.#end >= limit || (coder[AT] as number) > source.length) break;
      const count = this.#match();
      const distance = this.#rep0 + 1;
      if (this.#rep0 === 0xffffffff) break;
      if (distance > this.#end - Math.max(0, this.#dictionary) || this.#end + count > limit) return false;
      this.#repeat(distance, count);
    }
    return (coder[AT] as number) <= source.length;
  }

  /** Whether the last `decode` took all up to `at`, and the range coder came out even, as it does for whole data. */
  isFinished(at: number): boolean {
    return this.#coder[AT] === at && this.#coder[CODE] === 0;
  }

  /** Literals up to `limit`, or up to a match, whose first bit is taken. */
  #literals(limit: number): void {
    const probabilities = this.#probabilities;
    const source = this.#source;
    const target = this.#target;
    const coder = this.#coder;
    let range = coder[RANGE] as number;
    let code = coder[CODE] as number;
    let at = coder[AT] as number;
    let end = this.#end;
    let state = this.#state;
    while (end < limit) {
      const position = end - this.#dictionary;
      let index = IS_MATCH + state * 16 + (position & this.#positionMask);
      let probability = probabilities[index] as number;
      let bound = Math.imul(range >>> 11, probability) >>> 0;
      const isMatch = code >= bound;
      range = isMatch ? (range - bound) >>> 0 : bound;
      code = isMatch ? (code - bound) >>> 0 : code;
      probabilities[index] = isMatch ? probability - (probability >> 5) : probability + ((2048 - probability) >> 5);
      if (range < TOP) {
        range = (range << 8) >>> 0;
        code = ((code << 8) | (source[at++] as number)) >>> 0;
      }
      if (isMatch) break;
      const previous = position === 0 ? 0 : (target[end - 1] as number);
      const low = (position & this.#literalPositionMask) << this.#literalContext;
      const start = LITERAL + 0x300 * (low + (previous >> (8 - this.#literalContext)));
      // Behind a match the byte at its distance is a guess, until a bit is another.
      let guess = state >= LITERAL_STATES && this.#rep0 < position ? (target[end - this.#rep0 - 1] as number) : 0;
      let guessing = state >= LITERAL_STATES ? 0x100 : 0;
      let symbol = 1;
      while (symbol < 0x100) {
        guess <<= 1;
        const expected = guess & guessing;
        index = start + guessing + expected + symbol;
        probability = probabilities[index] as number;
        bound = Math.imul(range >>> 11, probability) >>> 0;
        if (code < bound) {
          range = bound;
          probabilities[index] = probability + ((2048 - probability) >> 5);
          symbol <<= 1;
          guessing &= ~expected;
        } else {
          range = (range - bound) >>> 0;
          code = (code - bound) >>> 0;
          probabilities[index] = probability - (probability >> 5);
          symbol = (symbol << 1) | 1;
          guessing &= expected;
        }
        if (range < TOP) {
          range = (range << 8) >>> 0;
          code = ((code << 8) | (source[at++] as number)) >>> 0;
        }
      }
      target[end++] = symbol;
      state = AFTER_LITERAL[state] as number;
    }
    coder[RANGE] = range;
    coder[CODE] = code;
    coder[AT] = at;
    this.#end = end;
    this.#state = state;
  }

  /** Takes a distance, which is `rep0` then, and answers the length. */
  #match(): number {
    const state = this.#state;
    const positionState = (this.#end - this.#dictionary) & this.#positionMask;
    if (this.#bit(IS_REP + state) === 1) return this.#repeatedMatch(state, positionState);
    this.#rep3 = this.#rep2;
    this.#rep2 = this.#rep1;
    this.#rep1 = this.#rep0;
    const length = this.#length(MATCH_LENGTH, positionState);
    this.#state = state < LITERAL_STATES ? 7 : 10;
    const slot = this.#tree(POS_SLOT + Math.min(length, 3) * 64, 6);
    this.#rep0 = slot < 4 ? slot : this.#distance(slot);
    return length + SHORTEST_MATCH;
  }

  #distance(slot: number): number {
    const bits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << bits) >>> 0;
    if (slot < 14) return base + this.#reverseTree(POS_SPECIAL + base - slot, bits);
    return base + this.#direct(bits - 4) * 16 + this.#reverseTree(ALIGN, 4);
  }

  /** A match at one of the last four distances; answers its length. */
  #repeatedMatch(state: number, positionState: number): number {
    if (this.#bit(IS_REP_G0 + state) === 1) {
      this.#takeDistance(state);
    } else if (this.#bit(IS_REP0_LONG + state * 16 + positionState) === 0) {
      this.#state = state < LITERAL_STATES ? 9 : 11;
      return 1;
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

  #repeat(distance: number, count: number): void {
    const target = this.#target;
    let end = this.#end;
    this.#end += count;
    if (count >= LONG_MATCH && count <= distance) {
      target.copyWithin(end, end - distance, end - distance + count);
      return;
    }
    for (let from = end - distance; end < this.#end; ) target[end++] = target[from++] as number;
  }

  #bit(index: number): number {
    const coder = this.#coder;
    const range = coder[RANGE] as number;
    const code = coder[CODE] as number;
    const probability = this.#probabilities[index] as number;
    const bound = Math.imul(range >>> 11, probability) >>> 0;
    const isOne = code >= bound;
    this.#probabilities[index] = isOne ? probability - (probability >> 5) : probability + ((2048 - probability) >> 5);
    const left = isOne ? (range - bound) >>> 0 : bound;
    const rest = isOne ? (code - bound) >>> 0 : code;
    if (left < TOP) {
      const at = coder[AT] as number;
      coder[RANGE] = left << 8;
      coder[CODE] = (rest << 8) | (this.#source[at] as number);
      coder[AT] = at + 1;
    } else {
      coder[RANGE] = left;
      coder[CODE] = rest;
    }
    return isOne ? 1 : 0;
  }

  #tree(start: number, bits: number): number {
    const probabilities = this.#probabilities;
    const source = this.#source;
    const coder = this.#coder;
    let range = coder[RANGE] as number;
    let code = coder[CODE] as number;
    let at = coder[AT] as number;
    let node = 1;
    for (let left = bits; left > 0; left--) {
      const index = start + node;
      const probability = probabilities[index] as number;
      const bound = Math.imul(range >>> 11, probability) >>> 0;
      if (code < bound) {
        range = bound;
        probabilities[index] = probability + ((2048 - probability) >> 5);
        node <<= 1;
      } else {
        range = (range - bound) >>> 0;
        code = (code - bound) >>> 0;
        probabilities[index] = probability - (probability >> 5);
        node = (node << 1) | 1;
      }
      if (range < TOP) {
        range = (range << 8) >>> 0;
        code = ((code << 8) | (source[at++] as number)) >>> 0;
      }
    }
    coder[RANGE] = range;
    coder[CODE] = code;
    coder[AT] = at;
    return node - (1 << bits);
  }

  #reverseTree(start: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let index = 0; index < bits; index++) {
      const bit = this.#bit(start + node);
      node = (node << 1) | bit;
      value |= bit << index;
    }
    return value;
  }

  #direct(count: number): number {
    const source = this.#source;
    const coder = this.#coder;
    let range = coder[RANGE] as number;
    let code = coder[CODE] as number;
    let at = coder[AT] as number;
    let value = 0;
    for (let left = count; left > 0; left--) {
      range >>>= 1;
      const isOne = code >= range;
      code = isOne ? (code - range) >>> 0 : code;
      value = (value << 1) | (isOne ? 1 : 0);
      if (range < TOP) {
        range = (range << 8) >>> 0;
        code = ((code << 8) | (source[at++] as number)) >>> 0;
      }
    }
    coder[RANGE] = range;
    coder[CODE] = code;
    coder[AT] = at;
    return value >>> 0;
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
