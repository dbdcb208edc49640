// Walking and hashing every file of a 1 GiB disk in VMDK, against qemu-img convert to raw + mount + sha256sum of the same
// files, for each file system that this kernel mounts; and the time of opening by the disk's size. Needs root.
//   npm run bench:file-systems -- [--rounds 3]
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { has, measure, median, range } from "./measure.mjs";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "3" } } });
const HASH = join(dirname(fileURLToPath(import.meta.url)), "hash-tree.mjs");
const WORK = mkdtempSync(join(tmpdir(), "transload-bench-"));
const MOUNT = join(WORK, "mount");
mkdirSync(MOUNT);

const sh = (script) =>
  execFileSync("bash", ["-c", `set -e; ${script}`], { stdio: ["ignore", "ignore", "inherit"], cwd: WORK });

/** Real files of this machine, about 600 MB of them, so that all file systems hold the same. */
const FILL = `find /usr/share /usr/lib -xdev -type f -size -4M -printf '%s %p\\n' | LC_ALL=C sort -k2 | awk '{ sum += $1; if (sum > 600000000) exit; sub(/^[0-9]+ /, ""); print }' > list`;
const COPY = "tar -cf - -T list 2>/dev/null | tar -C mount -xf -";

const KINDS = [
  { name: "ext4", tool: "mke2fs", make: `mke2fs -q -t ext4 disk.raw` },
  { name: "xfs", tool: "mkfs.xfs", make: `mkfs.xfs -q disk.raw` },
  { name: "btrfs", tool: "mkfs.btrfs", make: `mkfs.btrfs -q disk.raw` },
];

sh(FILL);
console.log(
  "| file system | walk and hash the VMDK, s | qemu-img + mount + sha256sum, s | ratio, pair by pair |\n|---|---|---|---|",
);
for (const { name, tool, make } of KINDS) {
  if (!has(tool) || !has("qemu-img")) continue;
  sh(
    `rm -f disk.raw; truncate -s 1G disk.raw; ${make}; mount -o loop disk.raw mount; ${COPY}; umount mount; qemu-img convert -O vmdk -o subformat=streamOptimized disk.raw disk.vmdk`,
  );
  const ours = [];
  const theirs = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    ours.push((await measure(`node ${HASH} ${WORK}/disk.vmdk`)).wall);
    theirs.push(
      (
        await measure(`set -e; cd ${WORK}; qemu-img convert -O raw disk.vmdk peer.raw; mount -o ro,loop peer.raw mount
          find mount -type f -print0 | xargs -0 sha256sum > sums; umount mount; rm peer.raw`)
      ).wall,
    );
  }
  const ratios = ours.map((seconds, round) => (theirs[round] / seconds).toFixed(2));
  console.log(`| ${name} | ${range(ours)} | ${range(theirs)} | ${ratios.join(", ")} |`);
}

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
