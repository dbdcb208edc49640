import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { corpus, describeWith } from "../support/needs.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/transload.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "transload-ovas-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What `convert` and `inspect` end with: exit code and error code; none of these small appliances holds a system. */
const EXPECTED: Readonly<
  Record<string, { readonly convert: readonly [number, string]; readonly inspect: readonly [number, string] }>
> = {
  "glance-testserver-bad-ovf.ova": { convert: [65, "OVF_XML_MALFORMED"], inspect: [65, "OVF_XML_MALFORMED"] },
  "glance-testserver-no-disk.ova": { convert: [66, "OVF_MEMBER_MISSING"], inspect: [0, "does not hold"] },
  "glance-testserver-no-ovf.ova": { convert: [65, "OVF_DESCRIPTOR_MISSING"], inspect: [65, "OVF_DESCRIPTOR_MISSING"] },
  "glance-testserver-not-tar.ova": {
    convert: [65, "OVF_PACKAGE_UNRECOGNISED"],
    inspect: [65, "OVF_PACKAGE_UNRECOGNISED"],
  },
  "glance-testserver.ova": { convert: [65, "VMDK_NOT_RECOGNISED"], inspect: [0, "is at the start"] },
  "tdAppliance1-t1.ova": { convert: [69, "MACHINE_ROOT_MISSING"], inspect: [0, "machine tdAppliance1-t1"] },
  "tdAppliance1-t2-ovftool-4.1.0.ova": {
    convert: [69, "MACHINE_ROOT_MISSING"],
    inspect: [0, "machine tdAppliance1-t2"],
  },
  "tdAppliance1-t2.ova": { convert: [69, "MACHINE_ROOT_MISSING"], inspect: [0, "machine tdAppliance1-t2"] },
  "tdAppliance1-t3.ova": { convert: [69, "MACHINE_ROOT_MISSING"], inspect: [0, "machine tdAppliance1-t3"] },
  "tdAppliance1-t4-ovftool-4.1.0.ova": { convert: [69, "MACHINE_ROOT_MISSING"], inspect: [0, "signed by"] },
  "tdAppliance1-t5.ova": { convert: [69, "MACHINE_ROOT_MISSING"], inspect: [0, "signed by C=DE"] },
  "tdAppliance1-t7-bad-instance.ova": {
    convert: [69, "MACHINE_ROOT_MISSING"],
    inspect: [0, "machine tdAppliance1-t7"],
  },
};

function run(...args: string[]) {
  return spawnSync(process.execPath, [PROGRAM, ...args], { cwd: folder, encoding: "utf8" });
}

describeWith({ corpus: "ovf/ova" }, "appliances that none of us made", () => {
  const files = existsSync(corpus("ovf/ova")) ? readdirSync(corpus("ovf/ova")).sort() : [];

  it("all have a line in the table", () => expect(files).toEqual(Object.keys(EXPECTED)));

  it.each(files)("%s", (file) => {
    const expected = EXPECTED[file];
    const converted = run("convert", corpus("ovf/ova", file), "oci:image:x");
    expect([converted.status, converted.stdout]).toEqual([expected?.convert[0], ""]);
    expect(converted.stderr).toContain(expected?.convert[1]);
    const inspected = run("inspect", corpus("ovf/ova", file));
    expect(inspected.status, inspected.stderr).toBe(expected?.inspect[0]);
    expect(inspected.stdout + inspected.stderr).toContain(expected?.inspect[1]);
  });
});
