import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ConvertRequest, convert } from "../../converters/convert.ts";
import { createContext } from "../../src/context.ts";
import { describeWith } from "../support/needs.ts";
import { kernelPackage } from "./kernel-package.ts";
import { makeImage } from "./made-image.ts";
import { type Hardware, VirtualMachine } from "./virtual-machine.ts";

const SOURCE = fileURLToPath(new URL("web-server.c", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "transload-vm-"));
afterAll(() => rmSync(root, { recursive: true }));

/** Debian's OVMF has no driver for PVSCSI and does not see the disk. */
const FIRMWARE_SEES = ({ firmware, bus }: Hardware) => firmware === "bios" || bus !== "pvscsi";

/** All of it with TEST_BOOT=matrix; otherwise what is enough to see that each part works. */
const MATRIX = process.env["TEST_BOOT"] === "matrix";
const FEW: readonly Hardware[] = [
  { firmware: "bios", bus: "ahci", nic: "e1000" },
  { firmware: "uefi", bus: "virtio", nic: "virtio-net-pci" },
];
const NICS = ["e1000", "virtio-net-pci", "vmxnet3", "e1000e", "pcnet"] as const;
const ALL: readonly Hardware[] = (["bios", "uefi"] as const).flatMap((firmware) =>
  (["ahci", "ide", "virtio", "pvscsi", "nvme"] as const).map(
    (bus, index): Hardware => ({ firmware, bus, nic: NICS[(index + (firmware === "uefi" ? 2 : 0)) % 5] ?? "e1000" }),
  ),
);
const HARDWARE = MATRIX ? ALL.filter(FIRMWARE_SEES) : FEW;

let count = 0;
function scratch(): string {
  const folder = join(root, `${count++}`);
  mkdirSync(folder);
  return folder;
}

/** The disk of the OVA that an image becomes, checked as far as others can. */
async function diskOf(source: string, options: Partial<ConvertRequest>): Promise<string> {
  const folder = scratch();
  const ctx = createContext({ tmp: folder });
  await convert({ source, destination: join(folder, "machine.ova"), ...options }, ctx);
  execFileSync("tar", ["xf", "machine.ova"], { cwd: folder });
  execFileSync("qemu-img", ["check", "-q", "machine-disk1.vmdk"], { cwd: folder });
  return join(folder, "machine-disk1.vmdk");
}

/** As a raw disk whose parts the tools of their formats find sound. */
function checkedRaw(vmdk: string): string {
  const raw = join(scratch(), "disk.raw");
  execFileSync("qemu-img", ["convert", "-O", "raw", vmdk, raw]);
  check(raw);
  return raw;
}

function check(raw: string): void {
  expect(execFileSync("sgdisk", ["-v", raw], { encoding: "utf8" })).toContain("No problems found");
  const parts = JSON.parse(execFileSync("sfdisk", ["-J", raw], { encoding: "utf8" })).partitiontable.partitions;
  const part = (index: number) => {
    const path = join(scratch(), "part");
    const { start, size } = parts[index];
    execFileSync("dd", [
      `if=${raw}`,
      `of=${path}`,
      "bs=512",
      `skip=${start}`,
      `count=${size}`,
      "conv=sparse",
      "status=none",
    ]);
    return path;
  };
  execFileSync("fsck.fat", ["-n", part(1)]);
  execFileSync("e2fsck", ["-fn", part(2)], { stdio: "ignore" });
}

const tools = ["qemu-system-x86_64", "qemu-img", "apt-get", "gcc", "sgdisk", "sfdisk", "fsck.fat", "e2fsck"];

describeWith({ tools }, "an image FROM scratch with a web server", () => {
  let source: string;
  let disk: string;

  beforeAll(async () => {
    const program = join(scratch(), "serve");
    execFileSync("gcc", ["-Os", "-static", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE]);
    source = await makeImage(join(scratch(), "image"), {
      files: {
        "usr/bin/serve": { bytes: readFileSync(program), mode: 0o755 },
        "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001:Web:/srv/home:/bin/false\n",
        "etc/group": "root:x:0:\nweb:x:1001:\nvideo:x:44:web\n",
      },
      execution: {
        entrypoint: ["serve"],
        cmd: ["one two"],
        env: ["PATH=/nowhere:/usr/bin", "COLOR=dark blue"],
        user: "web",
        workingDir: "/srv/data",
        volumes: ["/var/lib/web"],
        stopSignal: "SIGUSR1",
      },
    });
    disk = await diskOf(source, { kernel: kernelPackage(), hostname: "web1", restart: "on-failure" });
  });

  it.each(HARDWARE)(
    "answers on $firmware, $bus and $nic, and stops when the power button is pressed",
    async (hardware) => {
      await using vm = await VirtualMachine.start(disk, hardware, scratch());
      await vm.shows("web server: ready");
      const lines = (await vm.get("/")).split("\n");
      expect(lines).toEqual(
        expect.arrayContaining([
          ...["user 1000:1001", "group 1001", "group 44", "folder /srv/data", "host web1"],
          ...["argument serve", "argument one two", "env COLOR=dark blue", "env HOME=/srv/home", "env HOSTNAME=web1"],
        ]),
      );
      expect(await vm.powerDown()).toBe(0);
      expect(vm.output).toMatch(
        /power button\n(.*\n)*web server: stopped by signal 10\n(.*\n)*.*ended with 0\n(.*\n)*.*Power down/,
      );
    },
  );

  it("starts again when its command fails, and leaves a disk that is sound before and after", async () => {
    const raw = checkedRaw(disk);
    await using vm = await VirtualMachine.start(raw, { firmware: "bios", bus: "virtio", nic: "e1000" }, scratch());
    await vm.shows("web server: ready");
    await vm.get("/crash").catch(() => "");
    await vm.shows(/ended by signal 6\n(.*\n)*web server: ready/);
    expect(await vm.get("/")).toContain("user 1000:1001");
    expect(await vm.powerDown()).toBe(0);
    check(raw);
  });
});

describe.runIf(MATRIX)("images of systems (TEST_BOOT=matrix)", () => {
  describeWith({ tools: [...tools, "mmdebstrap"] }, "Debian with systemd", () => {
    let disk: string;

    beforeAll(async () => {
      const folder = scratch();
      const packages = "systemd-sysv,linux-image-amd64,udev";
      const make = ["--quiet", "--variant=minbase", `--include=${packages}`, "bookworm", join(folder, "root.tar")];
      execFileSync("mmdebstrap", make, { stdio: "ignore" });
      const source = await makeImage(join(folder, "image"), {
        tar: readFileSync(join(folder, "root.tar")),
        execution: { cmd: ["/bin/bash"] },
      });
      disk = await diskOf(source, { diskSize: 4 * 2 ** 30 });
    });

    it.each(FEW)("comes to its login prompt on $firmware and $bus, and shuts down", async (hardware) => {
      await using vm = await VirtualMachine.start(disk, hardware, scratch(), 1024);
      await vm.shows(/^machine login:/m, 400);
      expect(await vm.powerDown(200)).toBe(0);
    });
  });
});
