import { describe, expect, it } from "vitest";
import { createContext, type Diagnostic } from "../../src/context.ts";
import { hardwareFor } from "../../src/ovf/effective-hardware.ts";
import { parseEnvelope } from "../../src/ovf/envelope.ts";
import { parseHostResource } from "../../src/ovf/hardware.ts";
import { descriptor, item } from "./descriptor.ts";

function read(text: string) {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (each) => diagnostics.push(each) });
  const envelope = parseEnvelope(Buffer.from(text), "a.ovf", ctx);
  const hardware = (configuration?: string) => {
    const [system] = envelope.systems;
    if (system === undefined) throw new Error("no system");
    return hardwareFor(envelope, system, configuration, ctx);
  };
  return { envelope, hardware, codes: () => diagnostics.map(({ code }) => code), diagnostics };
}

const DISK = `<Disk ovf:diskId="d" ovf:capacity="1" ovf:capacityAllocationUnits="byte * 2^30" ovf:fileRef="f"/>`;
const FILE = `<File ovf:id="f" ovf:href="a.vmdk" ovf:size="7"/>`;
const DRIVE = item({ InstanceID: 9, ResourceType: 17, HostResource: "ovf:/disk/d" });

describe("parseEnvelope", () => {
  it.each([
    ["http://www.vmware.com/schema/ovf/1/envelope", "0.9"],
    ["http://schemas.dmtf.org/ovf/envelope/1", "1"],
    ["http://schemas.dmtf.org/ovf/envelope/1/", "1"],
    ["http://schemas.dmtf.org/ovf/envelope/2", "2"],
  ])("takes %s for version %s", (namespace, version) => {
    expect(read(`<Envelope xmlns="${namespace}"/>`).envelope).toMatchObject({ version, namespace });
  });

  it.each(["http://schemas.dmtf.org/ovf/envelope/3", "http://schemas.dmtf.org/ovf/envelope/10", "urn:x"])(
    "refuses %s",
    (namespace) => {
      expect(() => read(`<Envelope xmlns="${namespace}"/>`)).toThrowError(
        expect.objectContaining({ code: "OVF_VERSION_UNKNOWN", exitCode: 69 }),
      );
    },
  );

  it("refuses what is no Envelope", () => {
    expect(() => read("<html/>")).toThrowError(expect.objectContaining({ code: "OVF_NOT_AN_ENVELOPE", exitCode: 65 }));
  });

  it("reads attributes with and without prefix, but not those of others", () => {
    const { envelope } = read(
      descriptor({ files: `<File id="f" href="a.vmdk" size="7"/><File ovf:id="g" vmw:href="no" ovf:href="b.vmdk"/>` }),
    );
    expect(envelope.files.map(({ id, href, size }) => [id, href, size])).toEqual([
      ["f", "a.vmdk", 7],
      ["g", "b.vmdk", undefined],
    ]);
  });

  it("reports elements that lack what they are known by, and leaves them out", () => {
    const { envelope, codes } = read(
      descriptor({
        files: `<File ovf:id="f"/>`,
        disks: `<Disk ovf:capacity="1"/>`,
        envelope: `<NetworkSection><Network/></NetworkSection><DeploymentOptionSection><Configuration/></DeploymentOptionSection>
          <StartupSection><Item/></StartupSection><ProductSection><Property/></ProductSection>`,
      }),
    );
    expect(codes()).toEqual(Array(6).fill("OVF_ELEMENT_INCOMPLETE"));
    expect(envelope).toMatchObject({ files: [], disks: [], networks: [], configurations: [], startup: [] });
  });

  it("places diagnostics in the text", () => {
    const { envelope, diagnostics } = read(descriptor({ files: FILE.replace(`"7"`, `"-7"`) }));
    const [first] = diagnostics;
    expect(first).toMatchObject({ code: "OVF_NUMBER_INVALID", where: { file: "a.ovf" } });
    expect(envelope.text.slice(first?.where.offset)).toMatch(/^<File /);
  });

  it("reads products, categories, values of configurations, texts and bundles", () => {
    const { envelope } = read(
      descriptor({
        envelope: `<Strings xml:lang="de"><Msg ovf:msgid="m">Hallo</Msg></Strings><Strings ovf:fileRef="s"/>`,
        system: `<ProductSection ovf:class="c"><Info/><Product ovf:msgid="m">P</Product><Version>1</Version>
          <Category>One</Category><Property ovf:key="k" ovf:type="string" ovf:value="v" ovf:userConfigurable="TRUE">
          <Value ovf:value="w" ovf:configuration="big"/></Property><Property ovf:key="l" ovf:password="true"/></ProductSection>
          <EulaSection><Info/><License> Words </License></EulaSection>`,
      }),
    );
    const [system] = envelope.systems;
    expect(system?.products).toMatchObject([
      { class: "c", instance: undefined, product: { value: "P", messageId: "m" }, version: "1" },
    ]);
    expect(system?.products[0]?.properties).toMatchObject([
      { key: "k", value: "v", userConfigurable: true, password: false, category: { value: "One" } },
      { key: "l", value: undefined, userConfigurable: false, password: true, category: { value: "One" } },
    ]);
    expect(system?.products[0]?.properties[0]?.valuesByConfiguration).toEqual(new Map([["big", "w"]]));
    expect(system?.eulas).toEqual([{ value: "Words", messageId: undefined }]);
    expect(envelope.strings).toEqual([
      { language: "de", fileRef: undefined, messages: new Map([["m", "Hallo"]]) },
      { language: undefined, fileRef: "s", messages: new Map() },
    ]);
  });

  it("keeps unknown sections by their spans and reports the required ones", () => {
    const { envelope, codes } = read(
      descriptor({ system: `<x:Own xmlns:x="urn:x" ovf:required="false"><x:y/></x:Own><OddSection/>` }),
    );
    const sections = envelope.systems[0]?.sections.filter(({ known }) => !known) ?? [];
    expect(sections.map(({ name, required }) => [name, required])).toEqual([
      ["Own", false],
      ["OddSection", true],
    ]);
    expect(envelope.text.slice(sections[0]?.span.start, sections[0]?.span.end)).toMatch(/^<x:Own .*<\/x:Own>$/);
    expect(codes()).toEqual(["OVF_SECTION_UNKNOWN"]);
  });
});

