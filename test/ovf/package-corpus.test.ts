import { readdirSync } from "node:fs";
import { expect, it } from "vitest";
import { createContext } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { openPackage } from "../../src/ovf/open-package.ts";
import { corpus, describeWith } from "../support/needs.ts";

/** What comes out of each real OVA: its members by role, its disks' first bytes, bytes spooled, diagnostics; or the error. */
async function outcome(path: string): Promise<unknown> {
  const diagnostics: string[] = [];
  const ctx = createContext({ diagnostic: ({ code }) => diagnostics.push(code) });
  try {
    await using opened = await openPackage({ kind: "path", path }, ctx);
    const disks: string[] = [];
    for (const disk of opened.envelope?.disks ?? []) {
      if (disk.file === undefined) continue;
      const content = await opened.open(disk.file).catch((error: ConverterError) => error.code);
      if (typeof content === "string") disks.push(content);
      else disks.push(`${content.size} ${Buffer.from(await content.read(0, 4)).toString("latin1")}`);
    }
    const roles = opened.members.map(({ role, size }) => `${role} ${size}`);
    return { kind: opened.kind, roles, disks, spooled: opened.spooled, diagnostics };
  } catch (error) {
    if (error instanceof ConverterError) return `${error.code} (exit ${error.exitCode})`;
    throw error;
  }
}

describeWith({ corpus: "ovf/ova" }, "openPackage on real OVAs", () => {
  it("finds what is in them, or says what is wrong", async () => {
    const found: Record<string, unknown> = {};
    for (const name of readdirSync(corpus("ovf/ova")).sort()) found[name] = await outcome(corpus("ovf/ova", name));
    expect(found).toMatchInlineSnapshot(`
      {
        "glance-testserver-bad-ovf.ova": "OVF_XML_MALFORMED (exit 65)",
        "glance-testserver-no-disk.ova": {
          "diagnostics": [],
          "disks": [
            "OVF_MEMBER_MISSING",
          ],
          "kind": "ova",
          "roles": [
            "descriptor 12999",
          ],
          "spooled": 0,
        },
        "glance-testserver-no-ovf.ova": "OVF_DESCRIPTOR_MISSING (exit 65)",
        "glance-testserver-not-tar.ova": "OVF_PACKAGE_UNRECOGNISED (exit 65)",
        "glance-testserver.ova": {
          "diagnostics": [],
          "disks": [
            "4 ABCD",
          ],
          "kind": "ova",
          "roles": [
            "descriptor 13383",
            "disk 4",
          ],
          "spooled": 0,
        },
        "tdAppliance1-t1.ova": {
          "diagnostics": [],
          "disks": [],
          "kind": "ova",
          "roles": [
            "descriptor 6242",
            "manifest 68",
          ],
          "spooled": 0,
        },
        "tdAppliance1-t2-ovftool-4.1.0.ova": {
          "diagnostics": [],
          "disks": [
            "68096 KDMV",
          ],
          "kind": "ova",
          "roles": [
            "descriptor 5890",
            "manifest 171",
            "disk 68096",
          ],
          "spooled": 0,
        },
        "tdAppliance1-t2.ova": {
          "diagnostics": [],
          "disks": [
            "68096 KDMV",
          ],
          "kind": "ova",
          "roles": [
            "descriptor 5876",
            "manifest 143",
            "disk 68096",
          ],
          "spooled": 0,
        },
        "tdAppliance1-t3.ova": {
          "diagnostics": [
            "OVF_SPOOLED",
          ],
          "disks": [
            "68096 KDMV",
          ],
          "kind": "ova",
          "roles": [
            "descriptor 5912",
            "manifest 198",
            "disk 484",
          ],
          "spooled": 68096,
        },
        "tdAppliance1-t4-ovftool-4.1.0.ova": {
          "diagnostics": [
            "OVF_SPOOLED",
            "OVF_SPOOLED",
          ],
          "disks": [
            "77824 KDMV",
            "70656 KDMV",
          ],
          "kind": "ova",
          "roles": [
            "descriptor 8110",
            "manifest 344",
            "certificate 102400",
            "disk 561",
            "disk 509",
          ],
          "spooled": 148480,
        },
        "tdAppliance1-t5.ova": {
          "diagnostics": [
            "OVF_SPOOLED",
          ],
          "disks": [
            "70144 KDMV",
          ],
          "kind": "ova",
          "roles": [
            "descriptor 6000",
            "manifest 146",
            "certificate 102400",
            "disk 509",
          ],
          "spooled": 70144,
        },
        "tdAppliance1-t7-bad-instance.ova": {
          "diagnostics": [],
          "disks": [
            "68096 KDMV",
          ],
          "kind": "ova",
          "roles": [
            "descriptor 5955",
            "manifest 229",
            "disk 68096",
            "other 382",
          ],
          "spooled": 0,
        },
      }
    `);
  });
});
