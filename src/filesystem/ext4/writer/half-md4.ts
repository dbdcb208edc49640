import type { BytePath } from "../../../bytes/byte-path.ts";

/** A name's place in a directory with a hash tree. */
export interface NameHash {
  readonly hash: number;
  readonly minor: number;
}

/** Bytes of a name that go into one round. */
const ROUND = 32;
const WORDS: number = ROUND / 4;
const K2 = 0x5a827999;
const K3 = 0x6ed9eba1;
/** The largest hash marks the end of a directory. */
const END = 0xffff_fffe;

const words = new Int32Array(WORDS);

/** EXT4_HASH_HALF_MD4_UNSIGNED of the kernel's fs/ext4/hash.c: a part of MD4, seeded, whose lowest bit is always 0. */
export function halfMd4(name: BytePath, seed: Int32Array): NameHash {
  const state = Int32Array.from(seed);
  for (let at = 0; at < name.length; at += ROUND) {
    fillWords(name, at);
    transform(state);
  }
  const hash = ((state[1] as number) & ~1) >>> 0;
  return { hash: hash === END ? END - 2 : hash, minor: (state[2] as number) >>> 0 };
}

/** Big-endian words of what is left of a name, filled up with its length. */
function fillWords(name: BytePath, from: number): void {
  const length = name.length - from;
  const low = (length & 0xff) | ((length & 0xff) << 8);
  const filler = low | (low << 16);
  const end = Math.min(ROUND, length);
  for (let word = 0; word < WORDS; word++) {
    let value = filler;
    for (let at = word * 4; at < Math.min(word * 4 + 4, end); at++) value = (value << 8) + name.charCodeAt(from + at);
    words[word] = value;
  }
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

const choose = (x: number, y: number, z: number): number => z ^ (x & (y ^ z));
const majority = (x: number, y: number, z: number): number => (x & y) + ((x ^ y) & z);
const parity = (x: number, y: number, z: number): number => x ^ y ^ z;

/** The three rounds: a mixing function, a constant, the order of the words and the rotations. */
const ROUNDS = [
  { mix: choose, constant: 0, order: [0, 1, 2, 3, 4, 5, 6, 7], by: [3, 7, 11, 19] },
  { mix: majority, constant: K2, order: [1, 3, 5, 7, 0, 2, 4, 6], by: [3, 5, 9, 13] },
  { mix: parity, constant: K3, order: [3, 7, 2, 6, 1, 5, 0, 4], by: [3, 9, 11, 15] },
] as const;

function transform(state: Int32Array): void {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  for (const { mix, constant, order, by } of ROUNDS) {
    for (let step = 0; step < WORDS; step++) {
      const word = words[order[step] as number] as number;
      const next = rotate((a + mix(b, c, d) + word + constant) | 0, by[step % 4] as number);
      [a, d, c, b] = [d, c, b, next];
    }
  }
  state[0] = (state[0] as number) + a;
  state[1] = (state[1] as number) + b;
  state[2] = (state[2] as number) + c;
  state[3] = (state[3] as number) + d;
}
