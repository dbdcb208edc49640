import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { createContext } from "../../src/context.ts";
import { parseEnvelope } from "../../src/ovf/envelope.ts";
import { corpus, describeWith } from "../support/needs.ts";

function read(name: string) {
  const envelope = parseEnvelope(readFileSync(corpus("ovf", name)), name, createContext());
  const machine = envelope.systems[0]?.virtualBox;
  if (machine === undefined) throw new Error("no vbox:Machine");
  return { envelope, machine };
}

describeWith({ corpus: "ovf" }, "vbox:Machine", () => {
  it("tells of VirtualBox 4 what forwards which port, and which image hangs where", () => {
    const { envelope, machine } = read("vbox-s1.12-box-tsuru.ovf");
    expect(machine).toMatchObject({
      name: "ubuntu-cloudimg-trusty-vagrant-amd64",
      settingsVersion: "1.12-linux",
      osType: "Ubuntu_64",
      firmware: "bios",
      cpus: 1,
      memory: 512 * 2 ** 20,
    });
    expect(machine.adapters).toHaveLength(8);
    expect(machine.adapters.filter(({ enabled }) => enabled)).toEqual([
      {
        slot: 0,
        enabled: true,
        type: "82540EM",
        mac: "080027213276",
        attachment: "NAT",
        forwardings: [
          {
            name: "guestssh",
            protocol: "tcp",
            hostIp: undefined,
            hostPort: 2222,
            guestIp: undefined,
            guestPort: 22,
          },
        ],
      },
    ]);
    expect(machine.attachments).toEqual([
      {
        controller: "SATAController",
        controllerType: "AHCI",
        type: "HardDisk",
        port: 0,
        device: 0,
        imageUuid: envelope.disks[0]?.vboxUuid,
      },
    ]);
  });

  it("tells of VirtualBox 7, which keeps the controllers inside the hardware, and of an image that no disk is", () => {
    const { envelope, machine } = read("vbox-s1.19-ubuntu22-two-cds.ovf");
    const cd = "c4d7fe81-0746-4e5b-a213-e667c781b6be";
    const disk = "2de94946-e756-4c83-a00f-e7fc36267c80";
    expect(machine.attachments.map((each) => [each.controller, each.type, each.port, each.imageUuid])).toEqual([
      ["IDE", "DVD", 1, cd],
      ["IDE", "DVD", 0, cd],
      ["SATA", "HardDisk", 0, disk],
    ]);
    expect(envelope.disks.map(({ vboxUuid }) => vboxUuid)).toEqual([disk]);
    expect(machine).toMatchObject({ firmware: "bios", cpus: 3, memory: 4 * 2 ** 30, osType: "Ubuntu22_LTS_64" });
  });

  it("tells of EFI, and spans the whole element", () => {
    const { envelope, machine } = read("vbox-s1.16-haos-hybrid-vmware.ovf");
    expect(machine).toMatchObject({ firmware: "efi", settingsVersion: "1.16-windows" });
    expect(envelope.text.slice(machine.span.start, machine.span.end)).toMatch(/^<vbox:Machine .*<\/vbox:Machine>$/s);
  });
});
