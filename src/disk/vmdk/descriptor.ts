import { descriptorDamaged, extentLineDamaged, extentTypeUnknown } from "./errors.ts";

/** How an extent is stored, FORMATS A2.1. */
type ExtentKind = "flat" | "sparse" | "zero" | "device";

const KINDS: ReadonlyMap<string, ExtentKind> = new Map([
  ["FLAT", "flat"],
  ["VMFS", "flat"],
  ["SPARSE", "sparse"],
  ["VMFSSPARSE", "sparse"],
  ["SESPARSE", "sparse"],
  ["ZERO", "zero"],
  ["VMFSRDM", "device"],
  ["VMFSRAW", "device"],
]);

/** A line such as `RW 4192256 SPARSE "disk-s001.vmdk"`. */
export interface ExtentLine {
  /** False for NOACCESS, which reads as zeros. */
  readonly accessible: boolean;
  readonly sectors: number;
  readonly type: string;
  readonly kind: ExtentKind;
  readonly file: string | undefined;
  /** Where a flat extent begins in its file. */
  readonly offsetSectors: number;
}

/** The text part of a VMDK. */
export interface Descriptor {
  readonly createType: string | undefined;
  /** Content id: changes whenever the disk was written to. */
  readonly cid: number | undefined;
  /** The content id that the parent must have; undefined without a parent. */
  readonly parentCid: number | undefined;
  readonly parentFile: string | undefined;
  readonly extents: readonly ExtentLine[];
}

const NO_PARENT = 0xffffffff;
const ENCODINGS = new Set(["utf-8", "windows-1252", "gbk", "big5", "shift_jis"]);
const KEY_VALUE = /^([a-z][\w.]*)[ \t]*=(.*)$/i;
const EXTENT = /^(RW|RDONLY|NOACCESS)[ \t]+(\d{1,16})[ \t]+([A-Z0-9]+)(?:[ \t]+"([^"]*)"(?:[ \t]+(\d{1,16}))?)?/i;
const EXTENT_START = /^(?:RW|RDONLY|NOACCESS)[ \t]/i;

/** Parses the bytes up to the first NUL. `file` is the name for messages. */
export function parseDescriptor(bytes: Uint8Array, file: string): Descriptor {
  const values = new Map<string, string>();
  const extents: ExtentLine[] = [];
  for (const raw of decode(bytes).split("\n")) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#")) continue;
    const [, key, value] = KEY_VALUE.exec(line) ?? [];
    if (key !== undefined && value !== undefined) {
      if (!values.has(key.toLowerCase())) values.set(key.toLowerCase(), unquoted(value));
    } else if (EXTENT_START.test(line)) {
      extents.push(parseExtent(line, file));
    }
  }
  const parentCid = contentId(values, "parentcid", file);
  return {
    createType: values.get("createtype"),
    cid: contentId(values, "cid", file),
    parentCid: parentCid === NO_PARENT ? undefined : parentCid,
    parentFile: values.get("parentfilenamehint"),
    extents,
  };
}

/** The text in the encoding that it names itself. */
function decode(bytes: Uint8Array): string {
  const nul = bytes.indexOf(0);
  const text = nul < 0 ? bytes : bytes.subarray(0, nul);
  const ascii = Buffer.from(text).toString("latin1");
  const [, named = "utf-8"] = /^[ \t]*encoding[ \t]*=[ \t]*"?([\w-]+)/im.exec(ascii) ?? [];
  const encoding = named.toLowerCase();
  return new TextDecoder(ENCODINGS.has(encoding) ? encoding : "utf-8").decode(text);
}

function unquoted(value: string): string {
  const trimmed = value.trim();
  return trimmed.length >= 2 && trimmed.startsWith('"') && trimmed.endsWith('"') ? trimmed.slice(1, -1) : trimmed;
}

function contentId(values: ReadonlyMap<string, string>, key: string, file: string): number | undefined {
  const text = values.get(key);
  if (text === undefined) return undefined;
  if (!/^[0-9a-f]{1,8}$/i.test(text)) throw descriptorDamaged(file, `${key} is ${JSON.stringify(text)}, not a number`);
  return Number.parseInt(text, 16);
}

function parseExtent(line: string, file: string): ExtentLine {
  const [, access = "", sectors = "", name = "", extentFile, offset = "0"] = EXTENT.exec(line) ?? [];
  const type = name.toUpperCase();
  const kind = KINDS.get(type);
  if (type === "") throw extentLineDamaged(file, line);
  if (kind === undefined) throw extentTypeUnknown(file, name);
  const needsFile = kind === "flat" || kind === "sparse";
  const numbers = [Number(sectors), Number(offset)];
  if (needsFile && (extentFile === undefined || extentFile === "")) throw extentLineDamaged(file, line);
  if (numbers.some((sector) => !Number.isSafeInteger(sector * 512))) throw extentLineDamaged(file, line);
  return {
    accessible: access.toUpperCase() !== "NOACCESS",
    sectors: Number(sectors),
    type,
    kind,
    file: extentFile,
    offsetSectors: Number(offset),
  };
}
