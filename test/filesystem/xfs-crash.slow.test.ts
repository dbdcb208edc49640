import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext } from "../../src/context.ts";
import { format } from "../../src/filesystem/xfs/reader.ts";
import { describeWith } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { listing, mounted, temporaryFolder } from "./xfs-truth.ts";

const WORK = fileURLToPath(new URL("xfs-crash.py", import.meta.url));
/** Data written out first, the log flushed, or neither: what the machine had time for before its power was cut. */
const SHUTDOWNS = ["1", "2", "0", "2"];

const GEOMETRIES: readonly (readonly [title: string, options: readonly string[], seed: number])[] = [
  ["blocks of 1 KiB", ["-b", "size=1024"], 10],
  ["sectors of 4096 bytes, rmapbt", ["-s", "size=4096", "-m", "rmapbt=1", "-n", "size=8192"], 30],
  ["striped log, nrext64", ["-l", "su=64k", "-i", "nrext64=1"], 40],
];

describeWith({ tools: ["mkfs.xfs", "mount", "python3"], root: true }, "xfs after its power was cut", () => {
  // Each image goes through several crashes and recoveries, so that its log wraps and holds what recoveries leave behind.
  it.each(GEOMETRIES)("%s: lists what the kernel lists after its replay, and after that", async (_, options, seed) => {
    const folder = temporaryFolder();
    const image = join(folder, "image");
    writeFileSync(image, "");
    truncateSync(image, 64 << 20);
    execFileSync("mkfs.xfs", ["--unsupported", "-q", "-f", ...options, image], { stdio: "ignore" });
    for (const [turn, shutdown] of SHUTDOWNS.entries()) {
      await mounted(image, false, async (root) => {
        const work = join(root, `turn-${turn}`);
        mkdirSync(work);
        execFileSync("python3", [WORK, work, String(seed + turn), "400", shutdown]);
      });
      const crashed = join(folder, `crashed-${turn}`);
      copyFileSync(image, crashed);
      const truth = await mounted(image, false, async (root) => listing(root));
      for (const path of [crashed, image]) {
        const codes: string[] = [];
        await using source = FileSource.open(path);
        const fileSystem = await format.open(source, createContext({ diagnostic: ({ code }) => codes.push(code) }));
        expect(await differences(fileSystem, truth)).toEqual([]);
        expect(codes).toEqual(path === crashed ? ["XFS_LOG_REPLAYED"] : []);
      }
    }
  });
});
