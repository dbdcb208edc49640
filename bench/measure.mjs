// What the benchmarks share: running a script with its time and memory, medians, tools.
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

export function has(tool) {
  try {
    execFileSync("sh", ["-c", `command -v ${tool}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export function folderBytes(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** Runs a bash script; answers wall and CPU seconds (children included), peak memory of the largest process, peak size of `tmp`. */
export async function measure(script, tmp) {
  const child = spawn("bash", ["-c", `TIMEFORMAT='%R %U %S'; time { ${script}\n}`], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  let peak = 0;
  let spooled = 0;
  const poll = setInterval(() => {
    for (const pid of descendants(child.pid)) peak = Math.max(peak, highWater(pid));
    if (tmp !== undefined) spooled = Math.max(spooled, folderBytes(tmp));
  }, 25);
  const status = await new Promise((done) => child.once("close", done));
  clearInterval(poll);
  if (status !== 0) throw new Error(`${script}\nended with ${status}:\n${stderr}`);
  const [wall, user, system] = stderr.trim().split("\n").at(-1).split(" ").map(Number);
  return { wall, cpu: user + system, peak, spooled };
}

function descendants(pid) {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean);
    return [pid, ...children.flatMap((child) => descendants(Number(child)))];
  } catch {
    return [];
  }
}

function highWater(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** "median (least-most)" */
export function range(numbers) {
  return `${median(numbers).toFixed(2)} (${Math.min(...numbers).toFixed(2)}-${Math.max(...numbers).toFixed(2)})`;
}
