import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext } from "../../src/context.ts";
import { openVolumes } from "../../src/volume/index.ts";
import { codeOf } from "../disk/images.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";
import { gptDisk } from "./tables.ts";

const work = mkdtempSync(join(tmpdir(), "transload-volumes-"));
afterAll(() => rmSync(work, { recursive: true }));

const image = join(work, "disk");

function freshImage(bytes: number): void {
  writeFileSync(image, "");
  truncateSync(image, bytes);
}

interface SfdiskTable {
  readonly label: string;
  readonly id: string;
  readonly partitions?: readonly {
    readonly node: string;
    readonly start: number;
    readonly size: number;
    readonly type: string;
    readonly uuid?: string;
    readonly name?: string;
    readonly attrs?: string;
    readonly bootable?: boolean;
  }[];
}

/** What sfdisk sees, in our terms; without extended partitions. */
function sfdisk(path: string): unknown {
  const { partitiontable } = JSON.parse(execFileSync("sfdisk", ["--json", path]).toString()) as {
    readonly partitiontable: SfdiskTable;
  };
  const dos = partitiontable.label === "dos";
  const id = dos ? partitiontable.id.slice(2).padStart(8, "0") : partitiontable.id.toLowerCase();
  return {
    scheme: dos ? "mbr" : "gpt",
    uuid: id,
    volumes: (partitiontable.partitions ?? [])
      .filter(({ type }) => !["5", "f", "85"].includes(type))
      .map((partition) => {
        const number = Number(partition.node.slice(path.length));
        return {
          id: `${number}`,
          start: partition.start * 512,
          size: partition.size * 512,
          type: dos ? `0x${partition.type.padStart(2, "0")}` : partition.type,
          uuid: dos ? `${id}-${number.toString(16).padStart(2, "0")}` : partition.uuid?.toLowerCase(),
          label: partition.name,
          bootable: partition.bootable ?? partition.attrs?.includes("LegacyBIOSBootable") ?? false,
        };
      }),
  };
}

async function ours(path: string): Promise<unknown> {
  await using source = FileSource.open(path);
  const system = await openVolumes(source, createContext());
  return {
    scheme: system?.scheme,
    uuid: system?.uuid,
    volumes: system?.volumes.map(({ id, start, size, type, uuid, label, bootable }) => ({
      id,
      start,
      size,
      type,
      uuid,
      label,
      bootable,
    })),
  };
}

describeWith({ tools: ["sfdisk"] }, "beside sfdisk", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 9 });

  it("reads any MBR with logical partitions", async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.constantFrom("83", "82", "8e", "7", "c"),
        fc.nat(2),
        async (mebibytes, type, active) => {
          freshImage(256 << 20);
          const primaries = mebibytes
            .slice(0, 3)
            .map((size, at) => `size=${size}MiB, type=${type}${at === active ? ", bootable" : ""}`);
          const logicals = mebibytes.slice(3).map((size) => `size=${size}MiB, type=83`);
          const script = ["label: dos", ...primaries, ...(logicals.length > 0 ? ["type=5", ...logicals] : [])];
          execFileSync("sfdisk", ["-q", image], { input: script.join("\n"), stdio: ["pipe", "ignore", "ignore"] });
          expect(await ours(image)).toEqual(sfdisk(image));
        },
      ),
      { numRuns: 12 },
    );
  });

  it("reads any GPT", async () => {
    const name = fc.stringMatching(/^[a-zA-Zäß€ -]{1,36}$/);
    await fc.assert(
      fc.asyncProperty(sizes, name, async (mebibytes, label) => {
        freshImage(256 << 20);
        const lines = mebibytes.map((size, at) =>
          at % 2 === 0
            ? `${at * 3 + 1}: size=${size}MiB, type=linux, name="${label}", attrs="LegacyBIOSBootable"`
            : `${at * 3 + 1}: size=${size}MiB, type=uefi`,
        );
        const script = ["label: gpt", ...lines].join("\n");
        execFileSync("sfdisk", ["-q", image], { input: script, stdio: ["pipe", "ignore", "ignore"] });
        expect(await ours(image)).toEqual(sfdisk(image));
      }),
      { numRuns: 12 },
    );
  });
});

describeWith({ tools: ["sgdisk"] }, "beside sgdisk", () => {
  it("reads the same from the backup that it wrote", async () => {
    freshImage(64 << 20);
    const options = ["-n1:2048:+1M", "-t1:ef02", "-n3:0:+20M", "-t3:8304", "-c3:root", "-A3:set:2"];
    execFileSync("sgdisk", [...options, image], { stdio: "ignore" });
    const before = await ours(image);
    expect(before).toMatchObject({
      volumes: [{ id: "1" }, { id: "3", label: "root", bootable: true, size: 20 << 20 }],
    });
    const file = openSync(image, "r+");
    writeSync(file, Buffer.alloc(33 * 512), 0, 33 * 512, 512);
    closeSync(file);
    expect(await ours(image)).toEqual(before);
  });
});

