import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { openDisk } from "../../src/disk/index.ts";
import type { VirtualDisk } from "../../src/disk/virtual-disk.ts";
import { fixture } from "../support/needs.ts";
import { memoryContext } from "./images.ts";

/** A disk fixture in memory: its image and what stands beside it. */
export interface FixtureImage {
  /** "vdi/dynamic" */
  readonly title: string;
  readonly input: Buffer;
  readonly beside: Readonly<Record<string, Buffer>>;
}

/** The fixtures of some formats, of a kind that the first bytes show. */
export function fixtureImages(formats: readonly string[]): readonly FixtureImage[] {
  return formats
    .filter((format) => existsSync(fixture(format)))
    .flatMap((format) =>
      readdirSync(fixture(format), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => {
          const folder = fixture(format, entry.name);
          const files = readdirSync(folder).filter((name) => name.endsWith(".gz"));
          const plain = files.map((name) => [name.slice(0, -3), gunzipSync(readFileSync(join(folder, name)))] as const);
          const input = plain.find(([name]) => /^input\.\w+$/.test(name))?.[1] ?? Buffer.alloc(0);
          return { title: `${format}/${entry.name}`, input, beside: Object.fromEntries(plain) };
        }),
    );
}

/** Opens `bytes` in the place of a fixture's image, as nothing but what they show. */
export async function openFixture({ title, beside }: FixtureImage, bytes: Buffer): Promise<VirtualDisk> {
  const files = Object.entries(beside).map(([name, content]) => [name, new MemorySource(content, name)] as const);
  return await openDisk(new MemorySource(bytes, "input"), memoryContext(Object.fromEntries(files)), {
    format: title.slice(0, title.indexOf("/")),
  });
}

/** One of them by its title. */
export function fixtureImage(title: string): FixtureImage {
  const found = fixtureImages([title.slice(0, title.indexOf("/"))]).find((image) => image.title === title);
  if (found === undefined) throw new Error(`no fixture ${title}`);
  return found;
}

/** The image with some 32-bit words of its own, in the byte order of its format. */
export function changed(image: FixtureImage, words: Readonly<Record<number, number>>, order: "LE" | "BE"): Buffer {
  const bytes = Buffer.from(image.input);
  for (const [at, value] of Object.entries(words)) bytes[`writeUInt32${order}`](value >>> 0, Number(at));
  return bytes;
}
