import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Boot, bootBytes, bootDisk, bootDiskIds } from "../../../converters/oci-to-ovf/boot-disk.ts";
import { parseLinuxImage } from "../../../src/boot/linux-image.ts";
import { type Content, contentOf } from "../../../src/bytes/content.ts";
import { MemorySource } from "../../../src/bytes/memory-source.ts";
import { madeKernel } from "../../boot/made-kernel.ts";
import { describeWith } from "../../support/needs.ts";

const ROOT = contentOf(new MemorySource(Buffer.alloc(3 << 20, "root"), "root"));

function bootOf(release: string, commandLine = "console=ttyS0"): Boot {
  const kernel = parseLinuxImage(madeKernel({ release }), "vmlinuz");
  return { kernel, initrd: Buffer.alloc(70_000, "initrd"), commandLine };
}

function diskOf(boot: Boot): Content {
  return bootDisk(boot, ROOT, bootDiskIds("seed"), new Date(Date.UTC(1980, 0, 1)), "disk");
}

async function bytesOf(content: Content): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const piece of content.pieces()) {
    if ("bytes" in piece) parts.push(piece.bytes);
    else if ("zeros" in piece) parts.push(Buffer.alloc(piece.zeros));
    else parts.push(await piece.source.read(piece.offset, piece.length));
  }
  return Buffer.concat(parts);
}

describe("a disk that boots", () => {
  it("is the same for the same seed, has the size that is told, and the root behind the EFI partition", async () => {
    const boot = bootOf("6.1.0");
    const disk = diskOf(boot);
    const bytes = await bytesOf(disk);
    expect(bytes).toHaveLength(disk.size);
    expect(disk.size).toBe(bootBytes(boot) + ROOT.size);
    expect(bytes.equals(await bytesOf(diskOf(boot)))).toBe(true);
    expect(bytes.toString("latin1", 37 << 20, (37 << 20) + 8)).toBe("rootroot");
    expect(bootDiskIds("seed").root).not.toBe(bootDiskIds("other").root);
  });

  it("tells kernels before 5.8 where the initrd is", async () => {
    const lines = ["6.1.0", "5.4.0"].map(async (release) => {
      const bytes = await bytesOf(diskOf(bootOf(release)));
      return bytes.includes("console=ttyS0 initrd=\\INITRD.IMG\0");
    });
    expect(await Promise.all(lines)).toEqual([false, true]);
  });

  it("refuses a command line that no loader takes with BOOT_COMMAND_LINE", () => {
    const boot = bootOf("6.1.0", "x".repeat(2048));
    expect(() => diskOf(boot)).toThrow(expect.objectContaining({ code: "BOOT_COMMAND_LINE" }));
  });
});

describeWith({ tools: ["sgdisk", "fsck.fat", "mtype"] }, "a disk that boots, to others", () => {
  const folder = mkdtempSync(join(tmpdir(), "boot-disk-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  it("has a sound partition table and a sound EFI partition with the files", async () => {
    const bytes = await bytesOf(diskOf(bootOf("6.1.0", "a=b c")));
    const [disk, esp] = [join(folder, "disk"), join(folder, "esp")];
    const write = (path: string, from: number, to: number) => {
      const fd = openSync(path, "w");
      writeSync(fd, bytes, from, to - from);
      closeSync(fd);
    };
    write(disk, 0, bytes.length);
    write(esp, 1 << 20, 37 << 20);
    expect(execFileSync("sgdisk", ["-v", disk], { encoding: "utf8" })).toContain("No problems found");
    expect(execFileSync("fsck.fat", ["-n", esp], { encoding: "utf8" }).trim().split("\n")).toHaveLength(2);
    expect(execFileSync("mtype", ["-i", esp, "::CMDLINE"], { encoding: "latin1" }).replace(/\0+$/, "")).toBe("a=b c");
    expect(execFileSync("mtype", ["-i", esp, "::INITRD.IMG"]).equals(Buffer.alloc(70_000, "initrd"))).toBe(true);
  });
});
