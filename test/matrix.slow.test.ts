import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { openStack } from "../converters/machine/stack.ts";
import { createContext } from "../src/context.ts";
import type { VirtualDisk } from "../src/disk/virtual-disk.ts";
import { codeOf, openImage } from "./disk/images.ts";
import { withoutRawAcls } from "./filesystem/xfs-truth.ts";
import { CONTAINERS, type Container } from "./support/containers.ts";
import { diskDigest } from "./support/image-outcome.ts";
import { corpus, describeWith } from "./support/needs.ts";
import { differences } from "./support/truth.ts";
import { unpacked } from "./support/unpack.ts";

/**
 * TEST_FIXTURES names a fresh set of make-fixtures.sh: then every file system meets every container. Otherwise each file
 * system of the corpus meets three, so that all containers are met. TEST_CONTAINERS is another number of them.
 * make-fixtures.sh stops where a tool lets it down, and goes on from there when it is called again: sgdisk 1.0.9 writes nothing
 * with -q (a wrapper on PATH that drops it helps), and mdadm in libguestfs's machine may not find the partitions of disk-md.
 */
const FRESH = process.env["TEST_FIXTURES"];
const FOLDER = FRESH ?? corpus("disk/made");
const EACH = Number(process.env["TEST_CONTAINERS"] ?? (FRESH === undefined ? 3 : CONTAINERS.length));

const work = mkdtempSync(join(tmpdir(), "transload-matrix-"));
let compared = 0;
afterAll(() => {
  rmSync(work, { recursive: true });
  process.stdout.write(`${compared} listings of file systems in containers equal their truths\n`);
});

interface Differs {
  readonly ignore?: readonly string[];
  /** Lines of `differences` that are right on both sides. */
  readonly known?: RegExp;
}

/** What a truth and a reader see differently, and are both right about. */
const DIFFERS: readonly (readonly [name: RegExp, differs: Differs])[] = [
  // Without the key the kernel lists coded names, which no image should have.
  [/^ext4-encrypt$/, { known: /^missing encdir\// }],
  // Listed through FUSE, which numbers inodes as it meets them, and gives a hard link a number of its own.
  [/^(ext4-casefold|xfs-v4.*)$/, { ignore: ["ino", "nlink"] }],
  // The kernel gives the empty directory in place of a subvolume the time of its mount.
  [/^btrfs-suse$/, { known: /^@: mtimeNs is / }],
  // Without inodes on the disk they are numbered as they are met; modes are the mount's.
  [/^vfat/, { ignore: ["ino", "mode"] }],
  // The root has no time on the disk: the kernel shows when it was mounted.
  [/^exfat$/, { ignore: ["ino"], known: /^\.: mtimeNs is / }],
  // ntfs-3g gives everything the mode 0777, and was told to show alternate data streams as attributes.
  [/^ntfs$/, { ignore: ["mode", "xattrs"] }],
  // The truth is the tree that the disc was made from: Rock Ridge has whole seconds, and numbers of its own.
  [/^iso/, { ignore: ["ino", "mtimeNs"] }],
  // The kernel's numbers are those of the image's export table, ours those of its inodes.
  [/^squashfs/, { ignore: ["ino"] }],
];

/** What has no listing, and how it is recognised. */
const NAMED: Readonly<Record<string, string>> = { luks1: "luks1", luks2: "luks2", swap: "swap" };

function files(folder: string): readonly string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

const IMAGES = files(join(FOLDER, "fs"));
/** Without the second devices of file systems that have two. */
const NAMES = IMAGES.filter((file) => !/\.2\.img/.test(file)).map((file) => file.replace(/\.img\.\w+$/, ""));

/** Cases of the matrix; the steps are such that neighbours do not meet the same containers. */
const CASES = NAMES.flatMap((name, index) =>
  Array.from({ length: EACH }, (_, turn): readonly [string, string, Container] => {
    const container = CONTAINERS[(index * 5 + turn * 7) % CONTAINERS.length] as Container;
    return [name, container.name, container];
  }),
);

/** The disk of an image in a container, in a folder of its own. */
async function contained(file: string, container: Container): Promise<VirtualDisk> {
  const folder = join(work, file);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const raw = await unpacked(join(FOLDER, "fs", file));
  return (await openImage(container.make(raw, folder))).disk;
}

async function truthOf(name: string): Promise<string> {
  const file = files(join(FOLDER, "truth")).find((each) => each.startsWith(`${name}.ndjson`)) ?? "";
  const path = join(FOLDER, "truth", file);
  return name.startsWith("xfs") ? await withoutRawAcls(path) : path;
}

describeWith(
  { tools: ["gzip", "python3", "qemu-img", "xz"], corpus: "disk/made/fs" },
  `${NAMES.length} file systems in ${CONTAINERS.length} containers: ${CASES.length} of them equal what others list`,
  () => {
    it.each(CASES)("%s in %s", async (name, _, container) => {
      const devices = IMAGES.filter((file) => file.startsWith(`${name}.`));
      const disks = await Promise.all(devices.map((file) => contained(file, container)));
      await using stack = await openStack(disks, createContext());
      const [content] = stack.disks.map((place) => place.content);
      if (content?.kind === "recognised") expect(content.recognised.name).toBe(NAMED[name]);
      else if (content?.kind === "file-system") {
        const fileSystem = name === "btrfs-ubuntu" ? await content.reopen({ subvolume: "@" }) : content.fileSystem;
        const { ignore = [], known } = DIFFERS.find(([pattern]) => pattern.test(name))?.[1] ?? {};
        const found = await differences(fileSystem, await truthOf(name), { ignore });
        expect(found.filter((line) => known?.test(line) !== true)).toEqual([]);
        compared++;
      } else expect(content?.kind).toBe("file-system");
      for (const disk of disks) await disk[Symbol.asyncDispose]();
      for (const file of devices) rmSync(join(work, file), { recursive: true });
    });
  },
);

/** What else stands in a folder of containers: pieces of images, sums, and a child that holds other bytes. */
const NO_CONTAINER = /-(s|f)\d+\.|-flat\.|\.(raw|sha256|tsv)\b|chain-child/;
/** Containers that are refused, each with its error. */
const REFUSED: readonly (readonly [name: RegExp, code: string])[] = [
  [/^encrypted/, "QCOW2_ENCRYPTED"],
  [/\.(qcow|qed|hdd)\b/, "DISK_FORMAT_UNSUPPORTED"],
];

const MADE = files(join(FOLDER, "containers")).flatMap((disk) =>
  files(join(FOLDER, "containers", disk))
    .filter((file) => !NO_CONTAINER.test(file))
    .map((file): [string, string] => [disk, file]),
);

describeWith(
  { tools: ["gzip", "xz"], corpus: "disk/made/containers" },
  `${MADE.length} containers that make-fixtures.sh made hold the bytes of their disks`,
  () => {
    const digests = new Map<string, string>();

    it.each(MADE)("%s: %s", async (disk, file) => {
      const path = join(FOLDER, "containers", disk, file);
      const refused = REFUSED.find(([pattern]) => pattern.test(file))?.[1];
      if (refused !== undefined) {
        expect(await codeOf(openImage(path))).toBe(refused);
        return;
      }
      const raw = files(join(FOLDER, "disks")).find((each) => each.startsWith(`${disk}.img`)) ?? "";
      const known = digests.get(disk) ?? (await diskDigest((await openImage(join(FOLDER, "disks", raw))).disk));
      digests.set(disk, known);
      expect(await diskDigest((await openImage(path)).disk)).toBe(known);
    });
  },
);
