import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeHardware, encodeHardware, type RecordedHardware } from "../../converters/guest/hardware-label.ts";
import { HARDWARE_LABEL } from "../../converters/guest/labels.ts";
import type { Machine } from "../../converters/machine/machine.ts";
import { recordedHardware } from "../../converters/ovf-to-oci/hardware.ts";
import { hardwareFor } from "../../src/ovf/effective-hardware.ts";
import { parseEnvelope } from "../../src/ovf/envelope.ts";
import { writeEnvelope } from "../../src/ovf/envelope-writer.ts";
import { watching } from "../ovf/appliance.ts";
import { appliances } from "../ovf/appliances.ts";

function decoded(text: string) {
  const { ctx, found } = watching();
  return { hardware: decodeHardware({ [HARDWARE_LABEL]: text }, "image", ctx), codes: found.map(({ code }) => code) };
}

describe("the label of a machine's hardware", () => {
  it("brings back what a descriptor says, passwords excepted", () => {
    fc.assert(
      fc.property(appliances, (appliance) => {
        const { ctx } = watching();
        const envelope = parseEnvelope(Buffer.from(writeEnvelope(appliance)), "x.ovf", ctx);
        for (const [index, system] of envelope.systems.entries()) {
          const hardware = hardwareFor(envelope, system, undefined, ctx);
          const recorded = recordedHardware({ system, hardware } as Machine);
          const back = decoded(encodeHardware(recorded, "x", ctx));
          const meant = appliance.systems[index];
          expect(back.codes).toEqual([]);
          expect(back.hardware).toMatchObject({
            cpus: meant?.cpus,
            memory: meant?.memory,
            nics: meant?.nics,
            ...(meant?.firmware === "uefi" && { firmware: "uefi" }),
            ...(meant?.disks.length !== 0 && { diskBus: meant?.diskBus }),
            operatingSystem: { id: 96, ...(appliance.dialect !== "vmware" && { virtualBoxType: "Debian_64" }) },
          });
          const values = meant?.products.flatMap(({ properties }) =>
            properties.map(({ key, value, password }) => ({ key, value: password ? undefined : value })),
          );
          const found = back.hardware.products?.flatMap(({ properties }) => properties);
          expect(found?.map(({ key, value }) => ({ key, value }))).toEqual(values);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("stays small: the license goes first, which is told", () => {
    const { ctx, found } = watching();
    const products = [{ product: "x", properties: [] }];
    const licensed = decoded(encodeHardware({ cpus: 2, eulas: ["a".repeat(1 << 20)], products }, "x", ctx));
    expect(licensed.hardware).toEqual({ cpus: 2, products });
    const long = { cpus: 2, annotation: "a".repeat(1 << 20), products };
    expect(decoded(encodeHardware(long, "x", ctx)).hardware).toEqual({ cpus: 2 });
    const absurd: RecordedHardware = { transports: ["a".repeat(1 << 20)] };
    expect(decoded(encodeHardware(absurd, "x", ctx)).hardware).toEqual({});
    expect(found.map(({ code }) => code)).toEqual(["GUEST_HARDWARE_LABEL_CUT", "GUEST_HARDWARE_LABEL_CUT"]);
  });

  it.each(["", "[]", "null", '{"v":2}', `{"v":1,"annotation":"${"a".repeat(1 << 17)}"}`])(
    "that is not ours is a warning: %.20s",
    (text) => {
      expect(decoded(text)).toEqual({ hardware: {}, codes: ["GUEST_HARDWARE_LABEL"] });
    },
  );

  it("gives only what has the right form, whatever stands in it", () => {
    const text = JSON.stringify({
      v: 1,
      cpus: -1,
      memory: 1e300,
      coresPerSocket: "2",
      firmware: "efi",
      diskBus: "__proto__",
      nics: [{ model: "e1000" }, 7, { model: "constructor", network: "x" }, { model: "pcnet", network: "x", more: 1 }],
      products: [{ product: 1, properties: [{ key: "" }, { key: "k", password: "yes", type: {} }] }, []],
      operatingSystem: { id: 70000 },
      eulas: "no",
      transports: [1, "iso"],
    });
    expect(decoded(text)).toEqual({
      hardware: {
        nics: [{ model: "pcnet", network: "x" }],
        products: [{ properties: [{ key: "k" }] }],
        transports: ["iso"],
      },
      codes: [],
    });
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        decoded(JSON.stringify({ v: 1, ...(typeof value === "object" ? value : { cpus: value }) }));
        decoded(JSON.stringify({ v: 1, nics: value, products: [value], operatingSystem: value }));
      }),
    );
  });
});
