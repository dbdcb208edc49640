import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CACHE = join(tmpdir(), `transload-test-cache-${process.getuid?.() ?? 0}`, "kernel");

/** Debian's kernel as a .deb, which apt-get fetches once; TEST_KERNEL names another one, or a vmlinuz or a folder. */
export function kernelPackage(): string {
  const given = process.env["TEST_KERNEL"];
  if (given !== undefined) return given;
  mkdirSync(CACHE, { recursive: true });
  const found = () => readdirSync(CACHE).find((name) => /^linux-image-.*_amd64\.deb$/.test(name));
  if (found() === undefined) {
    const depends = execFileSync("apt-cache", ["depends", "linux-image-amd64"], { encoding: "utf8" });
    const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1] ?? "";
    execFileSync("apt-get", ["download", name], { cwd: CACHE, stdio: "ignore" });
  }
  return join(CACHE, found() ?? "");
}
