import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type ConvertRequest, convert, planConversion } from "../../../converters/convert.ts";
import { openGuestAt } from "../../../converters/open.ts";
import { createContext, DEFAULT_LIMITS } from "../../../src/context.ts";
import { type MadeImage, makeImage } from "../../boot/made-image.ts";
import { madeKernel } from "../../boot/made-kernel.ts";
import { madeModule } from "../../boot/made-module.ts";
import { describeWith } from "../../support/needs.ts";

const root = mkdtempSync(join(tmpdir(), "transload-boot-"));
afterAll(() => rmSync(root, { recursive: true }));
const RELEASE = "6.1.0-9-amd64";
const OLD = "11111111-2222-3333-4444-555555555555";
const program = { bytes: "#!/bin/sh\n", mode: 0o755 };

const machine: MadeImage = {
  files: {
    [`boot/vmlinuz-${RELEASE}`]: { bytes: madeKernel({ release: RELEASE }) },
    "boot/vmlinuz-5.10.0-1-amd64": { bytes: madeKernel({ release: "5.10.0-1-amd64" }) },
    [`boot/initrd.img-${RELEASE}`]: "initrd of the image",
    "etc/fstab": `UUID=${OLD} / ext4 defaults 0 1\nUUID=AAAA-BBBB /boot/efi vfat defaults 0 1\n`,
    "etc/os-release": "ID=debian\nVERSION_ID=12\n",
    "lib/systemd/systemd": program,
    "sbin/init": "-> /lib/systemd/systemd",
    "usr/share/large": { bytes: Buffer.alloc(3_000_000, "data") },
  },
  execution: { cmd: ["/bin/bash"] },
};
const application: MadeImage = {
  files: { "bin/serve": program, "etc/passwd": "web:x:5:6::/home/web:/bin/false\n" },
  execution: { entrypoint: ["serve"], user: "web" },
};

let count = 0;
async function converted(image: MadeImage, options: Partial<ConvertRequest> = {}) {
  const folder = join(root, `${count++}`);
  mkdirSync(folder);
  const source = await makeImage(join(folder, "image"), image);
  const destination = join(folder, "web app.ova");
  const codes: string[] = [];
  const ctx = createContext({
    tmp: folder,
    limits: { ...DEFAULT_LIMITS, threads: 0 },
    diagnostic: ({ code }) => codes.push(code),
  });
  const request = { source, destination, ...options };
  const plan = await planConversion(request, ctx);
  codes.length = 0;
  const result = await convert(request, ctx);
  return { destination, codes, plan, result, ctx };
}

function kernelFolder(): string {
  const folder = join(root, `kernel-${count++}`);
  const write = (path: string, bytes: Uint8Array) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  };
  write(`boot/vmlinuz-${RELEASE}`, madeKernel({ release: RELEASE }));
  write(`lib/modules/${RELEASE}/kernel/ext4.ko`, madeModule(["jbd2"], RELEASE));
  write(`lib/modules/${RELEASE}/kernel/jbd2.ko`, madeModule([], RELEASE));
  return folder;
}

const codeOf = (image: MadeImage, options: Partial<ConvertRequest> = {}) =>
  converted(image, options).then(
    () => "no error",
    (cause: unknown) => (cause as { code: string }).code,
  );