describeWith({ tools: ["partx"] }, "beside partx", () => {
  it("reads 4096-byte blocks alike", async () => {
    const disk = gptDisk([{ first: 40, last: 49 }, undefined, { first: 60, last: 69 }], { sectorSize: 4096 });
    writeFileSync(image, disk);
    const seen = execFileSync("partx", ["-S", "4096", "-g", "-r", "-o", "NR,START,SECTORS", image]).toString();
    expect(seen.trim().split("\n")).toEqual(["1 320 80", "3 480 80"]);
    await using source = FileSource.open(image);
    const system = await openVolumes(source, createContext());
    expect(system?.volumes.map(({ id, start, size }) => `${id} ${(start ?? 0) / 512} ${size / 512}`)).toEqual(
      seen.trim().split("\n"),
    );
  });
});

describeWith({ corpus: "disk/made/disks", tools: ["sfdisk"] }, "disks of the corpus", () => {
  it.each(["disk-mbr", "disk-lvm", "disk-lvm-rhel"])("%s divides as sfdisk sees it", async (name) => {
    const path = await unpacked(corpus("disk/made/disks", `${name}.img.xz`));
    expect(await ours(path)).toEqual(sfdisk(path));
  });

  it("disk-nopart is one volume", async () => {
    await using source = FileSource.open(await unpacked(corpus("disk/made/disks/disk-nopart.img.xz")));
    expect(await openVolumes(source, createContext())).toBeUndefined();
  });
});

describeWith({ corpus: "disk/volume" }, "tables of other projects", () => {
  async function open(path: string) {
    const source = FileSource.open(await unpacked(corpus("disk", path)));
    const codes = new Set<string>();
    const system = await openVolumes(source, createContext({ diagnostic: ({ code }) => void codes.add(code) }));
    return [
      system?.scheme,
      system?.volumes.map(({ id, start, size }) => `${id}: ${(start ?? -1) / 512}+${size / 512}`),
      [...codes],
    ];
  }

  const cut = ["VOLUME_BEYOND_DISK"];
  it.each([
    ["volume/dissect/mbr.bin", "mbr", ["1: 2048+1024000", "2: 1026048+124801024"], cut],
    ["volume/dissect/gpt.bin", "gpt", ["1: 40+409600", "2: 411648+61026304"], cut],
    ["volume/dissect/bsd64.bin.gz", "gpt", ["1: 2048+2048", "2: 4096+10479616"], cut],
    [
      "volume/dissect/gpt_esxi.bin",
      "gpt",
      ["1: 64+204800", "5: 208896+8386560", "6: 8597504+8386560", "7: 16986112+251449344", "8: 268437504+29358047"],
      cut,
    ],
    ["misc/plaso/tsk_volume_system.raw.gz", "mbr", ["1: 1+350", "5: 352+2528"], []],
    ["misc/libguestfs/mbr-ext2-empty.img.gz", "mbr", ["1: 1+2879"], []],
    ["ident/util-linux/images-pt/dos+bsd.img.xz", "mbr", ["1: 32+7648", "2: 7680+8704"], []],
  ])("%s", async (path, ...expected) => {
    expect(await open(path)).toEqual(expected);
  });

  it.each([
    ["volume/dissect/apm.bin", "VOLUME_SCHEME_UNSUPPORTED"],
    ["volume/dissect/bsd.bin", "VOLUME_SCHEME_UNSUPPORTED"],
    ["volume/dissect/gpt_no_name_xff.bin", "GPT_UNUSABLE"],
    ["ident/util-linux/images-pt/bsd.img.xz", "VOLUME_SCHEME_UNSUPPORTED"],
  ])("%s ends with %s", async (path, code) => {
    expect(await codeOf(open(path))).toBe(code);
  });

  describe("whole-disk file systems", () => {
    it.each([
      "fat",
      "fat16_noheads",
      "fat32_label_64MB",
      "exfat",
      "ext4",
      "xfs",
      "btrfs",
      "hpfs",
      "luks2",
      "iso",
      "lvm2",
    ])("%s are no partition tables", async (name) => {
      expect((await open(`ident/util-linux/images-fs/${name}.img.xz`))[0]).toBeUndefined();
    });
  });
});
