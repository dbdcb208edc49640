// Walking and hashing every file of a 1 GiB disk in VMDK, against qemu-img convert to raw + mount + sha256sum of the same
// files, for each file system that this kernel mounts; and the time of opening by the disk's size. Needs root.
//   npm run bench:file-systems -- [--rounds 3] [--only REGULAR_EXPRESSION]     a part of the file systems, without the sizes
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { has, measure, median, range } from "./measure.mjs";

const { values } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, only: { type: "string", default: "" } },
});
const HASH = join(dirname(fileURLToPath(import.meta.url)), "hash-tree.mjs");
const WORK = mkdtempSync(join(tmpdir(), "transload-bench-"));
const MOUNT = join(WORK, "mount");
mkdirSync(MOUNT);

const sh = (script) =>
  execFileSync("bash", ["-c", `set -e; ${script}`], { stdio: ["ignore", "ignore", "inherit"], cwd: WORK });

/** Real files of this machine, about 600 MB of them, so that all file systems hold the same. */
const FILL = `find /usr/share /usr/lib -xdev -type f -size -4M -printf '%s %p\\n' | LC_ALL=C sort -k2 | awk '{ sum += $1; if (sum > 600000000) exit; sub(/^[0-9]+ /, ""); print }' > list`;
const COPY = "tar -cf - -T list 2>/dev/null | tar -C mount -xf -";

const filled = (make) => `${make} disk.raw; mount -o loop disk.raw mount; ${COPY}; umount mount`;
/** Packed from a folder, then as long as the others. */
const packed = (make) =>
  `mkdir -p tree; tar -cf - -T list 2>/dev/null | tar -C tree -xf -; rm disk.raw; ${make}; rm -r tree; truncate -s 1G disk.raw`;

const KINDS = [
  { name: "ext4", tool: "mke2fs", make: filled("mke2fs -q -t ext4") },
  { name: "xfs", tool: "mkfs.xfs", make: filled("mkfs.xfs -q") },
  { name: "btrfs", tool: "mkfs.btrfs", make: filled("mkfs.btrfs -q") },
  ...["gzip", "zstd", "xz", "lzo", "lz4"].map((compressor) => ({
    name: `squashfs ${compressor}`,
    tool: "mksquashfs",
    make: packed(`mksquashfs tree disk.raw -quiet -no-progress -comp ${compressor}`),
  })),
  { name: "iso9660", tool: "xorriso", make: packed("xorriso -as mkisofs -quiet -R -o disk.raw tree 2>/dev/null") },
].filter(({ name }) => new RegExp(values.only).test(name));

/** Whether this kernel mounts what stands in disk.raw. */
function mounts() {
  try {
    sh("mount -o ro,loop disk.raw mount 2>/dev/null; umount mount");
    return true;
  } catch {
    return false;
  }
}

sh(FILL);
console.log(
  "| file system | walk and hash the VMDK, s | CPU s | qemu-img + mount + sha256sum, s | CPU s | ratio, pair by pair |\n|---|---|---|---|---|---|",
);
const PEER = `set -e; cd ${WORK}; qemu-img convert -O raw disk.vmdk peer.raw; mount -o ro,loop peer.raw mount
  find mount -type f -print0 | xargs -0 sha256sum > sums; umount mount; rm peer.raw`;
for (const { name, tool, make } of KINDS) {
  if (!has(tool) || !has("qemu-img")) continue;
  sh(`rm -f disk.raw; truncate -s 1G disk.raw; ${make}`);
  if (!mounts()) {
    console.log(`| ${name} | this kernel does not mount it |`);
    continue;
  }
  sh("qemu-img convert -O vmdk -o subformat=streamOptimized disk.raw disk.vmdk; rm disk.raw");
  const ours = [];
  const theirs = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    ours.push(await measure(`node ${HASH} ${WORK}/disk.vmdk > ${WORK}/ours`));
    theirs.push(await measure(PEER));
    sh("cut -c1-64 sums | LC_ALL=C sort | sha256sum | cut -c1-64 | diff - <(cut -d' ' -f3 ours)");
  }
  const [our, their] = [ours, theirs].map((runs) => [
    range(runs.map(({ wall }) => wall)),
    median(runs.map(({ cpu }) => cpu)),
  ]);
  const ratios = ours.map(({ wall }, round) => (theirs[round].wall / wall).toFixed(2));
  console.log(
    `| ${name} | ${our[0]} | ${our[1].toFixed(1)} | ${their[0]} | ${their[1].toFixed(1)} | ${ratios.join(", ")} |`,
  );
}

if (values.only !== "") process.exit(rmSync(WORK, { recursive: true, force: true }));
const sizes = [8, 64].map((gigabytes) => {
  sh(
    `rm -f big.raw; truncate -s ${gigabytes}G big.raw; mke2fs -q -t ext4 -E lazy_itable_init=1,nodiscard big.raw; mount -o loop big.raw mount; ${COPY}; umount mount; rm -f big.vmdk; qemu-img convert -O vmdk -o subformat=streamOptimized big.raw big.vmdk; rm big.raw; mv big.vmdk big${gigabytes}.vmdk`,
  );
  return gigabytes;
});
const walls = new Map(sizes.map((gigabytes) => [gigabytes, []]));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const gigabytes of sizes)
    walls.get(gigabytes).push((await measure(`node ${HASH} ${WORK}/big${gigabytes}.vmdk`)).wall);
}
console.log(
  `\nthe same files on 8 GiB: ${range(walls.get(8))} s, on 64 GiB: ${range(walls.get(64))} s (${(median(walls.get(64)) / median(walls.get(8))).toFixed(2)} times)`,
);
rmSync(WORK, { recursive: true, force: true });
