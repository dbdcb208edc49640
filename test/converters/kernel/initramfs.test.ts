import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { writeInitramfs } from "../../../converters/kernel/initramfs.ts";
import { readCpio } from "../../../src/archive/cpio.ts";
import { ByteReader } from "../../../src/bytes/byte-reader.ts";

it("an initramfs holds init, the drivers in their order, and what init is told, byte for byte", async () => {
  const modules = ["jbd2", "ext4"].map((name) => ({ name, bytes: Buffer.from(name) }));
  const packed = writeInitramfs(modules, [
    ["argument", "serve"],
    ["argument", "\xc3\xa4 b"],
  ]);
  const found = new Map<string, string>();
  const pieces = (async function* () {
    yield gunzipSync(packed);
  })();
  for await (const { path, content } of readCpio(new ByteReader(pieces), "initrd")) {
    let text = "";
    for await (const piece of content()) text += Buffer.from(piece).toString("latin1");
    found.set(path, text);
  }
  expect([...found.keys()].slice(-4)).toEqual(["init", "config", "modules/000-jbd2.ko", "modules/001-ext4.ko"]);
  expect(found.get("config")).toBe(
    "module=/modules/000-jbd2.ko\0module=/modules/001-ext4.ko\0argument=serve\0argument=\xc3\xa4 b\0",
  );
  expect(found.get("modules/001-ext4.ko")).toBe("ext4");
});
