/** What all disk fixtures hold: 4 KiB block n is filled with byte n, the first MiB is a hole. */
export function pattern(sectors: number): Buffer {
  const disk = Buffer.alloc(sectors * 512);
  for (let at = 1 << 20; at < disk.length; at += 4096)
    disk.fill((at / 4096) % 256, at, Math.min(at + 4096, disk.length));
  return disk;
}
