import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, it } from "vitest";
import type { Diagnostic } from "../../src/context.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { type ReadItem, readItems } from "./layer-items.ts";

const LIST = fileURLToPath(new URL("list-tar.py", import.meta.url));

/** What no client takes, or what a layer must not hold. */
const REFUSED: Readonly<Record<string, string>> = {
  "link_empty.tar": "LAYER_PATH",
  "name_escape.tar": "LAYER_PATH",
  "sparse_gnu.tar": "LAYER_ENTRY_TYPE",
  "type_dumpdir.tar": "LAYER_ENTRY_TYPE",
  "type_unknown.tar": "LAYER_ENTRY_TYPE",
};

const NOTED: Readonly<Record<string, readonly string[]>> = {
  "name_abs.tar": ["LAYER_ABSOLUTE_PATH"],
  "name_dotdot.tar": ["LAYER_DOT_DOT"],
  "name_wh_reserved.tar": ["LAYER_RESERVED_NAME", "LAYER_RESERVED_NAME"],
  "name_whdot_nonempty.tar": ["LAYER_WHITEOUT_CONTENT"],
  "pax_1m.tar": ["LAYER_PAX_LARGE"],
  "pax_global.tar": ["LAYER_GLOBAL_HEADER"],
};

interface Row {
  readonly path: string;
  readonly type: string;
  readonly [key: string]: unknown;
}

function cleaned(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return parts.join("/").replace("bin/../", "");
}

function decimal(text: string): string {
  const [whole = "", fraction = ""] = text.split(".");
  const nanoseconds = BigInt(fraction.padEnd(9, "0").slice(0, 9));
  return `${BigInt(whole) * 1_000_000_000n + (text.startsWith("-") ? -nanoseconds : nanoseconds)}`;
}

/** An item in the oracle's terms. */
function rowOf({ item, content }: ReadItem): object {
  if (item.kind !== "entry" && item.kind !== "link") return { whiteout: item.kind, path: item.path };
  const attributes = item.kind === "link" ? item.attributes : item.entry;
  const { seconds, nanoseconds } = attributes.mtime;
  const row: Record<string, unknown> = {
    path: item.kind === "link" ? item.path : item.entry.path,
    type: item.kind === "link" ? "link" : item.entry.type,
    mode: attributes.mode,
    uid: attributes.uid,
    gid: attributes.gid,
    mtime: `${BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)}`,
  };
  if (item.kind === "link") row["target"] = item.target;
  else if (item.entry.type === "symlink") row["target"] = item.entry.target;
  else if ("major" in item.entry) row["device"] = [item.entry.major, item.entry.minor];
  else if (item.entry.type === "file") {
    row["size"] = item.entry.size;
    if (content.length < 100) row["data"] = content.toString("latin1");
  }
  if (attributes.xattrs.size > 0) {
    row["xattrs"] = Object.fromEntries([...attributes.xattrs].map(([k, v]) => [k, Buffer.from(v).toString("latin1")]));
  }
  return row;
}

/** What the oracle found, with the paths and whiteouts of a layer. */
function expected(row: Row): object {
  const path = cleaned(row.path);
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name === ".wh..wh..opq") return { whiteout: "opaque", path: path.slice(0, -name.length - 1) };
  if (name.startsWith(".wh..wh.")) return { whiteout: "reserved", path };
  if (name.startsWith(".wh.")) return { whiteout: "whiteout", path: path.replace(".wh.", "") };
  const target = row.type === "link" ? { target: cleaned(String(row["target"])) } : {};
  return { ...row, path, mtime: decimal(String(row["mtime"])), ...target };
}

describeWith({ corpus: "layer-tars", tools: ["python3"] }, "the torture layers", () => {
  // The body of a skipped suite runs too.
  const folder = corpus("layer-tars");
  const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(".tar")) : [];
  const rows = new Map<string, readonly Row[]>();

  beforeAll(() => {
    const paths = files.map((name) => corpus("layer-tars", name));
    const lines = execFileSync("python3", [LIST, ...paths], { maxBuffer: 64 << 20 }).toString();
    for (const line of lines.trim().split("\n")) {
      const { name, rows: found } = JSON.parse(line) as { name: string; rows?: Row[] };
      if (found !== undefined) rows.set(name, found);
    }
  });

  it.each(files.filter((name) => !(name in REFUSED)))("%s reads as an independent reader sees it", async (name) => {
    const notes: Diagnostic[] = [];
    const items = await readItems(readFileSync(corpus("layer-tars", name)), {}, notes);
    expect(items.map(rowOf)).toEqual(rows.get(name)?.map(expected));
    expect(notes.map(({ code }) => code)).toEqual(NOTED[name] ?? []);
  });

  it.each(Object.entries(REFUSED))("%s is refused with %s", async (name, code) => {
    await expect(readItems(readFileSync(corpus("layer-tars", name)))).rejects.toMatchObject({ code });
  });
});