describe("parseHostResource", () => {
  it.each([
    ["ovf:/disk/d", "disk", "d"],
    ["ovf://disk/d", "disk", "d"],
    ["/disk/d", "disk", "d"],
    ["disk/d", "disk", "d"],
    ["ovf:/file/a/b", "file", "a/b"],
    ["/file/f", "file", "f"],
    ["nonexistent.vmdk", "other", "nonexistent.vmdk"],
    ["8c634412/f934b12c", "other", "8c634412/f934b12c"],
    ["ovf:/disk/", "other", "ovf:/disk/"],
  ])("reads %s", (text, kind, id) => expect(parseHostResource(text)).toEqual({ kind, id }));
});

describe("hardwareFor", () => {
  const FULL = { files: FILE, disks: DISK };

  it("resolves drives to disks and files", () => {
    const cd = item({ InstanceID: 2, ResourceType: 15, HostResource: "ovf:/file/f", Parent: 1, AddressOnParent: 1 });
    const ide = item({ InstanceID: 1, ResourceType: 5, Address: 0 });
    const { hardware, codes } = read(descriptor({ ...FULL, items: ide + cd + DRIVE }));
    expect(hardware().drives).toMatchObject([
      { kind: "cd", unit: 1, controller: { kind: "ide", bus: 0 }, disk: undefined, file: { href: "a.vmdk" } },
      { kind: "disk", unit: undefined, controller: undefined, disk: { id: "d" }, capacity: 2 ** 30 },
    ]);
    expect(codes()).toEqual([]);
  });

  it.each([
    ["OVF_DANGLING_REFERENCE", "an unknown disk", { items: DRIVE }],
    ["OVF_DANGLING_REFERENCE", "an unknown file", { disks: DISK, items: DRIVE }],
    ["OVF_DANGLING_REFERENCE", "an unknown path", { items: DRIVE.replace("ovf:/disk/d", "d.vmdk") }],
    ["OVF_AMBIGUOUS_REFERENCE", "one of two disks", { files: FILE, disks: DISK + DISK, items: DRIVE }],
    ["OVF_AMBIGUOUS_REFERENCE", "one of two files", { files: FILE + FILE, disks: DISK, items: DRIVE }],
    ["OVF_CAPACITY_MISSING", "a blank disk of no size", { disks: `<Disk ovf:diskId="d"/>`, items: DRIVE }],
    ["OVF_CAPACITY_MISSING", "a blank disk of -1", { disks: `<Disk ovf:diskId="d" ovf:capacity="-1"/>`, items: DRIVE }],
    [
      "OVF_CAPACITY_MISSING",
      "a blank disk sized by no property",
      { disks: `<Disk ovf:diskId="d" ovf:capacity="\${x}"/>`, items: DRIVE },
    ],
  ])("fails with %s for a drive on %s", (code, _, parts) => {
    const { hardware } = read(descriptor(parts));
    expect(() => hardware()).toThrowError(expect.objectContaining({ code, exitCode: 65 }));
  });

  it("only reports a CD that leads nowhere", () => {
    const cd = item({ InstanceID: 2, ResourceType: 15, HostResource: "/file/x", Parent: 7 });
    const { hardware, codes } = read(descriptor({ items: cd }));
    expect(hardware().drives).toMatchObject([{ kind: "cd", disk: undefined, file: undefined }]);
    expect(codes()).toEqual(["OVF_PARENT_MISSING", "OVF_DANGLING_REFERENCE"]);
  });

  it("takes the default configuration, else the first, else the one asked for", () => {
    const options = (extra: string) =>
      `<DeploymentOptionSection><Configuration ovf:id="a"/><Configuration ovf:id="b" ${extra}/></DeploymentOptionSection>`;
    const items =
      item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 1 }) +
      item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 2 }, `ovf:configuration="a b"`) +
      item({ InstanceID: 1, ResourceType: 3, VirtualQuantity: 4 }, `ovf:configuration="b"`);
    const plain = read(descriptor({ envelope: options(""), items }));
    expect(plain.hardware()).toMatchObject({ configuration: "a", cpus: 2 });
    expect(plain.hardware("b")).toMatchObject({ configuration: "b", cpus: 4 });
    expect(read(descriptor({ envelope: options(`ovf:default="true"`), items })).hardware().configuration).toBe("b");
    expect(() => plain.hardware("c")).toThrowError(
      expect.objectContaining({
        code: "OVF_CONFIGURATION_UNKNOWN",
        exitCode: 66,
        advice: `choose one of "a", "b"`,
      }),
    );
    expect(() => read(descriptor({})).hardware("c")).toThrowError(/"c"/);
  });

  it("takes the normal item, else the lower bound, else the upper", () => {
    const memory = (amount: number, bound: string) =>
      item({ InstanceID: 1, ResourceType: 4, AllocationUnits: "MB", VirtualQuantity: amount }, `ovf:bound="${bound}"`);
    const of = (items: string) => read(descriptor({ items })).hardware().memory;
    expect(of(memory(3, "max") + memory(2, "normal") + memory(1, "min"))).toBe(2 * 2 ** 20);
    expect(of(memory(3, "max") + memory(1, "min"))).toBe(2 ** 20);
    expect(of(memory(3, "max"))).toBe(3 * 2 ** 20);
  });

  it.each([
    [{ VirtualQuantity: 64 }, 64 * 2 ** 20],
    [{ VirtualQuantity: 64, AllocationUnits: "furlongs" }, undefined],
  ])("reports memory of doubtful units: %j", (properties, memory) => {
    const { hardware, codes } = read(descriptor({ items: item({ InstanceID: 1, ResourceType: 4, ...properties }) }));
    expect(hardware().memory).toBe(memory);
    expect(codes()).toEqual(["OVF_UNITS_UNKNOWN"]);
  });

  it("reports processors that are said twice", () => {
    const cpu = (id: number, count: number) => item({ InstanceID: id, ResourceType: 3, VirtualQuantity: count });
    const { hardware, codes } = read(descriptor({ items: cpu(1, 2) + cpu(2, 8) }));
    expect(hardware().cpus).toBe(2);
    expect(codes()).toEqual(["OVF_ITEM_REPEATED"]);
  });

  it("takes a capacity from a property, in the chosen configuration", () => {
    const { hardware } = read(
      descriptor({
        disks: `<Disk ovf:diskId="d" ovf:capacity="\${size}" ovf:capacityAllocationUnits="byte * 2^30"/>`,
        envelope: `<DeploymentOptionSection><Configuration ovf:id="s"/><Configuration ovf:id="l"/></DeploymentOptionSection>`,
        system: `<ProductSection><Property ovf:key="size" ovf:value="3"><Value ovf:configuration="l" ovf:value="5"/></Property></ProductSection>`,
        items: DRIVE,
      }),
    );
    expect(hardware().drives[0]?.capacity).toBe(3 * 2 ** 30);
    expect(hardware("l").drives[0]?.capacity).toBe(5 * 2 ** 30);
  });
});
