import { execFileSync, spawn } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { BLOCK, encodeTarHeader, paddingOf } from "../../src/archive/tar-encode.ts";
import { descriptor } from "../ovf/appliance.ts";
import { describeWith } from "../support/needs.ts";
import { startRegistry } from "../transport/docker/real-registry.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/transload.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "transload-package-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);

/** Runs the program; answers its peak memory in bytes. */
async function run(...args: string[]): Promise<number> {
  const child = spawn(process.execPath, [PROGRAM, ...args, "-q", "--tmpdir", folder], { stdio: "inherit" });
  let peak = 0;
  const poll = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024);
    } catch {
      // It has ended.
    }
  }, 50);
  const status = await new Promise((resolve) => child.once("close", resolve));
  clearInterval(poll);
  expect(status).toBe(0);
  return peak;
}

/** A member above the 8 GiB that an octal size field can tell, with data at its ends and between, and holes elsewhere. */
function makeSparse(path: string): void {
  const size = 9 * 2 ** 30 + 1000;
  const text = descriptor({ href: "big.vmdk" });
  const member = { type: "0", mode: 0o644, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 } } as const;
  const head = Buffer.concat([
    encodeTarHeader({ ...member, name: "big.ovf", size: text.length }),
    Buffer.from(text),
    Buffer.alloc(paddingOf(text.length)),
    encodeTarHeader({ ...member, name: "big.vmdk", size }),
  ]);
  const fd = openSync(path, "w");
  writeSync(fd, head, 0, head.length, 0);
  for (const offset of [0, 700 * 2 ** 20 + 11, size - 5]) writeSync(fd, "data!", head.length + offset);
  ftruncateSync(fd, head.length + size + paddingOf(size) + 20 * BLOCK);
  closeSync(fd);
}

describeWith({ tools: ["cmp", "docker-registry"] }, "an archive with a member above 8 GiB", () => {
  it("comes back from a registry, where the piece of zeros is only once", async () => {
    await using registry = await startRegistry();
    makeSparse(at("big.ova"));
    const image = `docker://${registry.host}/ova/big:1`;
    const there = await run("convert", at("big.ova"), image, "--as", "package");
    const back = await run("convert", image, at("back.ova"), "--force");
    expect(Math.max(there, back)).toBeLessThan(400 * 2 ** 20);
    execFileSync("cmp", [at("big.ova"), at("back.ova")]);
  });

  it.each(["oci:layout", "oci-archive:image.tar"])(
    "comes back from %s in bounded memory, its holes too",
    async (to) => {
      const [transport = "", name = ""] = to.split(":");
      makeSparse(at("big.ova"));
      const image = `${transport}:${at(name)}:x`;
      const there = await run("convert", at("big.ova"), image, "--as", "package");
      const back = await run("convert", image, at("back.ova"), "--force");
      expect(Math.max(there, back)).toBeLessThan(400 * 2 ** 20);
      execFileSync("cmp", [at("big.ova"), at("back.ova")]);
      expect(statSync(at("back.ova")).blocks * 512).toBeLessThan(16 << 20);
      rmSync(at(name), { recursive: true });
    },
  );
});