describe("an image with a system", () => {
  it("becomes a machine whose files we read back, on the disk that its fstab asks for", async () => {
    // Without an fstab the EFI partition may be mounted on /boot, which would hide the kernels.
    const { destination, codes, plan, ctx } = await converted(machine);
    expect(plan.uses).toContain("starts /sbin/init");
    expect(plan.uses[0]).toContain(`kernel ${RELEASE} from boot/vmlinuz-${RELEASE}`);
    expect(codes).toEqual(["APPLIANCE_FSTAB_DROPPED"]);
    await using opened = await openGuestAt(destination, {}, ctx);
    const { guest } = opened;
    expect(guest.mounts.map(({ fileSystem }) => fileSystem.uuid)).toEqual([OLD]);
    const text = async (path: string) => Buffer.from((await guest.tree.readFile(path)) ?? []).toString();
    expect(await text("etc/fstab")).toMatch(/^UUID=1111.*\n# not on this disk: UUID=AAAA-BBBB/);
    expect(await text("etc/hostname")).toBe("web-app\n");
    expect(await text("usr/share/large")).toBe("data".repeat(750_000));
    expect((await guest.tree.lookup(`boot/vmlinuz-${RELEASE}`))?.type).toBe("file");
    expect((await guest.tree.lookup("proc"))?.type).toBe("directory");
    expect((await guest.tree.lookup("sbin/init"))?.type).toBe("symlink");
  });

  it("has the size, the name and the hardware that are asked for", async () => {
    const options = {
      diskSize: 200 << 20,
      hostname: "Mail 1",
      cpus: 3,
      init: "/lib/systemd/systemd",
      kernelArgs: "quiet",
    };
    const { destination, ctx } = await converted(machine, options);
    await using opened = await openGuestAt(destination, {}, ctx);
    expect(opened.machine.disks[0]?.disk.size).toBe(200 << 20);
    expect(opened.machine.hardware?.cpus).toBe(3);
    expect(Buffer.from((await opened.guest.tree.readFile("etc/hostname")) ?? []).toString()).toBe("mail-1\n");
    const head = Buffer.from((await opened.machine.disks[0]?.disk.read(0, 4 << 20)) ?? []).toString("latin1");
    expect(head).toContain(
      `root=UUID=${OLD} rw console=tty0 console=ttyS0,115200 loglevel=4 init=/lib/systemd/systemd quiet`,
    );
    expect(head).toContain("initrd of the image");
  });

  it("gets DHCP where it has systemd-networkd and nobody has configured its network", async () => {
    const files = { ...machine.files, "lib/systemd/systemd-networkd": program };
    const service = "etc/systemd/system/multi-user.target.wants/systemd-networkd.service";
    for (const [more, expected] of [
      [{}, "symlink"],
      [{ "etc/netplan/50-cloud-init.yaml": "network: {}\n" }, undefined],
    ] as const) {
      const { destination, ctx } = await converted({ ...machine, files: { ...files, ...more } });
      await using opened = await openGuestAt(destination, {}, ctx);
      expect((await opened.guest.tree.lookup(service))?.type).toBe(expected);
    }
  });

  it("gives the same bytes each time", async () => {
    const digests = [await converted(machine), await converted(machine)].map(({ destination }) =>
      execFileSync("sha256sum", [destination], { encoding: "utf8" }).slice(0, 64),
    );
    expect(digests[0]).toBe(digests[1]);
  });
});

describe("an image with a command only", () => {
  it("runs under our init with a kernel that is given", async () => {
    const { plan, codes } = await converted(application, { kernel: kernelFolder(), restart: "always" });
    expect(plan.uses).toContain("runs serve");
    expect(codes).toEqual([]);
  });

  it("takes the kernel of another image, and is told of missing drivers", async () => {
    const kernelImage = await makeImage(join(root, "kernels"), {
      files: { [`usr/lib/modules/${RELEASE}/vmlinuz`]: { bytes: madeKernel({ release: RELEASE }) } },
    });
    const { plan, codes } = await converted(application, { kernelImage });
    expect(plan.uses[0]).toContain(`lib/modules/${RELEASE}/vmlinuz of oci:`);
    expect(codes).toEqual(["APPLIANCE_DRIVERS_MISSING"]);
  });

  it.each([
    ["APPLIANCE_KERNEL_MISSING", application, {}],
    ["APPLIANCE_KERNEL_FILE", application, { kernel: "." }],
    ["APPLIANCE_INIT", application, { init: "/sbin/init" }],
    ["APPLIANCE_NO_COMMAND", { ...machine, execution: {} }, { init: "none" }],
    ["APPLIANCE_PLATFORM", { ...application, architecture: "arm64" }, {}],
    ["APPLIANCE_RESTART", application, { restart: "maybe" }],
    ["APPLIANCE_USER", { ...application, execution: { cmd: ["a"], user: "nobody" } }, { kernel: "kernels" }],
    ["APPLIANCE_SIGNAL", { ...application, execution: { cmd: ["a"], stopSignal: "SIGX" } }, { kernel: "kernels" }],
    ["APPLIANCE_SIZE_TOO_SMALL", machine, { diskSize: 20 << 20 }],
    ["EXT_SIZE_TOO_SMALL", machine, { diskSize: 40 << 20 }],
    ["APPLIANCE_FORM", machine, { destination: `raw:${join(root, "disk.raw")}` }],
  ] as const)("%s is told", async (code, image, options) => {
    const kernel = "kernel" in options && options.kernel === "kernels" ? { kernel: kernelFolder() } : {};
    const empty = "kernel" in options && options.kernel === "." ? { kernel: mkdtempSync(join(root, "empty-")) } : {};
    expect(await codeOf(image, { ...options, ...kernel, ...empty })).toBe(code);
  });
});

describeWith({ tools: ["ar", "tar", "xz", "zstd", "cpio"] }, "kernels in packages", () => {
  const folder = kernelFolder();
  const run = (...command: string[]) => execFileSync("sh", ["-c", ...command], { cwd: folder });

  it.each(["xz", "zst", "gz"])("a .deb with data.tar.%s", async (suffix) => {
    const program = { xz: "xz", zst: "zstd -q", gz: "gzip" }[suffix];
    run(`tar cf - ./boot ./lib | ${program} -c > data.tar.${suffix}`);
    run(`echo 2.0 > debian-binary && ar rc kernel-${suffix}.deb debian-binary data.tar.${suffix}`);
    const { plan, codes } = await converted(application, { kernel: join(folder, `kernel-${suffix}.deb`) });
    expect(plan.uses[0]).toContain(`kernel ${RELEASE}`);
    expect(codes).toEqual([]);
  });

  it("a .rpm", async () => {
    run("find ./boot ./lib | cpio -o -H newc --quiet | xz -c > payload");
    const intro = (entries: number, size: number) => {
      const bytes = Buffer.alloc(16 + entries * 16 + size);
      bytes.writeUInt32BE(0x8eade801, 0);
      bytes.writeUInt32BE(entries, 8);
      bytes.writeUInt32BE(size, 12);
      return bytes;
    };
    const lead = Buffer.alloc(96);
    lead.writeUInt32BE(0xedabeedb, 0);
    const signature = intro(1, 5);
    const padding = Buffer.alloc(-signature.length & 7);
    const head = Buffer.concat([lead, signature, padding, intro(2, 33)]);
    const payload = execFileSync("cat", [join(folder, "payload")]);
    writeFileSync(join(folder, "kernel.rpm"), Buffer.concat([head, payload]));
    const { codes } = await converted(application, { kernel: join(folder, "kernel.rpm") });
    expect(codes).toEqual([]);
    writeFileSync(join(folder, "cut.rpm"), head);
    expect(await codeOf(application, { kernel: join(folder, "cut.rpm") })).toBe("ARCHIVE_RPM");
  });
});
