import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, it } from "vitest";
import { allPlaces, openStack, type Place } from "../../converters/machine/stack.ts";
import { type ByteSource, chunks } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext } from "../../src/context.ts";
import { asDisk } from "../../src/disk/as-disk.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";

async function sha256(source: ByteSource, length = source.size): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of chunks(source, 0, length)) {
    hash.update(chunk.kind === "data" ? chunk.bytes : new Uint8Array(chunk.length));
  }
  return hash.digest("hex");
}

/** Runs with what stands on the volumes of all groups of a machine with these disks. */
async function withGroups(files: readonly string[], body: (volumes: readonly Place[]) => Promise<void>): Promise<void> {
  const sources = [];
  for (const file of files) sources.push(FileSource.open(await unpacked(file), basename(file)));
  try {
    await using stack = await openStack(
      sources.map((source) =>
        asDisk(source, { format: "raw", variant: undefined, sectorSize: 512, storedBytes: undefined }),
      ),
      createContext(),
    );
    await body([...allPlaces(stack)].filter(({ disk }) => disk === undefined));
  } finally {
    for (const source of sources) await source[Symbol.asyncDispose]();
  }
}

const told = (places: readonly Place[]) =>
  places.map(({ device, system, volume, content }) => ({
    device,
    uuid: system?.uuid,
    type: volume?.type,
    size: volume?.size,
    holds: "type" in content ? content.type : content.kind,
  }));

describeWith({ corpus: "disk/volume/dissect" }, "groups of the corpus", () => {
  const dissect = (name: string) => corpus("disk", "volume", "dissect", `${name}.bin.gz`);
  /** Sector n of the first 2 MiB is filled with the byte n, and a little more was written behind them. */
  const numbered = Buffer.alloc(4097 * 512);
  for (let sector = 0; sector < 4097; sector++) numbered.fill(sector & 0xff, sector * 512, sector * 512 + 512);

  it("lvm: one linear volume", async () => {
    await withGroups([dissect("lvm")], async (volumes) => {
      expect(told(volumes)).toEqual([
        {
          device: "vg_test/lv_test",
          uuid: "8HfEjs-9DNH-0dy1-U5u8-EYBF-Vce4-8BcSWU",
          type: "linear",
          size: 8192 * 512,
          holds: "unknown",
        },
      ]);
      const head = Buffer.from((await volumes[0]?.source.read(0, 2048)) ?? []);
      expect(head).toEqual(Buffer.concat([Buffer.alloc(1024, "deadbeef", "hex"), Buffer.alloc(1024)]));
    });
  });

  it.each([
    [["lvm-mirror-1", "lvm-mirror-2"]],
    [["lvm-mirror-2", "lvm-mirror-1"]],
    [["lvm-mirror-1"]],
    [["lvm-mirror-2"]],
  ])("%j: a mirror, whichever disks there are", async (names) => {
    await withGroups(names.map(dissect), async (volumes) => {
      expect(volumes.map(({ device, volume }) => [device, volume?.type])).toEqual([
        ["lvm-mirror/mirrormirror", "mirror"],
      ]);
      const head = Buffer.from((await volumes[0]?.source.read(0, 2 << 20)) ?? []);
      expect(head.equals(numbered.subarray(0, 2 << 20))).toBe(true);
    });
  });

  it("lvm-thin: two thin volumes, the unwritten half of each a hole", async () => {
    await withGroups([dissect("lvm-thin")], async (volumes) => {
      expect(volumes.map(({ device, volume }) => [device, volume?.type, volume?.size])).toEqual([
        ["lvm-thin/lv-1", "thin", 4 << 20],
        ["lvm-thin/lv-2", "thin", 4 << 20],
      ]);
      for (const { source } of volumes) {
        expect(Buffer.from(await source.read(0, 2 << 20)).equals(numbered.subarray(0, 2 << 20))).toBe(true);
        let zeros = 0;
        for await (const chunk of chunks(source)) if (chunk.kind === "zero") zeros += chunk.length;
        expect(zeros).toBeGreaterThanOrEqual((2 << 20) - (128 << 10));
      }
    });
  });
});

describeWith({ corpus: "disk/ident/util-linux/images-fs", tools: ["xz"] }, "members in the corpus of libblkid", () => {
  const image = (name: string) => corpus("disk", "ident", "util-linux", "images-fs", `${name}.img.xz`);

  it.each([
    ["lvm2", []],
    [
      "mdraid",
      [
        {
          device: "md0",
          uuid: "37c76b91:011a05c5:d30c1fd4:c5c3dbbc",
          type: "raid1",
          size: 10176 * 1024,
          holds: "empty",
        },
      ],
    ],
    [
      "mdraid-1",
      [{ device: "md0", uuid: "77e61baf:c0b5d7d0:39cf575b:64d4878c", type: "raid0", size: 8 << 20, holds: "empty" }],
    ],
  ])("%s", async (name, expected) => {
    await withGroups([image(name)], async (volumes) => expect(told(volumes)).toEqual(expected));
  });
});

describeWith({ corpus: "disk/made/disks", tools: ["xz"] }, "disks with groups that others made", () => {
  const lines = () =>
    readFileSync(corpus("disk", "made", "INDEX.tsv"), "latin1")
      .split("\n")
      .map((line) => line.split("\t"));

  it.each([
    ["disk-lvm", [["ubuntu-vg/ubuntu-lv", "linear", "ext4"]]],
    [
      "disk-lvm-rhel",
      [
        ["centos/root", "linear", "xfs"],
        ["centos/swap", "linear", "swap"],
      ],
    ],
    [
      "disk-lvm-striped",
      [
        ["vg/striped", "striped", "ext4"],
        ["vg/mirror", "raid1", "ext4"],
      ],
    ],
    [
      "disk-md",
      [
        ["md/m12", "raid1", "ext4"],
        ["md/m10", "raid1", "ext4"],
      ],
    ],
  ])("%s holds the very images that were put on it", async (disk, expected) => {
    await withGroups([corpus("disk", "made", "disks", `${disk}.img.xz`)], async (volumes) => {
      expect(volumes.map(({ device, volume }) => [device, volume?.type])).toEqual(
        expected.map((row) => row.slice(0, 2)),
      );
      for (const [index, [, , fileSystem]] of expected.entries()) {
        const [, , size, digest] = lines().find(([name]) => name === fileSystem) ?? [];
        const { source } = volumes[index] as Place;
        expect(await sha256(source, Number(size))).toBe(digest);
      }
    });
  });
});
