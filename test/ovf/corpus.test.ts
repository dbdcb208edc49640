import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { type Drive, type EffectiveHardware, hardwareFor } from "../../src/ovf/effective-hardware.ts";
import { parseEnvelope } from "../../src/ovf/envelope.ts";
import type { Entity, Envelope, Section, VirtualSystem } from "../../src/ovf/model.ts";
import { corpus, describeWith } from "../support/needs.ts";
import { OTHERS } from "./corpus/others.ts";
import type { ReadRow, Row } from "./corpus/row.ts";
import { VIRTUALBOX } from "./corpus/virtualbox.ts";
import { VMWARE_A } from "./corpus/vmware-a.ts";
import { VMWARE_B } from "./corpus/vmware-b.ts";

const TABLE: Readonly<Record<string, Row>> = { ...OTHERS, ...VIRTUALBOX, ...VMWARE_A, ...VMWARE_B };

function size(bytes: number | undefined): string {
  if (bytes === undefined) return "?";
  for (const [unit, factor] of [
    ["G", 2 ** 30],
    ["M", 2 ** 20],
    ["K", 2 ** 10],
  ] as const) {
    if (bytes > 0 && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return String(bytes);
}

function headOf(system: VirtualSystem, hardware: EffectiveHardware | undefined): string {
  const os = system.operatingSystem;
  const ids = [os?.id ?? "-", os?.vmwareType, os?.virtualBoxType].filter((id) => id !== undefined).join(" ");
  const machine = [
    hardware?.cpus === undefined ? "?" : String(hardware.cpus),
    size(hardware?.memory),
    hardware?.firmware,
    hardware?.secureBoot ? "secure" : undefined,
    hardware?.nvram === undefined ? undefined : `nvram=${hardware.nvram.href}`,
  ];
  const families = hardware?.section?.families ?? system.hardware[0]?.families ?? [];
  return [
    system.id ?? "-",
    system.name ?? "-",
    os === undefined ? "-" : ids,
    families.join(" ") || "-",
    machine.filter((part) => part !== undefined).join(" "),
  ].join(" | ");
}

function driveLine({ kind, controller, unit, disk, file, capacity }: Drive): string {
  const place = controller === undefined ? "-" : `${controller.kind}${controller.bus ?? ""}`;
  let content = file?.href ?? "empty";
  if (disk !== undefined) content = `${disk.id} ${size(capacity)} ${file?.href ?? "blank"}`;
  else if (capacity !== undefined) content = `blank ${size(capacity)}`;
  return `${kind} ${place}:${unit ?? "-"} ${content}`;
}

function systemLines(system: VirtualSystem, hardware: EffectiveHardware | undefined): readonly string[] {
  const adapters = hardware?.networkAdapters ?? [];
  return [
    headOf(system, hardware),
    ...(hardware?.drives ?? []).map(driveLine),
    ...adapters.map(({ subType, connections }) => `nic ${subType ?? "-"}@${connections.join(",")}`),
  ];
}

function owners(envelope: Envelope): readonly (Envelope | Entity)[] {
  const inside = (entity: Entity): Entity[] =>
    entity.kind === "system" ? [entity] : [entity, ...entity.entities.flatMap(inside)];
  return [envelope, ...envelope.entities.flatMap(inside)];
}

function hardwareOrCode(envelope: Envelope, system: VirtualSystem, ctx = createContext()): EffectiveHardware | string {
  try {
    return hardwareFor(envelope, system, undefined, ctx);
  } catch (error) {
    if (error instanceof ConverterError) return error.code;
    throw error;
  }
}

function read(name: string): ReadRow {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (each) => diagnostics.push(each) });
  const envelope = parseEnvelope(readFileSync(corpus("ovf", name)), name, ctx);
  const results = envelope.systems.map((system) => hardwareOrCode(envelope, system, ctx));
  const chosen = results.map((result) => (typeof result === "string" ? undefined : result));
  const all = owners(envelope);
  const count = (pick: (owner: Envelope | Entity) => number) => all.reduce((sum, owner) => sum + pick(owner), 0);
  const eulas = count((owner) => owner.eulas.length);
  const properties = count(({ products }) => products.reduce((sum, each) => sum + each.properties.length, 0));
  const { files, disks, networks, configurations } = envelope;
  const codes = [...new Set(diagnostics.map(({ code }) => code))].sort().join(" ");
  const failure = results.find((result) => typeof result === "string");
  const options = configurations.map(({ id }) => (id === chosen[0]?.configuration ? `${id}*` : id)).join(" ");
  return {
    is: `${envelope.version} ${envelope.producer.kind}`,
    has: `${files.length} files, ${disks.length} disks, ${networks.length} networks, ${eulas} eulas, ${properties} properties`,
    ...(options === "" ? {} : { configurations: options }),
    ...(codes === "" ? {} : { warnings: codes }),
    ...(failure === undefined ? {} : { hardwareError: failure }),
    systems: envelope.systems.map((system, index) => systemLines(system, chosen[index])),
  };
}

