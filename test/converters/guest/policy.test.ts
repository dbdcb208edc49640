import { describe, expect, it } from "vitest";
import type { GuestFacts } from "../../../converters/guest/facts.ts";
import type { GuestOptions } from "../../../converters/guest/options.ts";
import { compileGuestPolicy, type GuestPolicy } from "../../../converters/guest/policy.ts";
import type { GuestTree } from "../../../converters/guest/tree.ts";
import { createContext, type Diagnostic } from "../../../src/context.ts";
import { type MemoryFiles, memoryTree } from "../../support/memory-tree.ts";
import { ALPINE, CENTOS, DEBIAN, STATIC, UPSTART } from "./machines.ts";

interface Image {
  readonly policy: GuestPolicy;
  /** Path -> what the image has there: a file's text, `-> target`, or a type. */
  readonly files: Readonly<Record<string, string>>;
  readonly report: ReturnType<ReturnType<GuestPolicy["tally"]>["report"]>;
  readonly diagnostics: readonly Diagnostic[];
}

/** The image of a machine, as a converter would make it. */
async function image(machine: MemoryFiles, options: GuestOptions = {}, facts: GuestFacts = {}): Promise<Image> {
  const diagnostics: Diagnostic[] = [];
  const ctx = createContext({ diagnostic: (each) => void diagnostics.push(each) });
  const tree = memoryTree(machine);
  const policy = await compileGuestPolicy(tree, facts, options, ctx);
  const tally = policy.tally();
  const files: Record<string, string> = {};
  for await (const entry of tree.walk()) {
    const head = policy.headBytes(entry);
    const decision = policy.decide(entry, head > 0 ? await headOf(tree, entry.path, head) : undefined);
    tally.add(entry, decision);
    if (decision.action === "leave-out") continue;
    const bytes = decision.action === "replace" ? decision.bytes : await tree.readFile(entry.path);
    files[entry.path] = shown(decision.entry, bytes);
  }
  for (const { entry, bytes } of policy.additions) {
    expect(files).not.toHaveProperty([entry.path]);
    files[entry.path] = shown(entry, bytes);
  }
  tally.diagnose(ctx);
  return { policy, files, report: tally.report(), diagnostics };
}

async function headOf(tree: GuestTree, path: string, length: number): Promise<Uint8Array | undefined> {
  return (await tree.readFile(path))?.subarray(0, length);
}

function shown(entry: { readonly type: string; readonly target?: string }, bytes: Uint8Array | undefined): string {
  if (entry.type === "symlink") return `-> ${entry.target}`;
  return entry.type === "file" ? Buffer.from(bytes ?? []).toString("utf8") : entry.type;
}

