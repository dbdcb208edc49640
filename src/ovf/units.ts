/** The largest value of OVF's integers, which are signed and 64 bits wide. */
const MAXIMUM = 2n ** 63n - 1n;

const PREFIXED: ReadonlyMap<string, bigint> = new Map([
  ["", 1n],
  ["k", 1n << 10n],
  ["kilo", 1n << 10n],
  ["m", 1n << 20n],
  ["mega", 1n << 20n],
  ["g", 1n << 30n],
  ["giga", 1n << 30n],
  ["t", 1n << 40n],
  ["tera", 1n << 40n],
]);

/**
 * How many bytes one unit is: DSP0004 programmatic units ("byte * 2^20", "byte*1024*1024", "kilobyte") and the words of
 * OVF 0.9 and VirtualBox ("MegaBytes", "GB"), all of which mean powers of 1024. Undefined for what is no amount of bytes.
 */
export function bytesPerUnit(units: string): bigint | undefined {
  const [base = "", ...factors] = units.split("*").map((part) => part.replace(/\s+/g, "").toLowerCase());
  const prefix = /^(|k|m|g|t|kilo|mega|giga|tera)i?b(?:ytes?)?$/.exec(base)?.[1];
  const unit = prefix === undefined ? undefined : PREFIXED.get(prefix);
  if (unit === undefined || factors.length > 8) return undefined;
  let product = unit;
  for (const factor of factors) {
    const [, number, exponent = "1"] = /^(\d{1,8})(?:\^(\d{1,2}))?$/.exec(factor) ?? [];
    if (number === undefined) return undefined;
    product *= BigInt(number) ** BigInt(exponent);
    if (product > MAXIMUM) return undefined;
  }
  return product;
}

/** An integer of the descriptor, 0 to 2^63-1; undefined for everything else, signs and fractions included. */
export function parseInteger(text: string): bigint | undefined {
  const digits = text.trim();
  if (!/^\d{1,19}$/.test(digits)) return undefined;
  const value = BigInt(digits);
  return value <= MAXIMUM ? value : undefined;
}

/** The same as a number, undefined where a number would not be exact. */
export function parseCount(text: string): number | undefined {
  return exact(parseInteger(text));
}

/** `amount` units in bytes, undefined where a number would not be exact. */
export function inBytes(amount: bigint, unit: bigint): number | undefined {
  return exact(amount * unit);
}

function exact(value: bigint | undefined): number | undefined {
  return value === undefined || value > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(value);
}
