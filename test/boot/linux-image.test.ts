import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { biosLoader, prepareBiosStart } from "../../src/boot/bios-loader.ts";
import { asksForInitrd, parseLinuxImage } from "../../src/boot/linux-image.ts";
import { ConverterError } from "../../src/errors.ts";
import { madeKernel } from "./made-kernel.ts";

describe("a kernel", () => {
  it("tells its release, where its setup ends and where an initrd may lie", () => {
    const kernel = parseLinuxImage(madeKernel({ release: "6.1.0-9-amd64" }), "vmlinuz");
    expect(kernel).toMatchObject({ release: "6.1.0-9-amd64", setupBytes: 2560, endAddress: 0x1000000 + 0x2000000 });
  });

  it.each([
    ["5.4.0-1", false],
    ["4.19.0", false],
    ["5.8.0", true],
    ["5.10.0-30-amd64", true],
    ["6.1.0", true],
  ])("%s asks its loader for the initrd: %s", (release, answer) => {
    expect(asksForInitrd(parseLinuxImage(madeKernel({ release }), "vmlinuz"))).toBe(answer);
  });

  it.each([
    ["an ELF file", Buffer.concat([Buffer.from("\x7fELF", "latin1"), Buffer.alloc(5000)]), /ELF/],
    ["a short file", Buffer.from("MZ"), /2 bytes/],
    ["an old protocol", madeKernel({ protocol: 0x0204 }), /protocol is 2\.4/],
    ["a kernel for 32 bits", madeKernel({ is64: false }), /32 bits/],
    ["a kernel that ends early", madeKernel({}).subarray(0, 2000), /ends inside its setup/],
  ])("%s is refused with BOOT_KERNEL_FORMAT", (_, bytes, message) => {
    expect(() => parseLinuxImage(bytes, "vmlinuz")).toThrow(message);
    expect(() => parseLinuxImage(bytes, "vmlinuz")).toThrow(expect.objectContaining({ code: "BOOT_KERNEL_FORMAT" }));
  });

  it("never fails otherwise than by an error of ours, whatever its bytes", () => {
    const whole = madeKernel({});
    fc.assert(
      fc.property(fc.integer({ min: 0x1f0, max: 0x26b }), fc.nat(255), (at, value) => {
        const bytes = Buffer.from(whole);
        bytes[at] = value;
        try {
          prepareBiosStart(parseLinuxImage(bytes, "vmlinuz"), 1000);
        } catch (cause) {
          expect(cause).toBeInstanceOf(ConverterError);
        }
      }),
    );
  });
});

describe("the start by a BIOS", () => {
  const kernel = parseLinuxImage(madeKernel({}), "vmlinuz");

  it("has the setup filled in and the loads in the loader's table", () => {
    const start = prepareBiosStart(kernel, 5000);
    const setup = Buffer.from(start.setup);
    expect(start.initrdAddress % (2 << 20)).toBe(0);
    expect(setup.readUInt32LE(0x218)).toBe(start.initrdAddress);
    expect(setup.readUInt32LE(0x21c)).toBe(5000);
    expect(setup.readUInt32LE(0x228)).toBe(0x1e000);
    expect(setup[0x210]).toBe(0xff);
    const code = Buffer.from(
      biosLoader(kernel, start, 5000, { setup: 64, commandLine: 3000, kernel: 3004, initrd: 4000 }),
    );
    const loads = [0, 1, 2, 3].map((row) => [0, 4, 8].map((at) => code.readUInt32LE(0x180 + row * 12 + at)));
    expect(loads).toEqual([
      [64, 5, 0x10000],
      [3000, 4, 0x1e000],
      [3009, Math.ceil((kernel.bytes.length - 2560) / 512), 0x100000],
      [4000, 10, start.initrdAddress],
    ]);
  });

  it("refuses an initrd for which there is no room with BOOT_KERNEL_MEMORY", () => {
    expect(() => prepareBiosStart(kernel, 3 * 2 ** 30)).toThrow(
      expect.objectContaining({ code: "BOOT_KERNEL_MEMORY" }),
    );
  });
});
