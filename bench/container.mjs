// Speed of `convert --as container` against what people do today, in interleaved rounds on this machine.
//   npm run bench -- FILE.ova [--rounds 3] [--level 6] [--libguestfs]
// The peer needs root: the disk is converted to raw once beforehand (not timed), then each round mounts it, and runs
// tar | pigz with a sha256sum before and behind. Everything of the guest is packed on both sides (--profile full).
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { folderBytes, has, measure, median, range } from "./measure.mjs";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "3" },
    level: { type: "string", default: "" },
    keep: { type: "boolean" },
  },
});
const [appliance] = positionals;
if (appliance === undefined) throw new Error("usage: npm run bench -- FILE.ova [--rounds 3] [--level N]");

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const WORK = mkdtempSync(join(tmpdir(), "transload-bench-"));
const COMPRESSION = values.level === "" ? [] : ["--compression", `gzip:${values.level}`];

/** The raw disk and the byte offset of its root partition, made once. */
function prepareRaw() {
  const folder = join(WORK, "raw");
  mkdirSync(folder);
  execFileSync("tar", ["-C", folder, "-xf", resolve(appliance)]);
  const disk = readdirSync(folder).find((name) => name.endsWith(".vmdk"));
  execFileSync("qemu-img", ["convert", "-O", "raw", join(folder, disk), join(folder, "disk.raw")]);
  rmSync(join(folder, disk));
  const table = JSON.parse(
    execFileSync("sfdisk", ["-J", join(folder, "disk.raw")], { encoding: "utf8" }),
  ).partitiontable;
  const largest = table.partitions.reduce((most, each) => (each.size > most.size ? each : most));
  return { raw: join(folder, "disk.raw"), offset: largest.start * 512 };
}

const contenders = [
  {
    name: "transload",
    tmp: join(WORK, "tmp"),
    output: () => join(WORK, "image/blobs/sha256"),
    script: `rm -rf ${WORK}/image; node ${ROOT}/bin/transload.js convert ${resolve(appliance)} oci:${WORK}/image:bench --profile full --keep-secrets --tmpdir ${WORK}/tmp -q ${COMPRESSION.join(" ")}`,
  },
];

if (process.geteuid() === 0 && ["qemu-img", "sfdisk", "tar", "pigz"].every(has)) {
  const { raw, offset } = prepareRaw();
  const mount = join(WORK, "mount");
  mkdirSync(mount);
  contenders.push({
    name: "loop mount + tar + pigz -6",
    output: () => join(WORK, "peer"),
    script: `set -e -o pipefail; mkdir -p ${WORK}/peer; mount -o ro,loop,offset=${offset} ${raw} ${mount}
      tar --numeric-owner --xattrs --xattrs-include='*' --acls -C ${mount} -cf - . | tee >(sha256sum > ${WORK}/plain.sum) | pigz -6 | tee >(sha256sum > ${WORK}/coded.sum) > ${WORK}/peer/layer.tar.gz
      umount ${mount}`,
  });
  if (values.libguestfs && has("guestfish")) {
    contenders.push({
      name: "libguestfs tar-out + pigz -6",
      output: () => join(WORK, "guestfs"),
      script: `set -e -o pipefail; mkdir -p ${WORK}/guestfs; export LIBGUESTFS_BACKEND=direct
        guestfish --ro --format=raw -a ${raw} -i tar-out / - xattrs:true acls:true | tee >(sha256sum > ${WORK}/plain.sum) | pigz -6 | tee >(sha256sum > ${WORK}/coded.sum) > ${WORK}/guestfs/layer.tar.gz`,
    });
  }
} else {
  console.log("peer left out: loop mount needs root, qemu-img, sfdisk, tar and pigz");
}

mkdirSync(join(WORK, "tmp"));
const results = contenders.map(() => []);
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [index, { script, tmp, output, name }] of contenders.entries()) {
      const result = await measure(script, tmp);
      results[index].push({ ...result, size: folderBytes(output()) });
      console.log(`round ${round + 1}  ${name}: ${JSON.stringify(results[index].at(-1))}`);
    }
  }
  report();
} finally {
  if (!values.keep) rmSync(WORK, { recursive: true, force: true });
}

function report() {
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(0);
  console.log(
    "\n| job | wall s, median (min-max) | CPU s | output MiB | peak MiB | temporary MiB |\n|---|---|---|---|---|---|",
  );
  for (const [index, { name }] of contenders.entries()) {
    const runs = results[index];
    const wall = range(runs.map((run) => run.wall));
    const [cpu, size, peak, spooled] = ["cpu", "size", "peak", "spooled"].map((key) =>
      median(runs.map((run) => run[key])),
    );
    console.log(`| ${name} | ${wall} | ${cpu.toFixed(1)} | ${mib(size)} | ${mib(peak)} | ${mib(spooled)} |`);
  }
  for (let other = 1; other < contenders.length; other++) {
    const ratios = results[0].map((run, round) => results[other][round].wall / run.wall);
    const sizes = results[0].map((run, round) => run.size / results[other][round].size);
    console.log(
      `\n${contenders[other].name} takes ${median(ratios).toFixed(2)} times as long (pair by pair ${ratios.map((r) => r.toFixed(2)).join(", ")}); our output is ${median(sizes).toFixed(3)} of its size`,
    );
  }
}
