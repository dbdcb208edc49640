import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { ApplianceDescription, ProductDescription, SystemDescription } from "../../src/ovf/appliance.ts";
import { hardwareFor } from "../../src/ovf/effective-hardware.ts";
import { parseEnvelope } from "../../src/ovf/envelope.ts";
import { writeEnvelope } from "../../src/ovf/envelope-writer.ts";
import type { Product, VirtualSystem } from "../../src/ovf/model.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { codeOf, watching } from "./appliance.ts";
import { appliance, appliances, system } from "./appliances.ts";

const codeOfWriting = (description: ApplianceDescription) =>
  codeOf(Promise.resolve().then(() => writeEnvelope(description)));

function read(text: string) {
  const { ctx, found } = watching();
  const envelope = parseEnvelope(Buffer.from(text), "x.ovf", ctx);
  return { envelope, ctx, found };
}

const SUB_TYPES: Readonly<Record<string, string>> = {
  E1000: "e1000",
  E1000e: "e1000e",
  VmxNet3: "vmxnet3",
  PCNet32: "pcnet",
  "virtio-net": "virtio",
};

function present<T extends object>(record: T): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

function productRead({ span: _, properties, product, vendor, ...rest }: Product): object {
  return present({
    ...rest,
    product: product?.value,
    vendor: vendor?.value,
    properties: properties.map(
      ({ valuesByConfiguration: _configured, category, label, description, userConfigurable, password, ...property }) =>
        present({
          ...property,
          userConfigurable: userConfigurable || undefined,
          password: password || undefined,
          category: category?.value,
          label: label?.value,
          description: description?.value,
        }),
    ),
  });
}

/** `type` is always written. */
function productMeant({ properties, ...rest }: ProductDescription): object {
  return { ...rest, properties: properties.map((property) => ({ type: "string", ...property })) };
}

function machineRead(parsed: ReturnType<typeof read>, machine: VirtualSystem) {
  const hardware = hardwareFor(parsed.envelope, machine, undefined, parsed.ctx);
  const [bus] = new Set(hardware.controllers.map(({ kind }) => kind));
  return present({
    id: machine.id,
    name: machine.name,
    operatingSystem: machine.operatingSystem?.id,
    cpus: hardware.cpus,
    coresPerSocket: hardware.coresPerSocket,
    memory: hardware.memory,
    firmware: hardware.firmware === "efi" ? "uefi" : "bios",
    diskBus: bus === "virtio-scsi" ? "virtio" : bus,
    disks: hardware.drives.map(({ disk, file, capacity }) =>
      present({ href: file?.href, capacity, size: file?.size, populated: disk?.populatedSize }),
    ),
    nics: hardware.networkAdapters.map(({ subType, connections }) => ({
      model: SUB_TYPES[subType ?? ""],
      network: connections[0],
    })),
    products: machine.products.map(productRead),
    eulas: machine.eulas.map(({ value }) => value),
    annotation: machine.annotations[0]?.value,
    transports: hardware.section?.transports.length ? hardware.section.transports : undefined,
  });
}

function machineMeant(machine: SystemDescription, dialect: ApplianceDescription["dialect"]): object {
  const { operatingSystem, disks, products, coresPerSocket, nics, ...rest } = machine;
  return present({
    ...rest,
    operatingSystem: `${operatingSystem.id}`,
    coresPerSocket: dialect === "virtualbox" ? undefined : coresPerSocket,
    disks: disks.map(({ uuid: _, ...disk }) => disk),
    nics,
    products: products.map(productMeant),
  });
}