describe("a Debian machine", () => {
  it("becomes a container that starts systemd", async () => {
    const { policy } = await image(DEBIAN, {}, { name: "web01", product: "Shop", version: "2", architecture: "amd64" });
    expect(policy.osRelease).toEqual({
      id: "debian",
      version: "12",
      prettyName: "Debian GNU/Linux 12 (bookworm)",
      family: "debian",
    });
    expect(policy.init).toBe("systemd");
    expect(policy.platform).toEqual({ os: "linux", architecture: "amd64" });
    expect(policy.candidates.map(({ name }) => name)).toEqual(["nginx"]);
    expect(policy.config).toEqual({
      cmd: ["/sbin/init"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "container=oci"],
      exposedPorts: ["80/tcp", "2222/tcp", "8443/tcp"],
      labels: {
        "io.transload.os.id": "debian",
        "io.transload.os.name": "Debian GNU/Linux 12 (bookworm)",
        "io.transload.os.version": "12",
        "io.transload.profile": "container",
        "io.transload.vm.name": "web01",
        "org.opencontainers.image.title": "Shop",
        "org.opencontainers.image.version": "2",
      },
      stopSignal: "SIGRTMIN+3",
    });
  });

  it("loses what a container cannot use, and keeps the rest", async () => {
    const { files, report } = await image(DEBIAN);
    const gone = [...Object.keys(DEBIAN)].map((path) => path.replace(/\/$/, "")).filter((path) => !(path in files));
    expect(gone.sort()).toEqual([
      "boot/grub/grub.cfg",
      "boot/vmlinuz-6.1.0-13-amd64",
      "dev/null",
      "etc/network/interfaces",
      "etc/shadow-",
      "etc/ssh/ssh_host_rsa_key",
      "home/ann/.bash_history",
      "home/ann/.ssh/authorized_keys",
      "opt/app/deploy.key",
      "run/nginx.pid",
      "swap.img",
      "tmp/x",
      "usr/lib/modules/6.1.0-13-amd64/modules.dep",
      "var/cache/apt/pkgcache.bin",
      "var/lib/apt/lists/x_InRelease",
      "var/lib/docker/overlay2/l",
      "var/log/journal/1/system.journal",
      "var/log/syslog.1",
    ]);
    expect(files).toMatchObject({ dev: "directory", run: "directory", tmp: "directory", "var/log/nginx": "directory" });
    expect(files).not.toHaveProperty("boot");
    expect(files["var/log/nginx/access.log"]).toBe("");
    expect(report.excluded.byRule).toMatchObject({
      kernel: { files: 7, bytes: 10 },
      logs: { files: 1, bytes: 6 },
      secrets: { files: 4 },
    });
  });

  it("loses its identity", async () => {
    const { files, policy, report } = await image(DEBIAN);
    expect(files).toMatchObject({
      "etc/machine-id": "",
      "etc/hostname": "",
      "etc/hosts": expect.stringMatching(/^127\.0\.0\.1\tlocalhost\n/),
      "etc/fstab": expect.stringMatching(/^#[^\n]*\n$/),
      "etc/resolv.conf": "",
      "var/lib/dbus/machine-id": "-> /etc/machine-id",
    });
    expect(report.replaced["machine-id"]).toEqual(["etc/machine-id", "var/lib/dbus/machine-id"]);
    const tree = memoryTree(DEBIAN);
    const fstab = await tree.lookup("etc/fstab");
    const decision = fstab && policy.decide(fstab);
    expect(decision).toMatchObject({
      action: "replace",
      rule: "fstab",
      entry: { mode: 0o640, mtime: fstab?.mtime, links: 1 },
    });
    const resolver = await tree.lookup("etc/resolv.conf");
    expect(resolver && policy.decide(resolver)).toMatchObject({
      action: "replace",
      entry: { type: "file", mode: 0o644 },
    });
  });

  it("tells each secret, and what became of it", async () => {
    const { report, diagnostics } = await image(DEBIAN);
    const keys = diagnostics.find(({ code }) => code === "GUEST_KEYS_LEFT_OUT");
    expect(keys?.message).toMatch(/: "etc\/ssh\/ssh_host_rsa_key", "opt\/app\/deploy\.key"$/);
    expect(report.secrets).toEqual([
      { path: "etc/shadow", kind: "password-hash", action: "kept" },
      { path: "etc/ssh/ssh_host_rsa_key", kind: "ssh-host-key", action: "removed" },
      { path: "home/ann/.bash_history", kind: "history", action: "removed" },
      { path: "home/ann/.ssh/authorized_keys", kind: "authorized-keys", action: "removed" },
      { path: "opt/app/deploy.key", kind: "private-key", action: "removed" },
    ]);
  });

  it("keeps secrets when asked, and still tells them", async () => {
    const { files, report, diagnostics } = await image(DEBIAN, { keepSecrets: true });
    expect(files["home/ann/.bash_history"]).toBe("mysql -psecret\n");
    expect(report.secrets.map(({ action }) => action)).toEqual(["kept", "kept", "kept", "kept", "kept"]);
    expect(diagnostics).toContainEqual(expect.objectContaining({ code: "GUEST_SECRETS_KEPT", severity: "warning" }));
  });

  it("locks passwords when asked", async () => {
    const { files, report } = await image(DEBIAN, { lockPasswords: true });
    expect(files["etc/shadow"]).toBe("root:!:19000:0:99999:7:::\ndaemon:*:19000::::::\nguest:!:1::::::\n");
    expect(report.secrets[0]).toEqual({ path: "etc/shadow", kind: "password-hash", action: "locked" });
  });

  it("masks the units that it has and that cannot run", async () => {
    const { files, policy } = await image(DEBIAN);
    expect(policy.maskedUnits).toEqual(["getty@.service", "systemd-timesyncd.service"]);
    expect(files).toMatchObject({
      "etc/systemd/system/getty@.service": "-> /dev/null",
      "etc/systemd/system/systemd-timesyncd.service": "-> /dev/null",
    });
  });

  it("becomes a container of its only service when asked", async () => {
    for (const service of ["auto", "nginx", "nginx.service"]) {
      const { policy } = await image(DEBIAN, { service }, { forwardedPorts: ["22/tcp"] });
      expect(policy.command.origin).toBe("service");
      expect(policy.config).toMatchObject({ cmd: ["/usr/sbin/nginx", "-g", "daemon off;"], stopSignal: "SIGQUIT" });
      expect(policy.ports).toEqual(["80/tcp", "8443/tcp"]);
    }
  });

  it("gives a service the directories under /run that systemd would make", async () => {
    const { files, policy } = await image(DEBIAN, { service: "ssh" });
    expect(policy.config.cmd).toEqual(["/usr/sbin/sshd", "-D"]);
    expect(files["run/sshd"]).toBe("directory");
    const tmpfiles =
      "# /run of x\nd /run/nginx 2750 www-data adm -\nd /run/lock 0755\nd /run/systemd/x 0755 root root\nf /run/file\nd /run/../etc 0755\n";
    const directed = await image(
      { ...DEBIAN, "usr/lib/tmpfiles.d/nginx.conf": tmpfiles, "etc/group": "adm:x:4:\n" },
      { service: "ssh" },
    );
    const added = directed.policy.additions.filter(({ rule }) => rule === "run-directories");
    expect(added.map(({ entry: { path, mode, uid, gid } }) => [path, mode, uid, gid])).toEqual([
      ["run/lock", 0o755, 0, 0],
      ["run/nginx", 0o2750, 33, 4],
      ["run/sshd", 0o755, 0, 0],
    ]);
    const there = await image(
      { ...DEBIAN, "run/sshd/": { mode: 0o700 } },
      { service: "ssh", filters: [{ action: "include", pattern: "/run" }] },
    );
    expect(there.files["run/sshd"]).toBe("directory");
  });

  it("stays as it is with the full profile, but for what no layer can hold", async () => {
    const odd = { "etc/a.sock": { special: "socket" }, "etc/.wh.x/y": "z" } as const;
    const { files, report, diagnostics } = await image({ ...DEBIAN, ...odd }, { profile: "full" });
    const plain = await image(DEBIAN, { profile: "full" });
    expect(files).toEqual(plain.files);
    expect(Object.keys(report.excluded.byRule)).toEqual(["sockets", "whiteout-names"]);
    expect(report.excluded.files).toBe(3);
    expect(diagnostics.map(({ code }) => code)).toContain("GUEST_WHITEOUT_NAME");
  });

  it("loses documentation, but not licences, with the minimal profile", async () => {
    const { files } = await image(DEBIAN, { profile: "minimal" });
    expect(files["usr/share/doc/nginx/copyright"]).toBe("BSD");
    expect(files).not.toHaveProperty(["usr/share/doc/nginx/changelog.gz"]);
    expect(files).not.toHaveProperty(["usr/share/man/man8"]);
    expect(files["usr/share/man"]).toBe("directory");
  });

  it("names a need for a masked unit", async () => {
    const unit = "[Unit]\nRequires=systemd-networkd.service\n[Service]\nExecStart=/opt/app/run\n";
    const { diagnostics, policy } = await image({
      ...DEBIAN,
      "etc/systemd/system/app.service": unit,
      "etc/systemd/system/multi-user.target.wants/app.service": "-> ../app.service",
      "usr/lib/systemd/system/systemd-networkd.service": "[Service]\nExecStart=/x\n",
    });
    expect(policy.candidates.map(({ name }) => name)).toEqual(["app", "nginx"]);
    expect(diagnostics.map(({ code }) => code)).toContain("GUEST_SERVICE_NEEDS_MASKED");
  });
});

describe("other machines", () => {
  it("CentOS 6: sysvinit, known daemons by name", async () => {
    const { policy, files } = await image(CENTOS, {}, { forwardedPorts: ["22/tcp"] });
    expect(policy.osRelease).toMatchObject({ id: "centos", version: "6.10", family: "rhel" });
    expect(policy.init).toBe("sysvinit");
    expect(policy.config).toMatchObject({ cmd: ["/sbin/init"], stopSignal: "SIGPWR" });
    expect(policy.ports).toEqual(["22/tcp", "8080/tcp"]);
    expect(policy.services.map(({ name, stock }) => [name, stock])).toEqual([
      ["httpd", false],
      ["network", true],
    ]);
    expect(files).toHaveProperty(["var/run/httpd"]);
    expect(files).not.toHaveProperty(["var/run/httpd/httpd.pid"]);
    expect(files).not.toHaveProperty(["etc/sysconfig/network-scripts/ifcfg-eth0"]);
    const service = await image(CENTOS, { service: "auto" });
    expect(service.policy.config.cmd).toEqual(["/usr/sbin/httpd", "-D", "FOREGROUND"]);
    expect(service.files).toHaveProperty(["var/run/httpd"]);
  });

  it("Ubuntu 14.04: Upstart jobs and old scripts", async () => {
    const { policy, diagnostics } = await image(UPSTART);
    expect(policy.init).toBe("upstart");
    expect(policy.config).toMatchObject({
      cmd: ["/sbin/init"],
      stopSignal: "SIGINT",
      exposedPorts: ["3306/tcp"],
    });
    expect(policy.services.map(({ name, manager, stock }) => [name, manager, stock])).toEqual([
      ["mysql", "upstart", false],
      ["rc.local", "sysvinit", true],
      ["rsync", "sysvinit", false],
    ]);
    expect(policy.suggestedVolumes).toEqual(["/var/lib/mysql"]);
    expect(diagnostics).toContainEqual(expect.objectContaining({ code: "GUEST_SERVICES_FOUND", severity: "info" }));
    const mysql = await image(UPSTART, { service: "mysql" });
    expect(mysql.policy.config.cmd).toEqual(["/usr/sbin/mysqld", "--user=mysql"]);
  });

  it("Alpine: OpenRC scripts that only set variables tell the command", async () => {
    const { policy } = await image(ALPINE, { service: "auto" });
    expect(policy.osRelease).toMatchObject({ id: "alpine", version: "3.19.1", family: "alpine" });
    expect(policy.init).toBe("openrc");
    expect(policy.platform).toEqual({ os: "linux", architecture: "arm64", variant: "v8" });
    expect(policy.config.cmd).toEqual(["/usr/bin/app", "--port", "9090", "--quiet"]);
    expect((await image(ALPINE)).policy.config).toMatchObject({ cmd: ["/sbin/init"], stopSignal: "SIGUSR2" });
  });

  it("no init: a shell", async () => {
    const { policy } = await image({ "bin/sh": { bytes: new Uint8Array([0x23, 0x21]), mode: 0o755 } });
    expect(policy.command.origin).toBe("shell");
    expect(policy.config.cmd).toEqual(["/bin/sh"]);
    expect(policy.osRelease).toEqual({ id: "linux", version: undefined, prettyName: "Linux", family: "unknown" });
  });

  it("a single program: needs --entrypoint, which then tells the platform", async () => {
    await expect(image(STATIC)).rejects.toMatchObject({ code: "GUEST_NO_COMMAND", exitCode: 69 });
    const { policy, files } = await image(STATIC, { entrypoint: '["/app", "a b"]', cmd: "--serve 'x y'" });
    expect(policy.platform).toEqual({ os: "linux", architecture: "arm", variant: "v7" });
    expect(policy.config).toMatchObject({ entrypoint: ["/app", "a b"], cmd: ["--serve", "x y"] });
    expect(Object.keys(files)).toEqual(["", "app"]);
  });

  it("Windows is refused with a reason", async () => {
    const windows = image({ "WINDOWS/system32/ntoskrnl.exe": "MZ" });
    await expect(windows).rejects.toMatchObject({ code: "GUEST_WINDOWS", exitCode: 69, advice: expect.any(String) });
  });
});

describe("what a layer cannot carry", () => {
  it("is left out or changed, and counted by kind", async () => {
    const { policy, files, diagnostics } = await image(
      {
        ...STATIC,
        "a/link": { link: "x", xattrs: { "user.a": "1" } },
        "a/labelled": {
          text: "1",
          xattrs: {
            "security.selinux": "s",
            "security.ima": "i",
            "trusted.overlay.opaque": "y",
            "user.k=v": "1",
            "system.nfs4_acl": "n",
            "user.kept": "1",
            "system.posix_acl_access": "acl",
          },
        },
        "a/old": { text: "", mtime: { seconds: -5, nanoseconds: 0 } },
        "a/wide": {
          text: "",
          xattrs: Object.fromEntries([..."abcdefghijklmnopqrst"].map((c) => [`user.${c}`, "x".repeat(60_000)])),
        },
        "b/whiteout": { device: ["character-device", 0, 0] },
        "b/empty": { link: "" },
        "b/disk": { device: ["block-device", 8, 0] },
        "b/pipe": { special: "fifo" },
      },
      { entrypoint: "/app" },
    );
    expect(Object.keys(files)).toEqual(["", "a", "a/labelled", "a/link", "a/old", "a/wide", "app", "b", "b/pipe"]);
    expect(policy.additions).toEqual([]);
    expect(diagnostics.map(({ code }) => code).sort()).toEqual([
      "GUEST_MTIME_CLAMPED",
      "GUEST_WHITEOUT_DEVICE",
      "GUEST_XATTR_INTEGRITY",
      "GUEST_XATTR_NAME",
      "GUEST_XATTR_OVERLAY",
      "GUEST_XATTR_SELINUX",
      "GUEST_XATTR_TOO_LARGE",
      "GUEST_XATTR_UNSUPPORTED",
      "GUEST_XATTR_USER",
    ]);
  });

  it.each([
    [{}, ["user.a"]],
    [{ keepSelinux: true }, ["security.selinux", "user.a"]],
    [{ keepXattrs: true }, ["security.evm", "security.selinux", "trusted.overlay.redirect", "user.a"]],
  ])("keeps attributes as asked: %j", async (options, names) => {
    const xattrs = { "security.evm": "e", "security.selinux": "s", "trusted.overlay.redirect": "r", "user.a": "1" };
    const tree = memoryTree({ ...STATIC, f: { text: "", xattrs } });
    const policy = await compileGuestPolicy(tree, {}, { entrypoint: "/app", ...options }, createContext());
    const entry = await tree.lookup("f");
    const decision = entry && policy.decide(entry);
    expect(decision?.action === "keep" && [...decision.entry.xattrs.keys()]).toEqual(names);
  });

  it("finds swap space by its content", async () => {
    const bytes = new Uint8Array(1 << 20);
    bytes.set(Buffer.from("SWAPSPACE2"), 4086);
    const { files, report } = await image(
      { ...STATIC, "data/big": { bytes, mode: 0o600 }, "data/zero": { bytes: new Uint8Array(1 << 20) } },
      { entrypoint: "/app" },
    );
    expect(Object.keys(files)).toEqual(["", "app", "data", "data/zero"]);
    expect(report.excluded.byRule["swap"]).toEqual({ files: 1, bytes: 1 << 20 });
  });
});

describe("options and facts", () => {
  it("come in their order", async () => {
    const properties = new Map([
      ["io.transload.cmd", "/opt/run --x"],
      ["io.transload.user", "www-data"],
      ["io.transload.ports", "8080, 53/udp"],
    ]);
    const packaged = (await image(DEBIAN, {}, { properties })).policy;
    expect(packaged.command.origin).toBe("package");
    expect(packaged.config).toMatchObject({
      cmd: ["/opt/run", "--x"],
      user: "www-data",
      exposedPorts: ["53/udp", "8080/tcp"],
    });
    const asked = await image(
      DEBIAN,
      {
        cmd: "/bin/true",
        user: "root",
        env: ["A=1", "PATH=/x", "A=2"],
        ports: ["1/sctp"],
        volumes: ["/data/"],
        workdir: "/srv",
        stopSignal: "SIGINT",
        labels: ["a=b=c"],
        annotations: ["n=v"],
        platform: "linux/arm/v6",
      },
      { properties, eula: "Terms", productUrl: "https://example.com/" },
    );
    expect(asked.policy.config).toMatchObject({
      cmd: ["/bin/true"],
      user: "root",
      env: ["PATH=/x", "A=2"],
      exposedPorts: ["1/sctp"],
      volumes: ["/data"],
      workingDir: "/srv",
      stopSignal: "SIGINT",
      labels: {
        a: "b=c",
        "org.opencontainers.image.url": "https://example.com/",
        "io.transload.eula.digest": expect.stringMatching(/^sha256:/),
      },
    });
    expect(asked.policy.annotations).toMatchObject({ n: "v" });
    expect(asked.policy.platform).toEqual({ os: "linux", architecture: "arm", variant: "v6" });
  });

  it.each<[GuestOptions, string]>([
    [{ cmd: "'x" }, "GUEST_OPTION"],
    [{ entrypoint: "[1]" }, "GUEST_OPTION"],
    [{ env: ["=x"] }, "GUEST_OPTION"],
    [{ ports: ["70000"] }, "GUEST_OPTION"],
    [{ volumes: ["data"] }, "GUEST_OPTION"],
    [{ workdir: "srv" }, "GUEST_OPTION"],
    [{ stopSignal: "no signal" }, "GUEST_OPTION"],
    [{ labels: ["x"] }, "GUEST_OPTION"],
    [{ platform: "windows/amd64" }, "GUEST_OPTION"],
    [{ filters: [{ action: "exclude", pattern: "[z-a]" }] }, "GUEST_PATTERN"],
    [{ service: "mysql" }, "GUEST_SERVICE_NOT_FOUND"],
  ])("refuses %j", async (options, code) => {
    await expect(image(DEBIAN, options)).rejects.toMatchObject({ code });
  });

  it("refuses to guess between services, or how one starts", async () => {
    const two = { ...CENTOS, "etc/rc3.d/S90shop": "-> ../init.d/shop" };
    await expect(image(two, { service: "auto" })).rejects.toMatchObject({ code: "GUEST_SERVICE_NOT_SINGLE" });
    await expect(image(two, { service: "shop" })).rejects.toMatchObject({ code: "GUEST_SERVICE_COMMAND" });
  });

  it("believes programs, not descriptions, about the architecture", async () => {
    const { policy, diagnostics } = await image(ALPINE, {}, { architecture: "amd64" });
    expect(policy.platform.architecture).toBe("arm64");
    expect(diagnostics.map(({ code }) => code)).toContain("GUEST_ARCHITECTURE_DIFFERS");
    const none = await image({ "bin/sh": "#!" }, {}, { architecture: "386" });
    expect(none.policy.platform.architecture).toBe("386");
    expect(none.diagnostics.map(({ code }) => code)).toContain("GUEST_ARCHITECTURE_UNKNOWN");
  });

  it("warns of large configuration files and engines inside", async () => {
    const { diagnostics } = await image({ ...DEBIAN, "etc/os-release": { bytes: new Uint8Array((1 << 20) + 1) } });
    expect(diagnostics.map(({ code }) => code)).toEqual(
      expect.arrayContaining(["GUEST_FILE_TOO_LARGE", "GUEST_CONTAINER_STORAGE"]),
    );
  });
});
