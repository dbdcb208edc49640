import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { type Entry, NO_XATTRS } from "../../src/bytes/entry.ts";
import { createContext, DEFAULT_LIMITS } from "../../src/context.ts";
import { type LayerEntry, LayerWriter, layerTime } from "../../src/oci/layer-writer.ts";
import { describeWith } from "../support/needs.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-layer-"));
afterAll(() => rmSync(folder, { recursive: true }));

let inode = 100;
const base = {
  links: 1,
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: { seconds: 1_500_000_000, nanoseconds: 0 },
  xattrs: NO_XATTRS,
};

function file(path: string, content: string, more: Partial<Entry> = {}): LayerEntry {
  const entry = { ...base, type: "file", path, inode: inode++, size: content.length, ...more } as Entry;
  return { entry, content: Buffer.from(content, "latin1") };
}

function other(type: Entry["type"], path: string, more: object = {}): LayerEntry {
  return { entry: { ...base, type, path, inode: inode++, mode: 0o755, ...more } as Entry };
}

async function write(entries: LayerEntry[], epoch?: number) {
  const limits = { ...DEFAULT_LIMITS, threads: 0 };
  const layer = new LayerWriter(entries, { kind: "gzip", level: 6 }, createContext({ limits, epoch }));
  const chunks: Buffer[] = [];
  for await (const chunk of layer.bytes()) chunks.push(Buffer.from(chunk));
  const blob = Buffer.concat(chunks);
  return { layer, blob, tar: gunzipSync(blob) };
}

/** What Python's tarfile, a reader that none of us wrote, sees: one object a member, byte strings as latin1. */
function list(tar: Buffer): Record<string, unknown>[] {
  const path = join(folder, "layer.tar");
  writeFileSync(path, tar);
  const script = `
import tarfile, json, sys, hashlib
out = []
with tarfile.open(sys.argv[1], encoding="latin1") as t:
    for m in t:
        body = t.extractfile(m).read() if m.isreg() else b""
        pax = {k: v.encode("utf-8", "surrogateescape").decode("latin1") for k, v in m.pax_headers.items()}
        out.append(dict(name=m.name, type=m.type.decode(), mode=m.mode, uid=m.uid, gid=m.gid, size=m.size, mtime=m.mtime,
            link=m.linkname, major=m.devmajor, minor=m.devminor, sha=hashlib.sha256(body).hexdigest()[:8], pax=pax))
print(json.dumps(out))`;
  return JSON.parse(execFileSync("python3", ["-c", script, path], { encoding: "utf8" })) as Record<string, unknown>[];
}

describeWith({ tools: ["python3"] }, "a layer as Python's tarfile reads it", () => {
  it("holds every type, with links that repeat their target's attributes", async () => {
    const shared = {
      inode: 7,
      links: 3,
      mode: 0o4755,
      uid: 5,
      gid: 6,
      xattrs: new Map([["user.note", Buffer.from("n")]]),
    };
    const { tar } = await write([
      other("directory", ""),
      other("directory", "dev"),
      other("block-device", "dev/sda", { major: 259, minor: 300_000, mode: 0o660 }),
      other("fifo", "dev/pipe", { mode: 0o600 }),
      file("first", "content", shared),
      file("second", "content", shared),
      other("symlink", "sym", { target: "../x", mode: 0o777 }),
    ]);
    const rows = list(tar);
    expect(rows.map((row) => [row["name"], row["type"], row["mode"]])).toEqual([
      [".", "5", 0o755],
      ["dev", "5", 0o755],
      ["dev/sda", "4", 0o660],
      ["dev/pipe", "6", 0o600],
      ["first", "0", 0o4755],
      ["second", "1", 0o4755],
      ["sym", "2", 0o777],
    ]);
    expect(rows[2]).toMatchObject({ major: 259, minor: 300_000 });
    expect(rows[5]).toMatchObject({ link: "first", uid: 5, gid: 6, size: 0, pax: { "SCHILY.xattr.user.note": "n" } });
    expect(rows[6]).toMatchObject({ link: "../x" });
  });

  it("keeps long and non-UTF-8 names, large ids, nanoseconds and binary attributes", async () => {
    const long = `${"d".repeat(90)}/${"ü".repeat(120)}`;
    const capability = Buffer.from([1, 0, 0, 2, 0, 0x20, 0xff, 0x80, 10, 0x3d, 0, 0]);
    const { tar } = await write([
      file(Buffer.from(long, "utf8").toString("latin1"), "x"),
      file("latin-\xe9\n name", "y", { uid: 2_000_000_000, gid: 4_294_967_294 }),
      file("cap", "z", {
        xattrs: new Map([["security.capability", capability]]),
        mtime: { seconds: 4_102_444_800, nanoseconds: 500_000_000 },
      }),
      other("symlink", "l", { target: "t".repeat(300) }),
    ]);
    // Python decodes pax values as UTF-8 where they are; the raw bytes are compared.
    expect(tar.includes(Buffer.from(`path=${long}\n`, "utf8"))).toBe(true);
    expect(
      tar.includes(Buffer.concat([Buffer.from("SCHILY.xattr.security.capability="), capability, Buffer.from("\n")])),
    ).toBe(true);
    const rows = list(tar);
    expect(rows[0]).toMatchObject({ name: long, size: 1 });
    expect(rows[1]).toMatchObject({ name: "latin-\xe9\n name", uid: 2_000_000_000, gid: 4_294_967_294 });
    expect(rows[2]).toMatchObject({ mtime: 4_102_444_800.5 });
    expect(rows[3]).toMatchObject({ link: "t".repeat(300) });
  });
});

