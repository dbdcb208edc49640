import { spawnSync } from "node:child_process";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { driversOf } from "../../../converters/kernel/modules.ts";
import type { KernelSource } from "../../../converters/kernel/source.ts";
import { moduleFacts } from "../../../src/boot/kernel-module.ts";
import { madeModule } from "../../boot/made-module.ts";
import { describeWith } from "../../support/needs.ts";

/** A source that counts how often it is read. */
function sourceOf(files: Readonly<Record<string, Uint8Array>>): KernelSource & { reads: number } {
  const source = {
    name: "kernel",
    reads: 0,
    async *files(wanted: (path: string) => boolean) {
      source.reads += 1;
      for (const [path, bytes] of Object.entries(files)) if (wanted(path)) yield { path, bytes };
    },
  };
  return source;
}

const folder = "lib/modules/6.1.0/kernel";

describe("the drivers of a kernel", () => {
  it("come after what they depend on, whatever their files are called", async () => {
    const source = sourceOf({
      [`${folder}/fs/ext4.ko`]: madeModule(["jbd2", "crc16"]),
      [`${folder}/lib/crc16.ko.gz`]: gzipSync(madeModule([])),
      [`${folder}/fs/jbd2.ko`]: madeModule([]),
      [`${folder}/drivers/virtio-blk.ko`]: madeModule(["virtio-ring"]),
      [`${folder}/drivers/virtio_ring.ko`]: madeModule([]),
      [`${folder}/sound/snd.ko`]: madeModule([]),
      ["lib/modules/5.10.0/kernel/ahci.ko"]: madeModule([]),
      [`${folder}/modules.dep`]: Buffer.from("no module"),
    });
    const names = (await driversOf(source, "6.1.0")).map(({ name }) => name);
    expect(names).toEqual(["jbd2", "crc16", "ext4", "virtio_ring", "virtio_blk"]);
    expect(source.reads).toBe(1);
  });

  it("are read again only where a dependency is new", async () => {
    const source = sourceOf({
      [`${folder}/a.ko`]: madeModule([]),
      [`${folder}/b.ko`]: madeModule(["a"]),
      [`${folder}/nvme.ko`]: madeModule(["b", "built_in"]),
    });
    expect((await driversOf(source, "6.1.0")).map(({ name }) => name)).toEqual(["a", "b", "nvme"]);
    expect(source.reads).toBe(3);
  });

  it("are none where all is built in, and in a circle each once", async () => {
    expect(await driversOf(sourceOf({}), "6.1.0")).toEqual([]);
    const circle = sourceOf({
      [`${folder}/ahci.ko`]: madeModule(["nvme"]),
      [`${folder}/nvme.ko`]: madeModule(["ahci"]),
    });
    expect(await driversOf(circle, "6.1.0")).toHaveLength(2);
  });

  it("must be modules: others are refused with KERNEL_FILE, damaged ones with BYTES_COMPRESSED", async () => {
    const wrong = sourceOf({ [`${folder}/ahci.ko`]: Buffer.from("text") });
    await expect(driversOf(wrong, "6.1.0")).rejects.toMatchObject({ code: "KERNEL_FILE" });
    const cut = sourceOf({ [`${folder}/ahci.ko.gz`]: gzipSync(madeModule([])).subarray(0, 30) });
    await expect(driversOf(cut, "6.1.0")).rejects.toMatchObject({ code: "BYTES_COMPRESSED" });
  });

  it("are never taken for more than they are", () => {
    const whole = madeModule(["jbd2"]);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, value) => {
        const bytes = Buffer.from(whole);
        bytes[at] = value;
        try {
          moduleFacts(bytes);
        } catch (cause) {
          expect(cause).toHaveProperty("code");
        }
      }),
    );
  });
});

describeWith({ tools: ["xz", "zstd"] }, "what distributions pack modules with", () => {
  it.each([
    ["xz", ["--check=crc32", "--lzma2=dict=1MiB"]],
    ["zst", ["-19"]],
  ])("%s is undone", async (suffix, options) => {
    const module = madeModule([]);
    const program = suffix === "xz" ? "xz" : "zstd";
    const packed = spawnSync(program, ["-c", ...options], { input: module }).stdout;
    const [driver] = await driversOf(sourceOf({ [`${folder}/ahci.ko.${suffix}`]: packed }), "6.1.0");
    expect(Buffer.from(driver?.bytes ?? []).equals(module)).toBe(true);
  });
});
