// Writing a streamOptimized VMDK from a raw disk, against qemu-img at the same level, in interleaved rounds.
//   npm run bench:vmdk -- [DISK.raw] [--rounds 3]     without a disk, 512 MiB of this machine's files in 2 GiB
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { has, measure, median, range } from "./measure.mjs";

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: "3" } },
  allowPositionals: true,
});
const DIST = join(dirname(fileURLToPath(import.meta.url)), "..", "dist", "src");
const WORK = mkdtempSync(join(tmpdir(), "transload-bench-"));
const FILL = `find /usr/lib /usr/share -xdev -type f -size -4M -print0 | LC_ALL=C sort -z | xargs -0 cat 2>/dev/null | head -c 512M`;
const [given] = positionals;
const disk = given ?? join(WORK, "disk.raw");
const WRITE = `
  import { contentOf } from "${DIST}/bytes/content.js";
  import { FileSource } from "${DIST}/bytes/file-source.js";
  import { writeOutput } from "${DIST}/bytes/output-file.js";
  import { createContext } from "${DIST}/context.js";
  import { writeStreamOptimized } from "${DIST}/disk/vmdk/writer.js";
  const ctx = createContext();
  const source = FileSource.open(process.argv[2]);
  await writeOutput(writeStreamOptimized(contentOf(source), {}, ctx), process.argv[3], { force: true }, ctx);
`;

try {
  if (!has("qemu-img")) throw new Error("qemu-img is not there");
  if (given === undefined) execFileSync("bash", ["-c", `${FILL} > ${disk}; truncate -s 2G ${disk}`]);
  writeFileSync(`${WORK}/write.mjs`, WRITE);
  const [ours, theirs] = [[], []];
  for (let round = 0; round < Number(values.rounds); round++) {
    ours.push(await measure(`node ${WORK}/write.mjs ${disk} ${WORK}/ours.vmdk`));
    theirs.push(await measure(`qemu-img convert -O vmdk -o subformat=streamOptimized ${disk} ${WORK}/theirs.vmdk`));
  }
  execFileSync("qemu-img", ["compare", "-q", `${WORK}/ours.vmdk`, `${WORK}/theirs.vmdk`]);
  console.log("| writer | wall, s | CPU s | peak, MiB | MB |\n|---|---|---|---|---|");
  for (const [name, runs] of Object.entries({ ours, theirs })) {
    const peak = Math.max(...runs.map(({ peak }) => peak)) / 2 ** 20;
    const size = statSync(join(WORK, `${name}.vmdk`)).size / 1e6;
    const [wall, cpu] = [range(runs.map(({ wall }) => wall)), range(runs.map(({ cpu }) => cpu))];
    console.log(`| ${name} | ${wall} | ${cpu} | ${peak.toFixed(0)} | ${size.toFixed(1)} |`);
  }
  console.log(`\nratio, pair by pair: ${median(ours.map(({ wall }, n) => theirs[n].wall / wall)).toFixed(2)}`);
} finally {
  rmSync(WORK, { recursive: true });
}
