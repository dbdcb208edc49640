import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { convert } from "../../converters/convert.ts";
import { createContext } from "../../src/context.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { unpacked } from "../support/unpack.ts";

describeWith({ corpus: "disk/made/disks", tools: ["xz"] }, "a root on a group", () => {
  const folder = mkdtempSync(join(tmpdir(), "transload-convert-groups-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  /** The layers of the image that a disk of the corpus becomes. */
  async function layers(kind: "fs" | "disks", name: string, root: string): Promise<unknown> {
    const layout = mkdtempSync(join(folder, "layout-"));
    const source = `raw:${await unpacked(corpus("disk", "made", kind, `${name}.img.xz`))}`;
    await convert({ source, destination: `oci:${layout}/oci:x`, root, entrypoint: "/bin/x" }, createContext());
    const blob = (digest: string): unknown =>
      JSON.parse(readFileSync(join(layout, "oci", "blobs", "sha256", digest.replace("sha256:", "")), "utf8"));
    const index = JSON.parse(readFileSync(join(layout, "oci", "index.json"), "utf8")) as {
      readonly manifests: readonly { readonly digest: string }[];
    };
    return (blob(index.manifests[0]?.digest ?? "") as { readonly layers: unknown }).layers;
  }

  it.each([
    ["disk-lvm", "ubuntu-vg/ubuntu-lv"],
    ["disk-lvm-striped", "vg/striped"],
    ["disk-lvm-striped", "vg/mirror"],
    ["disk-md", "md/m12"],
    ["disk-md", "md/m10"],
  ])("becomes the same layers as on a disk of its own: %s, %s", async (disk, root) => {
    expect(await layers("disks", disk, root)).toEqual(await layers("fs", "ext4", "1"));
  });
});
