import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { indexTar, memberContent, type TarIndex, type TarMember } from "../../src/archive/tar-index.ts";
import { displayPath } from "../../src/bytes/byte-path.ts";
import { readAll } from "../../src/bytes/byte-source.ts";
import { FileSource } from "../../src/bytes/file-source.ts";
import { createContext } from "../../src/context.ts";
import { describeWith } from "../support/needs.ts";

const LETTERS: Readonly<Partial<Record<TarMember["type"], string>>> = {
  file: "-",
  "sparse-file": "-",
  "hard-link": "h",
  symlink: "l",
  directory: "d",
  fifo: "p",
};

/** A member as a line of `tar --list --verbose --block-number` says it. */
function line(member: TarMember): string {
  const text = displayPath(member.name);
  const target = displayPath(member.linkName);
  const links: Readonly<Partial<Record<TarMember["type"], string>>> = {
    symlink: ` -> ${target}`,
    "hard-link": ` link to ${target}`,
  };
  return `${LETTERS[member.type]} ${member.uid}/${member.gid} ${member.size} ${member.mtime.seconds} ${text}${links[member.type] ?? ""}`;
}

function listing(archive: string): string[] {
  const out = execFileSync("tar", ["-tvf", archive, "--numeric-owner", "--full-time", "--quoting-style=literal"], {
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
  });
  return out
    .trimEnd()
    .split("\n")
    .map((text) => {
      const [, letter = "", owner = "", size = "", date = "", time = "", name = ""] =
        /^(.)\S+ (\S+)\s+(\d+) (\S+) ([0-9:]+)(?:\.\d+)? +(.*)$/.exec(text) ?? [];
      return `${letter} ${owner} ${size} ${Date.parse(`${date}T${time}Z`) / 1000} ${name}`;
    });
}

const FORMATS = ["v7", "ustar", "oldgnu", "gnu", "pax"] as const;
const HUGE = 9 * 2 ** 30;
const LONG = `${"folder-with-a-name/".repeat(7)}${"n".repeat(120)}.vmdk`;

describeWith({ tools: ["tar"] }, "indexTar beside GNU tar", () => {
  let folder = "";
  const ctx = createContext();

  function tar(archive: string, ...args: string[]): string {
    const path = join(folder, archive);
    execFileSync("tar", ["-cf", path, "-C", join(folder, "in"), ...args]);
    return path;
  }

  async function indexed(path: string): Promise<{ index: TarIndex; source: FileSource }> {
    const source = FileSource.open(path);
    return { index: await indexTar(source, ctx), source };
  }

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "transload-tar-"));
    const root = join(folder, "in");
    mkdirSync(join(root, "sub"), { recursive: true });
    mkdirSync(join(root, LONG, ".."), { recursive: true });
    writeFileSync(join(root, "a.ovf"), "<Envelope/>");
    writeFileSync(join(root, "sub", "b"), Buffer.alloc(70_000, 7));
    writeFileSync(join(root, "empty"), "");
    writeFileSync(join(root, "Größe 字.txt"), "ü");
    writeFileSync(join(root, LONG), "long");
    symlinkSync("sub/b", join(root, "link"));
    symlinkSync("x".repeat(150), join(root, "long-link"));
    execFileSync("mkfifo", [join(root, "pipe")]);
    execFileSync("ln", [join(root, "a.ovf"), join(root, "hard")]);
    writeFileSync(join(root, "huge"), "");
    truncateSync(join(root, "huge"), HUGE);
    writeFileSync(join(root, "holes"), "start");
    execFileSync("truncate", ["-s", "1M", join(root, "holes")]);
    for (let at = 1; at < 60; at += 2) {
      const part = [
        "if=/dev/zero",
        `of=${join(root, "holes")}`,
        "bs=4096",
        `seek=${at * 4}`,
        "count=1",
        "conv=notrunc",
      ];
      execFileSync("dd", part, { stdio: "ignore" });
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const SHORT = ["a.ovf", "hard", "sub", "empty", "Größe 字.txt", "link"];
  it.each(FORMATS)("lists a %s archive alike, contents included", async (format) => {
    const rich = format === "v7" || format === "ustar" ? [] : ["pipe", "long-link", LONG];
    const path = tar(`${format}.tar`, `--format=${format}`, ...SHORT, ...rich);
    const { index, source } = await indexed(path);
    expect(index.members.map(line)).toEqual(listing(path));
    for (const member of index.members.filter(({ type }) => type === "file")) {
      const wanted = execFileSync("tar", ["-xOf", path, displayPath(member.name)]);
      expect(Buffer.from(await readAll(memberContent(source, member, "m"), 1 << 20)).equals(wanted)).toBe(true);
    }
    await source[Symbol.asyncDispose]();
  });

  it.each([
    ["gnu", ["--owner=9000000", "--group=:5000000", "--mtime=@-86400"]],
    ["gnu", ["--mtime=2500-01-01 UTC"]],
    ["pax", ["--owner=9000000", "--group=:5000000", "--mtime=@-86400"]],
    ["pax", ["--pax-option=comment=all,SCHILY.xattr.user.x:=\u00e4", "--pax-option=exthdr.name=%d/x"]],
  ] as const)("reads numbers that octal cannot hold: %s %s", async (format, options) => {
    const path = tar("numbers.tar", `--format=${format}`, ...options, "a.ovf", "empty");
    const { index, source } = await indexed(path);
    expect(index.members.map(line)).toEqual(listing(path));
    await source[Symbol.asyncDispose]();
  });

  it.each(["gnu", "pax"])("seeks over a member above 8 GiB: %s", async (format) => {
    const path = join(folder, "huge.tar");
    const head = execFileSync("sh", [
      "-c",
      'tar -cf - --format="$1" -C "$2" huge | head -c 4096',
      "sh",
      format,
      join(folder, "in"),
    ]);
    writeFileSync(path, head);
    const first = (format === "gnu" ? 512 : 1536) + HUGE;
    const tail = execFileSync("tar", ["-cf", "-", `--format=${format}`, "-C", join(folder, "in"), "a.ovf"]);
    execFileSync("dd", [`of=${path}`, "bs=512", `seek=${first / 512}`, "conv=notrunc"], {
      input: tail,
      stdio: ["pipe", "ignore", "ignore"],
    });
    const { index, source } = await indexed(path);
    expect(index.members.map(({ name, size, offset }) => ({ name, size, offset }))).toEqual([
      { name: "huge", size: HUGE, offset: first - HUGE },
      { name: "a.ovf", size: 11, offset: first + (format === "gnu" ? 512 : 1536) },
    ]);
    await source[Symbol.asyncDispose]();
  });

  it.each([
    ["gnu", []],
    ["pax", ["--sparse-version=1.0"]],
    ["pax", ["--sparse-version=0.1"]],
    ["pax", ["--sparse-version=0.0"]],
  ])("keeps its place after a sparse member: %s %s", async (format, options) => {
    const path = tar("sparse.tar", `--format=${format}`, "--sparse", ...options, "holes", "a.ovf");
    const { index, source } = await indexed(path);
    expect(index.members.map(({ type }) => type)).toEqual(["sparse-file", "file"]);
    const last = index.members.at(-1) as TarMember;
    const content = await readAll(memberContent(source, last, "m"), 100);
    expect(createHash("sha1").update(content).digest("hex")).toBe(
      createHash("sha1").update("<Envelope/>").digest("hex"),
    );
    await source[Symbol.asyncDispose]();
  });
});
