import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { FileSource } from "../src/bytes/file-source.ts";
import { createContext } from "../src/context.ts";
import { openDisk } from "../src/disk/index.ts";
import { format as ext4 } from "../src/filesystem/ext4/reader.ts";
import { corpus, describeWith, fixture } from "./support/needs.ts";
import { differences } from "./support/truth.ts";
import { unpacked } from "./support/unpack.ts";

/**
 * Where the images and their truths are: FIXTURES points at a fresh set, then every form of VMDK is tried; otherwise the
 * corpus serves, in the two forms that exports have.
 */
const FRESH = process.env["TEST_FIXTURES"];
const IMAGES = FRESH === undefined ? corpus("disk/made/fs") : join(FRESH, "fs");
const TRUTHS = FRESH === undefined ? corpus("disk/made/truth") : join(FRESH, "truth");

const EXPORTED = ["stream-directory-at-end", "monolithicSparse"];
const OTHERS = ["streamOptimized", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat"];
const FORMS = FRESH === undefined ? EXPORTED : [...EXPORTED, ...OTHERS];

const folder = mkdtempSync(join(tmpdir(), "transload-matrix-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What a truth and the reader see differently, and are both right about. */
const KNOWN: Readonly<Record<string, RegExp>> = {
  // Without the key the kernel lists coded names, which no image should have.
  "ext4-encrypt": /^missing encdir\//,
  // Made by another kernel than the truth: inode numbers and link counts of its copy differ.
  "ext4-casefold": /: (?:ino|nlink) is /,
};

function images(): string[] {
  if (!existsSync(IMAGES)) return [];
  return readdirSync(IMAGES)
    .filter((name) => /^ext[234].*\.img\.(gz|xz)$/.test(name))
    .sort();
}

async function asVmdk(raw: string, form: string): Promise<string> {
  const path = join(folder, "disk.vmdk");
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  if (form === "stream-directory-at-end") {
    execFileSync("sh", ["-c", 'python3 "$0" "$1" > "$2"', fixture("vmdk", "stream.py"), raw, path]);
  } else execFileSync("qemu-img", ["convert", "-f", "raw", "-O", "vmdk", "-o", `subformat=${form}`, raw, path]);
  return path;
}

describeWith(
  { tools: ["qemu-img", "python3", "xz", "gzip"], corpus: "disk/made/fs" },
  "ext file systems in VMDKs equal what the kernel saw",
  () => {
    it.each(images().flatMap((image) => FORMS.map((form) => [image, form] as const)))(
      "%s in %s",
      async (image, form) => {
        const name = image.replace(/\.img\.\w+$/, "");
        const path = await asVmdk(await unpacked(join(IMAGES, image)), form);
        const ctx = createContext();
        await using source = FileSource.open(path);
        const resolve = async (other: string) => FileSource.open(join(dirname(path), other));
        await using disk = await openDisk(source, { ...ctx, resolve });
        await using fileSystem = await ext4.open(disk, ctx);
        const truth = readdirSync(TRUTHS).find((file) => file.startsWith(`${name}.ndjson`)) ?? "";
        const found = await differences(fileSystem, join(TRUTHS, truth));
        expect(found.filter((line) => KNOWN[name]?.test(line) !== true)).toEqual([]);
      },
      120_000,
    );
  },
);
