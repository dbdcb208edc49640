/** Two halves of a 64-bit number, as unsigned or signed 32-bit numbers: BigInt is some twenty times slower here. */
type Halves = readonly [high: number, low: number];

const PRIME_1: Halves = [0x9e3779b1, 0x85ebca87];
const PRIME_2: Halves = [0xc2b2ae3d, 0x27d4eb4f];
const PRIME_3: Halves = [0x165667b1, 0x9e3779f9];
const PRIME_4: Halves = [0x85ebca77, 0xc2b2ae63];
const PRIME_5: Halves = [0x27d4eb2f, 0x165667c5];

/** A 64-bit register. */
class Word {
  high = 0;
  low = 0;

  set(high: number, low: number): this {
    this.high = high;
    this.low = low;
    return this;
  }

  add(high: number, low: number): this {
    const sum = (this.low >>> 0) + (low >>> 0);
    this.high = (this.high + high + (sum > 0xffffffff ? 1 : 0)) | 0;
    this.low = sum | 0;
    return this;
  }

  xor(high: number, low: number): this {
    this.high ^= high;
    this.low ^= low;
    return this;
  }

  /** `bits` is 1 to 31. */
  rotate(bits: number): this {
    const { high, low } = this;
    this.high = (high << bits) | (low >>> (32 - bits));
    this.low = (low << bits) | (high >>> (32 - bits));
    return this;
  }

  multiply([high, low]: Halves): this {
    const a = this.low & 0xffff;
    const b = this.low >>> 16;
    const c = low & 0xffff;
    const d = low >>> 16;
    const ac = Math.imul(a, c) >>> 0;
    const middle = (ac >>> 16) + (Math.imul(b, c) >>> 0);
    const rest = (middle & 0xffff) + (Math.imul(a, d) >>> 0);
    const carried = Math.imul(b, d) + Math.floor(middle / 0x10000) + Math.floor(rest / 0x10000);
    this.high = (carried + Math.imul(this.high, low) + Math.imul(this.low, high)) | 0;
    this.low = (rest << 16) | (ac & 0xffff);
    return this;
  }

  /** XORs itself shifted right; `bits` is 29 to 33. */
  xorShifted(bits: number): this {
    const { high, low } = this;
    if (bits >= 32) this.low = low ^ (high >>> (bits - 32));
    else this.xor(high >>> bits, (low >>> bits) | (high << (32 - bits)));
    return this;
  }
}

function round(lane: Word, high: number, low: number): Word {
  const input = INPUT.set(high, low).multiply(PRIME_2);
  return lane.add(input.high, input.low).rotate(31).multiply(PRIME_1);
}

const INPUT = new Word();
const LANE = new Word();

/** XXH64 with seed 0 as eight bytes, the least significant first. */
export function xxhash64(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const hash = new Word();
  let at = 0;
  if (bytes.length >= 32) at = stripes(view, hash);
  else hash.set(...PRIME_5);
  hash.add(0, bytes.length);
  for (; at + 8 <= bytes.length; at += 8) {
    const lane = round(LANE.set(0, 0), view.getUint32(at + 4, true), view.getUint32(at, true));
    hash
      .xor(lane.high, lane.low)
      .rotate(27)
      .multiply(PRIME_1)
      .add(...PRIME_4);
  }
  if (at + 4 <= bytes.length) {
    const word = LANE.set(0, view.getUint32(at, true)).multiply(PRIME_1);
    hash
      .xor(word.high, word.low)
      .rotate(23)
      .multiply(PRIME_2)
      .add(...PRIME_3);
    at += 4;
  }
  for (; at < bytes.length; at++) {
    const byte = LANE.set(0, view.getUint8(at)).multiply(PRIME_5);
    hash.xor(byte.high, byte.low).rotate(11).multiply(PRIME_1);
  }
  hash.xorShifted(33).multiply(PRIME_2).xorShifted(29).multiply(PRIME_3).xorShifted(32);
  const sum = Buffer.alloc(8);
  sum.writeInt32LE(hash.low | 0, 0);
  sum.writeInt32LE(hash.high | 0, 4);
  return sum;
}

/** Takes all whole stripes of 32 bytes and answers where they end. */
function stripes(view: DataView, hash: Word): number {
  const lanes = [
    new Word().set(...PRIME_1).add(...PRIME_2),
    new Word().set(...PRIME_2),
    new Word(),
    new Word().add(~PRIME_1[0], ~PRIME_1[1]).add(0, 1),
  ];
  let at = 0;
  for (; at + 32 <= view.byteLength; at += 32) {
    for (let lane = 0; lane < 4; lane++) {
      const offset = at + lane * 8;
      round(lanes[lane] as Word, view.getUint32(offset + 4, true), view.getUint32(offset, true));
    }
  }
  for (const [index, bits] of [1, 7, 12, 18].entries()) {
    const { high, low } = lanes[index] as Word;
    const rotated = LANE.set(high, low).rotate(bits);
    hash.add(rotated.high, rotated.low);
  }
  for (const { high, low } of lanes) {
    const lane = round(LANE.set(0, 0), high, low);
    hash
      .xor(lane.high, lane.low)
      .multiply(PRIME_1)
      .add(...PRIME_4);
  }
  return at;
}
