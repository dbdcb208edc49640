import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { corpus, describeWith } from "./support/needs.ts";
import { unpacked } from "./support/unpack.ts";

const PROGRAM = fileURLToPath(new URL("../bin/transload.js", import.meta.url));
const LISTING = fileURLToPath(new URL("support/listing.py", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "transload-appliance-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Row {
  readonly path: string;
  readonly mtime: number;
}

function listing(...args: string[]): Map<string, string> {
  const text = execFileSync("python3", [LISTING, ...args], { encoding: "utf8", maxBuffer: 1 << 30 });
  return new Map(
    text
      .trim()
      .split("\n")
      .map((line) => [(JSON.parse(line) as Row).path, line]),
  );
}

function convert(source: string, layout: string, ...options: string[]) {
  const args = [PROGRAM, "convert", source, `oci:${layout}:x`, "--json", "-q", ...options];
  const child = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8", maxBuffer: 64 << 20 });
  expect(child.stderr).toBe("");
  return JSON.parse(child.stdout) as {
    target: { layers: { digest: string }[] };
    warnings: { code: string }[];
    stats: { wallMs: number };
  };
}

function layerOf(layout: string, { target }: ReturnType<typeof convert>): string {
  return join(folder, layout, "blobs", ...(target.layers[0]?.digest ?? "").split(":"));
}

/** Every line that differs between the two; entries that no layer can hold are named by `without`. */
function unequal(tree: Map<string, string>, layer: Map<string, string>, without: RegExp): string[] {
  const paths = [...new Set([...tree.keys(), ...layer.keys()])].filter((path) => !without.test(path));
  return paths
    .filter((path) => tree.get(path) !== layer.get(path))
    .map((path) => `${tree.get(path)} | ${layer.get(path)}`);
}

describeWith(
  { tools: ["python3", "mount", "qemu-img", "xz"], corpus: "disk/made/containers", root: true },
  "the image of a disk",
  () => {
    it("holds what a mount of the same disk shows, but for what is reported", async () => {
      const vmdk = await unpacked(corpus("disk/made/containers/disk-mbr/gdatend-vbox.vmdk.xz"));
      const raw = join(folder, "disk.raw");
      execFileSync("qemu-img", ["convert", "-O", "raw", vmdk, raw]);
      const mount = join(folder, "mount");
      mkdirSync(mount);
      const result = convert(
        `vmdk:${vmdk}`,
        "image",
        "--profile",
        "full",
        "--keep-selinux",
        "--keep-xattrs",
        "--entrypoint",
        "/bin/x",
        "--root",
        "1:1",
      );
      execFileSync("mount", ["-o", "ro,loop,noload,offset=1048576", raw, mount]);
      try {
        const tree = listing("tree", mount);
        const layer = listing("tar", layerOf("image", result));
        expect(layer.size).toBeGreaterThan(300);
        // Reported: whiteout names, sockets, times before 1970, attributes that a layer cannot say.
        const reported = /(^|\/)\.wh\.|^dev\/sock$|^t-neg$|^links\/rel(-hard)?$|^xattr-many$/;
        expect(unequal(tree, layer, reported)).toEqual([]);
        expect(result.warnings.map(({ code }) => code)).toContain("GUEST_MTIME_CLAMPED");
      } finally {
        execFileSync("umount", [mount]);
      }
    });
  },
);

describeWith({ tools: ["mke2fs"] }, "a conversion's cost", () => {
  function sparseDisk(name: string, gigabytes: number): string {
    const path = join(folder, name);
    const tree = join(folder, `${name}.tree`);
    mkdirSync(join(tree, "sbin"), { recursive: true });
    mkdirSync(join(tree, "bin"));
    mkdirSync(join(tree, "etc"));
    execFileSync("cp", [process.execPath, join(tree, "sbin", "init")]);
    execFileSync("sh", [
      "-c",
      `echo ID=test > ${tree}/etc/os-release; truncate -s 3G ${tree}/hole; printf x >> ${tree}/hole`,
    ]);
    execFileSync("mke2fs", [
      "-q",
      "-t",
      "ext4",
      "-E",
      "lazy_itable_init=1,nodiscard",
      "-d",
      tree,
      path,
      `${gigabytes}G`,
    ]);
    return path;
  }

  it("is bounded memory whatever the disk's size, and time by what is used", () => {
    const times = [8, 64].map((gigabytes) => {
      const disk = sparseDisk(`disk${gigabytes}.raw`, gigabytes);
      expect(statSync(disk).size).toBe(gigabytes * 2 ** 30);
      const script = `node --max-old-space-size=128 ${PROGRAM} convert raw:${disk} oci:sparse${gigabytes}:x -q --json`;
      const measured = `${script} & pid=$!; while kill -0 $pid 2>/dev/null; do grep VmHWM /proc/$pid/status >> ${folder}/peak 2>/dev/null; sleep 0.05; done; wait $pid`;
      rmSync(join(folder, "peak"), { force: true });
      const child = spawnSync("bash", ["-c", measured], { cwd: folder, encoding: "utf8" });
      expect(child.status, child.stderr).toBe(0);
      const peaks = [...readFileSync(join(folder, "peak"), "utf8").matchAll(/(\d+) kB/g)].map(
        ([, kilobytes]) => Number(kilobytes) / 1024,
      );
      expect(Math.max(...peaks)).toBeLessThan(350);
      return (JSON.parse(child.stdout) as { stats: { wallMs: number } }).stats.wallMs;
    });
    const [small = 0, large = 0] = times;
    expect(large).toBeLessThan(small * 2 + 2000);
  });
});

describe("a run that is killed", () => {
  it("leaves nothing that looks finished", async () => {
    const hello = fileURLToPath(new URL("../fixtures/appliances/hello/hello.ova", import.meta.url));
    for (let after = 150; after < 900; after += 150) {
      const layout = `killed${after}`;
      spawnSync(
        "timeout",
        ["-s", "KILL", String(after / 1000), process.execPath, PROGRAM, "convert", hello, `oci:${layout}:x`, "-q"],
        { cwd: folder },
      );
      const verified = spawnSync(process.execPath, [PROGRAM, "verify", `oci:${layout}:x`], {
        cwd: folder,
        encoding: "utf8",
      });
      // Either it was done before the signal came, and is whole, or there is no such image.
      expect([0, 66]).toContain(verified.status);
      expect(convert(hello, layout, "--force").warnings.length).toBeGreaterThan(0);
    }
  });
});
