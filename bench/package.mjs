// Speed of `convert --as package` and of the way back against `cp` plus `sha256sum`, in interleaved rounds on this machine.
//   npm run bench:package -- FILE.ova [--rounds 5]
// The file is read once beforehand, so that both find it in memory; outputs are removed between the rounds, not timed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measure, median, range } from "./measure.mjs";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" } },
});
const [appliance] = positionals;
if (appliance === undefined) throw new Error("usage: npm run bench:package -- FILE.ova [--rounds N]");

const PROGRAM = join(dirname(dirname(fileURLToPath(import.meta.url))), "bin/transload.js");
const WORK = mkdtempSync(join(tmpdir(), "transload-bench-"));
const FILE = resolve(appliance);

const contenders = [
  { name: "cp + sha256sum", script: `cp ${FILE} ${WORK}/copy.ova && sha256sum ${FILE}`, output: "copy.ova" },
  {
    name: "transload, there",
    script: `node ${PROGRAM} convert ${FILE} oci:${WORK}/image:x --as package -q --tmpdir ${WORK}`,
    output: "image",
  },
  {
    name: "transload, back",
    script: `node ${PROGRAM} convert oci:${WORK}/kept:x ${WORK}/back.ova -q --tmpdir ${WORK}`,
    output: "back.ova",
  },
];

const results = contenders.map(() => []);
try {
  execFileSync("sha256sum", [FILE]);
  execFileSync("node", [PROGRAM, "convert", FILE, `oci:${WORK}/kept:x`, "--as", "package", "-q"]);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [index, { name, script, output }] of contenders.entries()) {
      const result = await measure(script);
      if (output === "back.ova") execFileSync("cmp", [FILE, join(WORK, output)]);
      rmSync(join(WORK, output), { recursive: true });
      results[index].push(result);
      console.log(`round ${round + 1}  ${name}: ${JSON.stringify(result)}`);
    }
  }
  report();
} finally {
  rmSync(WORK, { recursive: true, force: true });
}

function report() {
  console.log("\n| job | wall s, median (min-max) | CPU s | peak MiB | of cp + sha256sum |\n|---|---|---|---|---|");
  for (const [index, { name }] of contenders.entries()) {
    const runs = results[index];
    const ratio = median(runs.map(({ wall }, round) => wall / results[0][round].wall));
    const peak = median(runs.map((run) => run.peak)) / 2 ** 20;
    const cpu = median(runs.map((run) => run.cpu)).toFixed(1);
    console.log(
      `| ${name} | ${range(runs.map((run) => run.wall))} | ${cpu} | ${peak.toFixed(0)} | ${ratio.toFixed(2)} |`,
    );
  }
}
