import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The hardware of a machine that QEMU plays. */
export interface Hardware {
  readonly firmware: "bios" | "uefi";
  readonly bus: "ahci" | "ide" | "virtio" | "pvscsi" | "nvme";
  readonly nic: "e1000" | "e1000e" | "vmxnet3" | "virtio-net-pci" | "pcnet";
}

const BUSES: Readonly<Record<Hardware["bus"], readonly string[]>> = {
  ahci: ["-device", "ich9-ahci,id=bus", "-device", "ide-hd,drive=disk,bus=bus.0"],
  ide: ["-device", "ide-hd,drive=disk,bus=ide.0"],
  virtio: ["-device", "virtio-blk-pci,drive=disk"],
  pvscsi: ["-device", "pvscsi,id=bus", "-device", "scsi-hd,drive=disk,bus=bus.0"],
  nvme: ["-device", "nvme,drive=disk,serial=1"],
};
const OVMF = "/usr/share/OVMF";
const UEFI = [
  ...["-drive", `if=pflash,format=raw,readonly=on,file=${OVMF}/OVMF_CODE_4M.fd`],
  ...["-drive", `if=pflash,format=raw,snapshot=on,file=${OVMF}/OVMF_VARS_4M.fd`],
];

/** A running machine whose port 80 is reached from here. Nothing that it writes changes its disk, unless it is to be kept. */
export class VirtualMachine implements AsyncDisposable {
  readonly port: number;
  readonly #process: ChildProcess;
  readonly #serial: string;
  readonly #control: string;

  private constructor(process: ChildProcess, port: number, folder: string) {
    this.#process = process;
    this.port = port;
    this.#serial = join(folder, "serial");
    this.#control = join(folder, "control");
  }

  /** `disk` is a VMDK, or a raw image that keeps what is written. */
  static async start(disk: string, { firmware, bus, nic }: Hardware, folder: string, memory = 512) {
    const port = await freePort();
    const isRaw = disk.endsWith(".raw");
    const drive = `id=disk,if=none,file=${disk},format=${isRaw ? "raw" : "vmdk,snapshot=on"}`;
    writeFileSync(join(folder, "serial"), "");
    const qemu = spawn(
      "qemu-system-x86_64",
      [
        ...["-accel", "tcg", "-m", `${memory}`, "-display", "none", "-no-reboot"],
        ...["-serial", `file:${join(folder, "serial")}`, "-qmp", `unix:${join(folder, "control")},server=on,wait=off`],
        ...["-netdev", `user,id=net,hostfwd=tcp:127.0.0.1:${port}-:80`, "-device", `${nic},netdev=net`],
        ...["-drive", drive, ...BUSES[bus], ...(firmware === "uefi" ? UEFI : [])],
      ],
      { stdio: ["ignore", "inherit", "inherit"] },
    );
    return new VirtualMachine(qemu, port, folder);
  }

  /** What the serial line has shown. */
  get output(): string {
    return readFileSync(this.#serial, "latin1").replaceAll("\r", "");
  }

  /** Waits until the serial line shows it; throws with all that was shown where the machine stops before, or time is up. */
  async shows(text: string | RegExp, seconds = 180): Promise<void> {
    for (const end = Date.now() + 1000 * seconds; Date.now() < end; await sleep(200)) {
      if (this.output.search(text) >= 0) return;
      if (this.#process.exitCode !== null) break;
    }
    throw new Error(`the machine did not show ${text}: ${this.output.slice(-3000)}`);
  }

  async get(path: string): Promise<string> {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { signal: AbortSignal.timeout(30_000) });
    return await response.text();
  }

  /** Presses the power button of ACPI and waits for the machine to be off; answers QEMU's exit code. */
  async powerDown(seconds = 90): Promise<number | null> {
    const socket = connect(this.#control);
    socket.write('{"execute":"qmp_capabilities"}{"execute":"system_powerdown"}');
    try {
      if (this.#process.exitCode === null)
        await once(this.#process, "exit", { signal: AbortSignal.timeout(1000 * seconds) });
      return this.#process.exitCode;
    } catch (cause) {
      throw new Error(`the machine is still on: ${this.output.slice(-3000)}`, { cause });
    } finally {
      socket.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
