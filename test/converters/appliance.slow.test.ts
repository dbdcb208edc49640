import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import { writeAppliance } from "../../converters/oci-to-ovf/appliance.ts";
import { contentOf } from "../../src/bytes/content.ts";
import { MemorySource } from "../../src/bytes/memory-source.ts";
import { createContext } from "../../src/context.ts";
import { DIALECTS, type DiskBus } from "../../src/ovf/appliance.ts";
import { MANIFESTS } from "../../src/ovf/package-writer.ts";
import { describeWith } from "../support/needs.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-v2v-"));
afterAll(() => rmSync(folder, { recursive: true }));

describeWith({ tools: ["virt-v2v"] }, "an appliance, to virt-v2v", () => {
  it.each(DIALECTS.flatMap((dialect) => (["sata", "scsi", "ide"] as const).map((bus) => [dialect, bus] as const)))(
    "for %s, on %s, is a source with its hardware and a manifest that holds",
    async (dialect, diskBus: DiskBus) => {
      const disk = contentOf(new MemorySource(Buffer.alloc(3 << 20, "disk "), "disk"));
      for (const manifest of MANIFESTS.filter((each) => each !== "sha512")) {
        const path = join(folder, `${dialect}-${diskBus}-${manifest}.ova`);
        await writeAppliance(
          {
            systems: [{ name: "web & <app>", disks: [disk, disk], os: { id: "debian" } }],
            form: "ova",
            path,
            force: false,
            options: { for: dialect, diskBus, manifest, cpus: 2, memory: 2 ** 31, firmware: "uefi" },
          },
          createContext(),
        );
        const { stdout, stderr } = await promisify(execFile)("virt-v2v", ["-i", "ova", path, "--print-source"]);
        expect(stdout).toContain("source name: web & <app>");
        expect(stdout).toMatch(/memory: 2147483648/);
        expect(stdout).toMatch(/vCPUs: 2/);
        expect(stdout).toContain(`1 [${diskBus}]`);
        expect(stdout).toContain('Bridge "NAT" [e1000]');
        // It reads no settings of VirtualBox.
        expect(stdout).toContain(`firmware: ${dialect === "virtualbox" ? "bios" : "uefi"}`);
        expect(stderr).not.toMatch(/warning/i);
      }
    },
    60_000,
  );
});
