import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createContext } from "../../src/context.ts";
import { hardwareFor } from "../../src/ovf/effective-hardware.ts";
import { parseEnvelope } from "../../src/ovf/envelope.ts";
import { fuzz, outcomeOf } from "../support/fuzz.ts";
import { corpus } from "../support/needs.ts";
import { descriptor, item } from "./descriptor.ts";

const OWN = descriptor({
  files: `<File ovf:id="f" ovf:href="a.vmdk" ovf:size="7"/>`,
  disks: `<Disk ovf:diskId="d" ovf:capacity="\${size}" ovf:capacityAllocationUnits="byte * 2^30" ovf:fileRef="f"/>`,
  envelope: `<DeploymentOptionSection><Configuration ovf:id="a" ovf:default="true"/></DeploymentOptionSection>`,
  system: `<ProductSection><Property ovf:key="size" ovf:value="3"/></ProductSection>`,
  items:
    item({ InstanceID: 1, ResourceType: 5, Address: 0 }) +
    item({ InstanceID: 2, ResourceType: 4, AllocationUnits: "byte * 2^20", VirtualQuantity: 64 }) +
    item({ InstanceID: 3, ResourceType: 17, HostResource: "ovf:/disk/d", Parent: 1 }, `ovf:configuration="a"`),
});

/** One of each dialect, where the corpus is at hand. */
const BORROWED = [
  "vbox-s1.15-box-smartos-iso.ovf",
  "vbox-s1.12-ovf2.0-ubuntu.ovf",
  "vmware-nvram-configs-capacity-property.ovf",
  "vmware-ovf0.9-joomla.ovf",
  "ovirt-3.3-vmovf.ovf",
  "xenserver-appliance.ovf",
].map((name) => corpus("ovf", name));

const SEEDS = [Buffer.from(OWN), ...BORROWED.filter((path) => existsSync(path)).map((path) => readFileSync(path))];

/** Everything that is done with a descriptor. */
function read(bytes: Uint8Array): void {
  const ctx = createContext();
  const envelope = parseEnvelope(bytes, "a.ovf", ctx);
  for (const system of envelope.systems) hardwareFor(envelope, system, undefined, ctx);
}

const seed = fc.constantFrom(...SEEDS);
const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("a damaged descriptor is read or refused", () => {
  it("after changes of some bytes", async () => {
    const changes = fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 8 });
    await fuzz("ovf, some bytes", 200, fc.tuple(seed, changes), ([source, list]) => {
      const bytes = Uint8Array.from(source);
      for (const [at, value] of list) bytes[Math.floor(at * bytes.length)] = value;
      read(bytes);
    });
  });

  it("when it ends early", async () => {
    await fuzz("ovf, cut", 100, fc.tuple(seed, place), ([source, at]) => {
      read(source.subarray(0, Math.floor(at * source.length)));
    });
  });

  it("when a stretch of it stands twice or is missing", async () => {
    const damaged = fc.tuple(seed, place, place, fc.boolean());
    await fuzz("ovf, a stretch twice or missing", 100, damaged, ([source, from, to, twice]) => {
      const start = Math.floor(Math.min(from, to) * source.length);
      const end = Math.floor(Math.max(from, to) * source.length);
      read(Buffer.concat([source.subarray(0, twice ? end : start), source.subarray(twice ? start : end)]));
    });
  });

  it("when its values are something else", async () => {
    const odd = [
      "",
      "-1",
      "9".repeat(30),
      `\${size}`,
      "true",
      "..",
      "\u{1f600}",
      "byte * 2^99",
      "constructor",
      "__proto__",
    ];
    const damaged = fc.tuple(seed, fc.nat(300), fc.constantFrom(...odd));
    await fuzz("ovf, other values", 200, damaged, ([source, which, value]) => {
      let index = 0;
      const text = source.toString("utf8").replace(/"[^"<>]*"|>[^<>]+</g, (whole) => {
        if (index++ !== which) return whole;
        return whole.startsWith('"') ? `"${value}"` : `>${value}<`;
      });
      read(Buffer.from(text));
    });
  });

  const start = `<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1">`;
  it.each([
    ["nested elements", "OVF_XML_TOO_DEEP", `${start}${"<a>".repeat(90_000)}${"</a>".repeat(90_000)}</Envelope>`],
    [
      "nested collections",
      "OVF_XML_TOO_DEEP",
      `${start}${"<VirtualSystemCollection>".repeat(300)}`.concat(
        `${"</VirtualSystemCollection>".repeat(300)}</Envelope>`,
      ),
    ],
    ["elements beyond number", "OVF_TOO_LARGE", `${start}${"<a/>".repeat(2_000_000)}</Envelope>`],
    ["tags that never close", "OVF_TOO_LARGE", "<a>".repeat(2_000_000)],
    ["attributes beyond number", "OVF_TOO_LARGE", `<Envelope ${'a="" '.repeat(1_000_000)}/>`],
    ["the same attribute twice", "OVF_XML_MALFORMED", `${start}<File ovf:id="a" ovf:id="b"/></Envelope>`],
    ["blanks beyond number", "OVF_XML_MALFORMED", `<Envelope ${" ".repeat(8_000_000)}`],
    ["references beyond number", "read", `${start}${"&lt;".repeat(500_000)}</Envelope>`],
    [
      "scopes within a large scope",
      "read",
      `<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" ${Array.from(
        { length: 30_000 },
        (_, index) => `xmlns:p${index}="u"`,
      ).join(" ")}>${`<a xmlns:q="u"/>`.repeat(30_000)}</Envelope>`,
    ],
    [
      "systems and disks by the ten thousand",
      "read",
      `${start}<DiskSection>${`<Disk diskId="a"/>`.repeat(
        30_000,
      )}</DiskSection>${"<VirtualSystem/>".repeat(30_000)}</Envelope>`,
    ],
  ])("with %s: %s", async (_, outcome, text) => {
    const started = performance.now();
    expect(await outcomeOf(() => read(Buffer.from(text)))).toBe(outcome);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
