import { crc32c } from "../../src/bytes/crc32c.ts";

/** Makes the checksums of an image right again, in place, so that a test gets behind them. */
export function seal(bytes: Buffer): Buffer {
  if (bytes.subarray(0, 8).equals(Buffer.from("vhdxfile"))) sealVhdx(bytes);
  else sealVhd(bytes);
  return bytes;
}

function sealVhd(bytes: Buffer): void {
  const last = Math.max(0, bytes.length - 512);
  for (const at of [0, last]) {
    if (bytes.length >= at + 512 && bytes.toString("latin1", at, at + 8) === "conectix")
      sum(bytes.subarray(at, at + 512), 0x40);
  }
  const header = bytes.length < 1024 ? 0 : Number(bytes.readBigUInt64BE(last + 0x10));
  if (header > 0 && header + 1024 <= bytes.length) sum(bytes.subarray(header, header + 1024), 0x24);
}

function sum(record: Buffer, at: number): void {
  record.writeUInt32BE(0, at);
  record.writeUInt32BE(~record.reduce((total, byte) => total + byte, 0) >>> 0, at);
}

function sealVhdx(bytes: Buffer): void {
  const parts = [
    [0x10000, 0x1000],
    [0x20000, 0x1000],
    [0x30000, 0x10000],
    [0x40000, 0x10000],
  ] as const;
  for (const [at, length] of parts) if (at + length <= bytes.length) sealCrc(bytes.subarray(at, at + length));
}

/** A VHDX structure with its checksum at offset 4. */
export function sealCrc(record: Buffer): void {
  record.writeUInt32LE(0, 4);
  record.writeUInt32LE(~crc32c(0xffffffff, record) >>> 0, 4);
}