describe("a written descriptor", () => {
  it("is what the importers were seen to take", async () => {
    const text = writeEnvelope(appliance("portable", system()));
    await expect(text).toMatchFileSnapshot("written/portable.ovf");
    await expect(writeEnvelope(appliance("vmware", system({ diskBus: "scsi" })))).toMatchFileSnapshot(
      "written/vmware.ovf",
    );
    const uefi = system({ firmware: "uefi", cpus: 2, nics: [{ model: "virtio", network: "Bridged" }] });
    await expect(writeEnvelope(appliance("virtualbox", uefi))).toMatchFileSnapshot("written/virtualbox-uefi.ovf");
  });

  it("gives the same machines back to our reader, without a single oddity", () => {
    fc.assert(
      fc.property(appliances, (description) => {
        const parsed = read(writeEnvelope(description));
        const { systems } = parsed.envelope;
        const known = description.systems.map((machine) => machineMeant(machine, description.dialect));
        expect(systems.map((machine) => machineRead(parsed, machine))).toEqual(known);
        expect(parsed.found.filter(({ code }) => code !== "OVF_SECTION_UNKNOWN")).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it("tells VirtualBox of UEFI in its own settings, which name the same disks", () => {
    for (const diskBus of ["sata", "scsi", "ide", "nvme"] as const) {
      const disks = [1, 2, 3].map((number) => ({
        href: `d${number}.vmdk`,
        capacity: 2 ** 30,
        uuid: `5f042839-c478-43d9-9eb0-fd8a9021460${number}`,
      }));
      const { envelope } = read(writeEnvelope(appliance("portable", system({ firmware: "uefi", diskBus, disks }))));
      const machine = envelope.systems[0]?.virtualBox;
      expect(machine).toMatchObject({ firmware: "efi", cpus: 1, memory: 1 << 30, name: "app", osType: "Debian_64" });
      expect(machine?.attachments.map(({ imageUuid }) => imageUuid)).toEqual(
        envelope.disks.map(({ vboxUuid }) => vboxUuid),
      );
      expect(new Set(machine?.attachments.map(({ port, device }) => `${port} ${device}`)).size).toBe(3);
    }
  });

  it("has nothing of VirtualBox for VMware and nothing of VMware for VirtualBox", () => {
    const machine = system({ firmware: "uefi", coresPerSocket: 1, cpus: 2 });
    expect(writeEnvelope(appliance("vmware", machine))).not.toMatch(/vbox|virtualbox/i);
    expect(writeEnvelope(appliance("virtualbox", machine))).not.toMatch(/vmw:|vmware\.com\/schema/i);
  });

  it("refuses what its dialect or XML cannot say", async () => {
    expect(await codeOfWriting(appliance("vmware", system({ diskBus: "virtio" })))).toBe("OVF_BUS");
    expect(await codeOfWriting(appliance("portable", system({ nics: [{ model: "virtio", network: "NAT" }] })))).toBe(
      "OVF_NIC",
    );
    const disk = system().disks[0] as SystemDescription["disks"][number];
    const five = Array.from({ length: 5 }, () => disk);
    expect(await codeOfWriting(appliance("portable", system({ diskBus: "ide", disks: five })))).toBe(
      "OVF_DISKS_TOO_MANY",
    );
    for (const name of ["a\u0001", "\ud800b", "\udc00", "\ufffe", "\u0000"]) {
      expect(await codeOfWriting(appliance("portable", system({ name })))).toBe("OVF_TEXT_UNWRITABLE");
    }
    expect(writeEnvelope(appliance("portable", system({ name: "\u{1f600} \u0085" })))).toContain("\u{1f600}");
    const outside = [{ ...disk, href: "../x.vmdk" }];
    expect(await codeOfWriting(appliance("portable", system({ disks: outside })))).toBe("OVF_HREF_UNSAFE");
  });
});

describeWith({ tools: ["xmllint"], corpus: "ovf-schema" }, "a written descriptor, held against the schemas", () => {
  const scratch = mkdtempSync(join(tmpdir(), "transload-xsd-"));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  it.each([
    ["1.0.0", "dsp8023_1.0.0.derived.xsd"],
    ["1.1.1", "dsp8023_1.1.1.xsd"],
  ])("is valid by %s", async (version, schema) => {
    const descriptions = fc.sample(appliances, { numRuns: 60, seed: 1 });
    const files = descriptions.map((description, index) => {
      const path = join(scratch, `${version}-${index}.ovf`);
      // VirtualBox's settings are the one section that no schema of the DMTF knows.
      writeFileSync(path, writeEnvelope(description).replace(/ *<vbox:Machine.*?<\/vbox:Machine>\n/gs, ""));
      return path;
    });
    const folder = corpus("ovf-schema", version);
    const env = { ...process.env, XML_CATALOG_FILES: join(folder, "catalog.xml") };
    const { stderr } = await promisify(execFile)(
      "xmllint",
      ["--nonet", "--noout", "--schema", join(folder, schema), ...files],
      { env, maxBuffer: 1 << 26 },
    );
    expect(stderr.match(/ validates$/gm)).toHaveLength(files.length);
  });
});
