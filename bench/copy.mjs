// Speed of `copy` against skopeo's, into a layout and into an archive, in interleaved rounds on this machine.
//   npm run bench:copy -- oci:DIR:TAG [--rounds 5]
// The image is read once beforehand, so that both find it in memory; outputs are removed between the rounds, not timed.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { measure, median, range } from "./measure.mjs";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "5" } },
});
const [image] = positionals;
if (image === undefined) throw new Error("usage: npm run bench:copy -- oci:DIR:TAG [--rounds N]");

const PROGRAM = join(dirname(dirname(fileURLToPath(import.meta.url))), "bin/transload.js");
const WORK = mkdtempSync(join(tmpdir(), "transload-bench-"));

/** Each peer in front of ours. */
const contenders = ["oci", "oci-archive"].flatMap((transport) => {
  const destination = `${transport}:${WORK}/output:x`;
  return [
    { name: `skopeo, ${transport}`, script: `skopeo copy -q --preserve-digests ${image} ${destination}` },
    { name: `transload, ${transport}`, script: `node ${PROGRAM} copy -q ${image} ${destination}` },
  ];
});

const results = contenders.map(() => []);
try {
  execFileSync("node", [PROGRAM, "verify", image], { stdio: "ignore" });
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [index, { name, script }] of contenders.entries()) {
      const result = await measure(script);
      rmSync(join(WORK, "output"), { recursive: true });
      results[index].push(result);
      console.log(`round ${round + 1}  ${name}: ${JSON.stringify(result)}`);
    }
  }
  report();
} finally {
  rmSync(WORK, { recursive: true, force: true });
}

function report() {
  console.log("\n| job | wall s, median (min-max) | CPU s | peak MiB | of skopeo |\n|---|---|---|---|---|");
  for (const [index, { name }] of contenders.entries()) {
    const runs = results[index];
    const peers = results[index - (index % 2)];
    const ratio = median(runs.map(({ wall }, round) => wall / peers[round].wall));
    const peak = median(runs.map((run) => run.peak)) / 2 ** 20;
    const cpu = median(runs.map((run) => run.cpu)).toFixed(1);
    console.log(
      `| ${name} | ${range(runs.map((run) => run.wall))} | ${cpu} | ${peak.toFixed(0)} | ${ratio.toFixed(2)} |`,
    );
  }
}
