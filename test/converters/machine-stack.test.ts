import { describe, expect, it } from "vitest";
import { allPlaces, describePlace, openStack, type StackFormats } from "../../converters/machine/stack.ts";
import type { ByteSource } from "../../src/bytes/byte-source.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { Catalog } from "../../src/catalog.ts";
import { createContext, type Diagnostic } from "../../src/context.ts";
import type { VirtualDisk } from "../../src/disk/virtual-disk.ts";
import { CorruptError } from "../../src/errors.ts";
import type { FileSystemFormat } from "../../src/filesystem/file-system.ts";
import type { Volume, VolumeFormat } from "../../src/volume/volume-system.ts";
import { InMemoryFileSystem } from "./in-memory-file-system.ts";

/** The text at the start of a source is its content: "ext4 /", "lvm2 vg0", "gpt a|b"... */
async function textOf(source: ByteSource): Promise<string> {
  return Buffer.from(await source.read(0, source.size)).toString("latin1");
}

class TextSource extends MemorySource implements VirtualDisk, Volume {
  readonly format = "raw";
  readonly variant = undefined;
  readonly sectorSize = 512;
  readonly storedBytes = undefined;
  readonly type = "text";
  readonly typeName = "text";
  readonly uuid = undefined;
  readonly label = undefined;
  readonly bootable = false;
  readonly start = undefined;
  readonly id: string;

  constructor(text: string, id = "0") {
    super(Buffer.from(text, "latin1"), id);
    this.id = id;
  }
}

class BrokenSource extends TextSource {
  override read(): Uint8Array {
    throw new CorruptError("TEST_READ", "unreadable");
  }
}

const entry = <F>(name: string, format: F) => ({
  name,
  magic: [{ offset: 0, bytes: name }],
  suffixes: [],
  load: async () => format,
});

const systemOf = (scheme: string, volumes: readonly Volume[]) => ({
  scheme,
  uuid: undefined,
  label: undefined,
  sectorSize: 512,
  volumes,
});

const table: VolumeFormat = {
  name: "gpt",
  async open([source]) {
    const text = await textOf(source as ByteSource);
    if (text === "gpt!") throw new CorruptError("TEST_TABLE", "a bad table");
    const parts = text === "gpt" ? [] : text.slice(4).split("|");
    return [
      systemOf(
        "gpt",
        parts.map((part, index) => new TextSource(part, `${index + 1}`)),
      ),
    ];
  },
};

/** "md 0 of 2 lvm2 vg0 of 3": a member of a group tells its name, how many members there are, and what the group holds. */
function groupFormat(scheme: string, opened: string[]): VolumeFormat {
  return {
    name: scheme,
    async open(sources) {
      const groups = new Map<string, { members: number; wanted: number; content: string }>();
      for (const source of sources) {
        const [, name = "", wanted, content = ""] = /^\S+ (\S+) of (\d+) (.*)$/.exec(await textOf(source)) ?? [];
        groups.set(name, { members: (groups.get(name)?.members ?? 0) + 1, wanted: Number(wanted), content });
      }
      return [...groups].map(([name, { members, wanted, content }]) => {
        opened.push(`${scheme} ${name}`);
        if (members !== wanted) throw new CorruptError("TEST_GROUP", `${members} of ${wanted} members`);
        return systemOf(scheme, [new TextSource(content, `${name}/v`)]);
      });
    },
  };
}

function formats(opened: string[] = []): StackFormats {
  const ext4: FileSystemFormat = {
    name: "ext4",
    async open(source, _ctx, others) {
      const text = await textOf(source);
      if (text.endsWith("!")) throw new CorruptError("TEST_FS", "a bad file system");
      if (text.endsWith("bug")) throw new Error("a bug");
      opened.push(`${text} with ${others?.length}`);
      const fileSystem = new InMemoryFileSystem({}, { label: text.slice(5) });
      fileSystem[Symbol.asyncDispose] = async () => void opened.push(`closed ${text}`);
      return fileSystem;
    },
  };
  return {
    volumes: new Catalog([entry("gpt", table)]),
    groups: new Catalog([entry("md", groupFormat("md", opened)), entry("lvm2", groupFormat("lvm2", opened))]),
    fileSystems: new Catalog([entry("ext4", ext4)]),
    async recognise(source) {
      const text = await textOf(source);
      if (!text.startsWith("swap")) return undefined;
      const name = text === "swap" ? "swap" : "swsuspend";
      return { name, kind: "swap", title: "Linux swap", uuid: undefined, label: undefined, advice: "" };
    },
  };
}