describeWith({ corpus: "ovf" }, "the descriptors of the corpus", () => {
  // A skipped body is still run to collect its tests.
  const names = existsSync(corpus("ovf"))
    ? readdirSync(corpus("ovf")).filter((name) => /\.(ovf|xml)$/i.test(name))
    : [];

  it("are all in the table, and nothing else is", () => {
    expect(Object.keys(TABLE).sort()).toEqual(names.sort());
  });

  describe.each(names)("%s", (name) => {
    const row = TABLE[name];

    it("reads as it should", () => {
      if (row === undefined) throw new Error("no line in the table");
      if ("error" in row) {
        expect(() => read(name)).toThrowError(expect.objectContaining({ code: row.error }));
        return;
      }
      const { because: _, ...expected } = row;
      expect(read(name)).toEqual(expected);
    });

    it.skipIf(row === undefined || "error" in row)("has a tag of its own at the start and end of each span", () => {
      const envelope = parseEnvelope(readFileSync(corpus("ovf", name)), name, createContext());
      const cut = ({ span }: Pick<Section, "span">) => envelope.text.slice(span.start, span.end);
      for (const owner of owners(envelope)) {
        for (const section of owner.sections) {
          expect(cut(section)).toMatch(new RegExp(`^<([\\w]+:)?(${section.name}|Section)[\\s/>]`));
          expect(cut(section)).toMatch(new RegExp(`(</([\\w]+:)?(${section.name}|Section)\\s*>|/>)$`));
        }
      }
      for (const file of envelope.files) expect(cut(file)).toMatch(/^<([\w]+:)?File\s[^>]*>/);
      for (const disk of envelope.disks) expect(cut(disk)).toMatch(/^<([\w]+:)?Disk\s[^>]*>/);
      for (const item of envelope.systems.flatMap((system) => system.hardware.flatMap(({ items }) => items))) {
        expect(cut(item)).toMatch(/^<([\w]+:)?(Item|StorageItem|EthernetPortItem)[\s>].*<\/[\w:]+\s*>$/s);
      }
    });
  });
});

/** Configurations other than the chosen one, read off the items that name them. */
describeWith({ corpus: "ovf" }, "the configurations of the corpus", () => {
  it.each([
    ["vmware-sugarcrm-2vm-configs.ovf", "medium", 1, "512M", 3, 1],
    ["vmware-sugarcrm-2vm-configs.ovf", "large", 2, "1G", 3, 1],
    ["cisco-csr1000v.ovf", "4CPU-8GB", 4, "8G", 1, 3],
    ["cisco-csr1000v.ovf", "2CPU-4GB", 2, "4G", 1, 3],
    ["cisco-iosv.ovf", "1CPU-1GB-8NIC", 1, "1G", 2, 8],
    ["cisco-iosv.ovf", "1CPU-3GB-16NIC", 1, "3G", 2, 16],
    ["cot-input.ovf", "2CPU-2GB-1NIC", 2, "2G", 1, 1],
    ["vmware-govmomi-kitchen-sink.ovf", "frontend", 2, "4G", 5, 3],
    ["vmware-nvram-configs-capacity-property.ovf", "small", 1, "32M", 3, 1],
    ["vmware-vcsa-9.1-331kB.ovf", "xlarge", 24, "58G", 15, 1],
  ])("%s as %s", (name, configuration, cpus, memory, disks, adapters) => {
    const envelope = parseEnvelope(readFileSync(corpus("ovf", name)), name, createContext());
    const [system] = envelope.systems;
    if (system === undefined) throw new Error("no system");
    const hardware = hardwareFor(envelope, system, configuration, createContext());
    const counted = hardware.drives.filter(({ kind }) => kind === "disk").length;
    expect([hardware.cpus, size(hardware.memory), counted, hardware.networkAdapters.length]).toEqual([
      cpus,
      memory,
      disks,
      adapters,
    ]);
  });
});