describe("a layer", () => {
  it("has the digest of its tar as DiffID and ends with two zero blocks", async () => {
    const { layer, tar, blob } = await write([
      other("directory", "a"),
      file("a/f", "hello"),
      file("b", "x".repeat(3000)),
    ]);
    expect(layer.diffIdOf(`sha256:${"0".repeat(64)}`)).toBe(`sha256:${createHash("sha256").update(tar).digest("hex")}`);
    expect(tar.length % 512).toBe(0);
    expect(tar.subarray(-1024).every((byte) => byte === 0)).toBe(true);
    expect(layer.totals).toEqual({ plain: tar.length, coded: blob.length, reused: 0 });
    expect(layer.count).toBe(3);
  });

  it("puts a directory with a default ACL after what it holds", async () => {
    const acl = { xattrs: new Map([["system.posix_acl_default", Buffer.from("acl")]]) };
    const { tar } = await write([
      other("directory", "a", acl),
      other("directory", "a/b", acl),
      file("a/b/f", "1"),
      file("a/c", "2"),
      file("a.d", "3"),
    ]);
    const names = [...tar.toString("latin1").matchAll(/(?:^|\0)((?:a|a\/b|a\/b\/f|a\/c|a\.d)\/?)\0+0000/g)].map(
      ([, name]) => name,
    );
    expect(names).toEqual(["a/b/f", "a/b/", "a/c", "a/", "a.d"]);
  });

  it.each([
    [other("socket", "run/sock"), "run/sock"],
    [file("etc/.wh.gone", ""), "etc/.wh.gone"],
    [other("symlink", "empty", { target: "" }), "empty"],
    [file("x", "", { xattrs: new Map([["user.a=b", Buffer.of(1)]]) }), "x"],
    [file("big", "", { xattrs: new Map([["user.big", Buffer.alloc(1_100_000)]]) }), "big"],
  ])("refuses what clients refuse or misread: case %#", async (item, path) => {
    await expect(write([item])).rejects.toMatchObject({ code: "LAYER_ENTRY_NOT_EXPRESSIBLE", where: { path } });
  });

  it("refuses content of another length than the entry's", async () => {
    const item = file("f", "12345");
    await expect(write([{ ...item, content: Buffer.from("1234") }])).rejects.toMatchObject({
      code: "LAYER_CONTENT_LENGTH",
    });
  });

  it.each([
    [{ seconds: -5, nanoseconds: 7 }, undefined, { seconds: 0, nanoseconds: 0 }],
    [{ seconds: 5, nanoseconds: 7 }, undefined, { seconds: 5, nanoseconds: 7 }],
    [{ seconds: 9_999_999_999, nanoseconds: 7 }, undefined, { seconds: 9_223_372_036, nanoseconds: 0 }],
    [{ seconds: 50, nanoseconds: 0 }, 49, { seconds: 49, nanoseconds: 0 }],
    [{ seconds: 49, nanoseconds: 1 }, 49, { seconds: 49, nanoseconds: 0 }],
    [{ seconds: 48, nanoseconds: 1 }, 49, { seconds: 48, nanoseconds: 1 }],
  ])("writes time %j with epoch %s as %j", (time, epoch, expected) => {
    expect(layerTime(time, epoch)).toEqual(expected);
  });
});