async function described(disks: readonly VirtualDisk[], opened: string[] = []) {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (found) => diagnostics.push(found) });
  const stack = await openStack(disks, ctx, formats(opened));
  return { stack, places: [...allPlaces(stack)].map(describePlace), codes: diagnostics.map(({ code }) => code) };
}

describe("a stack", () => {
  it("tells what stands on every disk and partition", async () => {
    const { places } = await described([
      new TextSource("gpt ext4 root|swap|\0\0\0\0|what?"),
      new TextSource("ext4 whole"),
      new TextSource("gpt"),
      new TextSource("\0\0"),
      new TextSource(""),
    ]);
    expect(places).toEqual([
      "sda: a gpt partition table",
      'sda1: ext4 "root"',
      "sda2: Linux swap",
      "sda3: nothing",
      "sda4: nothing that is known",
      'sdb: ext4 "whole"',
      "sdc: nothing that is known",
      "sdd: nothing",
      "sde: nothing",
    ]);
  });

  it("names disks beyond the twenty-sixth as Linux does", async () => {
    const { places } = await described(Array.from({ length: 28 }, () => new TextSource("?")));
    expect(places.slice(-3).map((place) => place.split(":")[0])).toEqual(["sdz", "sdaa", "sdab"]);
  });

  it("opens groups over several disks when their members are there, one in another", async () => {
    const opened: string[] = [];
    const { stack, places } = await described(
      [
        new TextSource("gpt lvm2 vg0 of 2 md 7 of 1 ext4 deep|md 0 of 2 lvm2 vg0 of 2 md 7 of 1 ext4 deep"),
        new TextSource("md 0 of 2 lvm2 vg0 of 2 md 7 of 1 ext4 deep"),
      ],
      opened,
    );
    expect(places).toEqual([
      "sda: a gpt partition table",
      "sda1: a part of lvm2",
      "sda2: a part of md",
      "sdb: a part of md",
      "0/v: a part of lvm2",
      "vg0/v: a part of md",
      '7/v: ext4 "deep"',
    ]);
    await stack[Symbol.asyncDispose]();
    expect(opened).toEqual(["md 0", "lvm2 vg0", "md 7", "ext4 deep with 0", "closed ext4 deep"]);
  });

  it("keeps what fails in its place with the error", async () => {
    const { stack, places } = await described([
      new TextSource("gpt!"),
      new TextSource("gpt ext4 !|ext4 good|lvm2 a of 2 x"),
      new BrokenSource("ext4 x"),
    ]);
    expect(places).toEqual([
      "sda: gpt that cannot be read (a bad table)",
      "sdb: a gpt partition table",
      "sdb1: ext4 that cannot be read (a bad file system)",
      'sdb2: ext4 "good"',
      "sdb3: lvm2 that cannot be read (1 of 2 members)",
      "sdc: something that cannot be read (unreadable)",
    ]);
    const errors = [...allPlaces(stack)].flatMap(({ content }) =>
      content.kind === "damaged" ? [content.error.code] : [],
    );
    expect(errors).toEqual(["TEST_TABLE", "TEST_FS", "TEST_GROUP", "TEST_READ"]);
  });

  it("hands the other devices to a file system that may span them", async () => {
    const opened: string[] = [];
    await described([new TextSource("gpt ext4 a|ext4 b|swap"), new TextSource("ext4 c")], opened);
    expect(opened).toEqual(["ext4 a with 2", "ext4 b with 2", "ext4 c with 2"]);
  });

  it("closes what it opened when it cannot end", async () => {
    const opened: string[] = [];
    const disks = [new TextSource("ext4 a"), new TextSource("ext4 bug")];
    await expect(described(disks, opened)).rejects.toThrow("a bug");
    expect(opened).toEqual(["ext4 a with 1", "closed ext4 a"]);
    const aborted = createContext({ signal: AbortSignal.abort() });
    await expect(openStack(disks, aborted, formats())).rejects.toThrow("aborted");
  });

  it("warns of a hibernated machine", async () => {
    const { codes } = await described([new TextSource("swap hibernated")]);
    expect(codes).toEqual(["MACHINE_HIBERNATED"]);
  });
});
