// Speed of `convert --as disk` to QCOW2 against `qemu-img convert -c` plus `umoci insert`, in interleaved rounds on this machine.
//   npm run bench:disk -- FILE.ova [--rounds 3]
// The peer starts from the VMDK: taking that out of the OVA is not timed. Results are held against the VMDK with qemu-img.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { folderBytes, measure, median, range } from "./measure.mjs";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "3" } },
});
const [appliance] = positionals;
if (appliance === undefined) throw new Error("usage: npm run bench:disk -- FILE.ova [--rounds N]");

const PROGRAM = join(dirname(dirname(fileURLToPath(import.meta.url))), "bin/transload.js");
const WORK = mkdtempSync(join(tmpdir(), "transload-bench-"));
const FILE = resolve(appliance);
const VMDK = `${WORK}/disk.vmdk`;

const contenders = [
  {
    name: "transload",
    script: `node ${PROGRAM} convert ${FILE} oci:${WORK}/ours:x --as disk -q --tmpdir ${WORK}`,
  },
  {
    name: "qemu-img convert -c",
    script: `qemu-img convert -c -f vmdk -O qcow2 -W -m 8 ${VMDK} ${WORK}/disk.qcow2`,
  },
  {
    name: "umoci insert",
    script: `umoci init --layout ${WORK}/theirs && umoci new --image ${WORK}/theirs:x &&
      umoci insert --rootless --image ${WORK}/theirs:x ${WORK}/disk.qcow2 /disk/disk.qcow2`,
  },
];

const results = contenders.map(() => []);
let sizes = "";
try {
  const member = execFileSync("tar", ["-tf", FILE], { encoding: "utf8" })
    .split("\n")
    .find((name) => name.endsWith(".vmdk"));
  execFileSync("sh", ["-c", `tar -xOf ${FILE} ${member} > ${VMDK} && cat ${FILE} > /dev/null`]);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [index, { name, script }] of contenders.entries()) {
      const result = await measure(script);
      results[index].push(result);
      console.log(`round ${round + 1}  ${name}: ${JSON.stringify(result)}`);
    }
    if (round === 0) check();
    for (const name of readdirSync(WORK)) {
      if (name !== "disk.vmdk") rmSync(join(WORK, name), { recursive: true });
    }
  }
  report();
} finally {
  rmSync(WORK, { recursive: true, force: true });
}

/** Ours is sound, and the same disk. */
function check() {
  const mebibytes = (folder) => (folderBytes(join(WORK, folder)) / 2 ** 20).toFixed(0);
  sizes = `layouts: ${mebibytes("ours")} MiB, theirs ${mebibytes("theirs")} MiB`;
  const back = `${WORK}/back.qcow2`;
  execFileSync("node", [PROGRAM, "convert", `oci:${WORK}/ours:x`, back, "-q", "--tmpdir", WORK]);
  execFileSync("qemu-img", ["check", "-q", back]);
  execFileSync("qemu-img", ["compare", "-q", "-f", "qcow2", "-F", "vmdk", back, VMDK]);
}

function report() {
  console.log(`\n${sizes}\n\n| job | wall s, median (min-max) | CPU s | peak MiB |\n|---|---|---|---|`);
  for (const [index, { name }] of contenders.entries()) {
    const runs = results[index];
    const peak = median(runs.map((run) => run.peak)) / 2 ** 20;
    const cpu = median(runs.map((run) => run.cpu)).toFixed(1);
    console.log(`| ${name} | ${range(runs.map((run) => run.wall))} | ${cpu} | ${peak.toFixed(0)} |`);
  }
  const ratios = results[0].map(({ wall }, round) => (results[1][round].wall + results[2][round].wall) / wall);
  console.log(`\nthe peers take ${range(ratios)} times as long`);
}
