import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openStack } from "../../converters/machine/stack.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext } from "../../src/context.ts";
import { asDisk } from "../../src/disk/as-disk.ts";
import { describeWith, fixture } from "../support/needs.ts";
import { differences } from "../support/truth.ts";
import { codeOf, made, open } from "./btrfs-images.ts";

/** Makes a file system over four devices and fills it; prints the kernel's listing. */
const SCRIPT = `
set -eu
work=$1 data=$2 metadata=$3 listing=$4
loops=
mkdir "$work/mnt"
trap 'umount "$work/mnt" || true; for loop in $loops; do losetup -d "$loop"; done' EXIT
for number in 1 2 3 4; do
  truncate -s 300M "$work/$number.img"
  loops="$loops $(losetup -f --show "$work/$number.img")"
done
mkfs.btrfs -q -f -n 4096 -d "$data" -m "$metadata" $loops >&2
btrfs device scan $loops >&2
mount $(echo $loops | cut -d' ' -f1) "$work/mnt"
for number in $(seq 300); do seq "$number" 3000 >"$work/mnt/$number"; done
seq 2000000 >"$work/mnt/large"
for block in 0 33 100 257; do seq 20000 | dd of="$work/mnt/sparse" bs=65536 seek="$block" conv=notrunc status=none; done
sync
python3 "$listing" "$work/mnt" >"$work/truth.ndjson"
`;

/** Profiles for data, and how many of four devices may be missing. */
const PROFILES = [
  ["raid10", "raid1", 1],
  ["raid10", "raid10", 1],
  ["raid1c3", "raid1c3", 2],
  ["raid1c4", "raid1c4", 3],
  ["raid5", "raid1", 0],
  ["raid6", "raid6", 0],
  ["raid5", "raid5", 0],
  ["raid0", "raid0", 0],
] as const;

/** Of RAID 10 more may be missing than must be spared, as long as no pair is. */
function lucky(data: string): string | undefined {
  return data === "raid10" ? "no error" : undefined;
}

describeWith(
  { tools: ["mkfs.btrfs", "losetup", "mount", "python3"], root: true },
  "btrfs over four devices, as the kernel wrote it",
  () => {
    it.each(PROFILES)(
      "data in %s, metadata in %s, up to %i missing",
      { timeout: 60_000 },
      async (data, metadata, spare) => {
        const work = mkdtempSync(join(tmpdir(), "transload-btrfs-"));
        try {
          execFileSync("sh", ["-c", SCRIPT, "sh", work, data, metadata, fixture("ext4", "listing.py")], {
            stdio: "pipe",
          });
          const devices = [4, 2, 1, 3].map((number) => FileSource.open(join(work, `${number}.img`)));
          for (let missing = 0; missing <= spare + 1 && missing < 4; missing++) {
            const [source, ...others] = devices.slice(missing);
            if (source === undefined) throw new Error("no device");
            const opened = open(source, others);
            const listed = opened.then(({ fileSystem }) => differences(fileSystem, join(work, "truth.ndjson")));
            if (missing > spare) expect(["BTRFS_DEVICE_MISSING", lucky(data)]).toContain(await codeOf(listed));
            else expect(await listed).toEqual([]);
            if (missing > spare) continue;
            const codes = (await opened).diagnostics.map(({ code }) => code);
            expect(codes).toEqual(missing === 0 ? [] : ["BTRFS_DEVICE_MISSING"]);
          }
          for (const device of devices) await device[Symbol.asyncDispose]();
        } finally {
          rmSync(work, { recursive: true });
        }
      },
    );
  },
);

describeWith({ corpus: "disk/made", tools: ["xz"] }, "btrfs over the disks of a machine", () => {
  it("appears once", async () => {
    const [first, second] = await made("btrfs-raid1");
    const [other] = await made("btrfs-suse");
    if (first === undefined || second === undefined || other === undefined) throw new Error("no device");
    const facts = { format: "raw", variant: undefined, sectorSize: 512, storedBytes: undefined, identities: [] };
    const disks = [first, other, second].map((source) => asDisk(source, facts));
    await using stack = await openStack(disks, createContext());
    expect(stack.disks.map(({ content }) => content.kind)).toEqual(["file-system", "file-system", "member"]);
  });
});
