/** The 16 bytes of a GUID as Windows keeps them, the first three groups little-endian, in the usual form and in lower case. */
export function guidText(bytes: Uint8Array): string {
  const hex = (...order: readonly number[]): string =>
    order.map((at) => (bytes[at] ?? 0).toString(16).padStart(2, "0")).join("");
  return [hex(3, 2, 1, 0), hex(5, 4), hex(7, 6), hex(8, 9), hex(10, 11, 12, 13, 14, 15)].join("-");
}

export const NO_GUID = "00000000-0000-0000-0000-000000000000";
