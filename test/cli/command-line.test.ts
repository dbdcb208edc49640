import { spawn, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeWith, fixture } from "../support/needs.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/transload.js", import.meta.url));
const HELLO = fixture("appliances", "hello", "hello.ova");
const folder = mkdtempSync(join(tmpdir(), "transload-cli-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  args: readonly string[],
  options: { input?: Buffer; env?: Record<string, string>; cwd?: string } = {},
): Outcome {
  const env = { ...process.env, ...options.env };
  const result = spawnSync(process.execPath, [PROGRAM, ...args], {
    input: options.input,
    env,
    cwd: options.cwd ?? folder,
    maxBuffer: 64 << 20,
  });
  return { status: result.status, stdout: result.stdout.toString("latin1"), stderr: result.stderr.toString() };
}

describe("transload", () => {
  it("tells its version without a detour", () => {
    const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    expect(run(["--version"])).toEqual({ status: 0, stdout: `${version}\n`, stderr: "" });
  });

  it.each([
    ["--help"],
    ["convert", "--help"],
    ["copy", "--help"],
    ["diff", "--help"],
    ["inspect", "--help"],
    ["ls", "--help"],
    ["cat", "--help"],
    ["verify", "--help"],
    ["completion", "--help"],
  ])("helps: %s %s", async (...args) => {
    const { status, stdout } = run(args.filter((word) => word !== undefined));
    expect(status).toBe(0);
    await expect(stdout).toMatchFileSnapshot(
      `help/${
        args
          .filter(Boolean)
          .join(" ")
          .replace(/ ?--help/, "") || "transload"
      }.golden`,
    );
  });

  it.each([
    [["frobnicate"], 2, "USAGE"],
    [["convert", HELLO], 2, "USAGE"],
    [["convert", HELLO, "oci:x:y", "--compression", "rar"], 2, "USAGE_OPTION"],
    [["convert", HELLO, "oci:x:y", "--threads", "many"], 2, "USAGE"],
    [["convert", HELLO, "oci:x:y", "--disk-format", "raw"], 2, "USAGE_OPTION"],
    [["convert", HELLO, "docker-archive:-", "--as", "disk", "--emit", "kubevirt-yaml"], 2, "USAGE_OPTION"],
    [["convert", HELLO, "oci:x:y", "--no-such-option"], 2, "USAGE"],
    [["convert", HELLO, "oci:x:y", "--memory", "2048"], 2, "USAGE"],
    [["convert", HELLO, "oci:x:y", "--nic", "rtl8139"], 2, "USAGE_OPTION"],
    [["convert", HELLO, "oci:x:y", "--as", "brick"], 69, "CONVERT_FORM"],
    [["convert", HELLO, "sheep:x"], 2, "REFERENCE"],
    [["convert", "nowhere.ova", "oci:x:y"], 66, "FILE_NOT_FOUND"],
    [["convert", HELLO, "ova:x.ova"], 69, "CONVERT_DIRECTION"],
    [["copy", "oci:a:b", "oci:x:y"], 66, "FILE_NOT_FOUND"],
    [["copy", "oci:a:b", "oci:x:y", "--all", "--platform", "linux/arm64"], 2, "USAGE"],
    [["copy", HELLO, "oci:x:y"], 2, "CONVERT_NOT_AN_IMAGE"],
    [["convert", HELLO, "oci:x:y", "--max-layer-size", "much"], 2, "USAGE"],
    [["convert", HELLO, "oci:x:y", "--max-layer-size", "1G", "--as", "package"], 2, "USAGE_OPTION"],
    [["diff", HELLO, HELLO, "--ignore", "colour"], 2, "USAGE_OPTION"],
    [["inspect", "raw:nothing"], 66, "FILE_NOT_FOUND"],
    [["ls", "oci:first:latest"], 66, "FILE_NOT_FOUND"],
    [["convert", HELLO, "docker://localhost:1/x", "--retry-times", "0"], 75, "REGISTRY_CONNECTION"],
    [["convert", HELLO, "docker://localhost:1/x", "--dest-creds", "hunter2"], 2, "USAGE_OPTION"],
    [["inspect", "docker://localhost:1/UPPER"], 2, "TRANSPORT_REFERENCE"],
    [["cat", HELLO, "/no/such"], 66, "GUEST_PATH_MISSING"],
    [["cat", HELLO, "/etc"], 2, "GUEST_PATH_TYPE"],
  ])("%j ends with %i, on stderr alone", (args, status, code) => {
    const outcome = run(args);
    expect(outcome).toMatchObject({ status, stdout: "" });
    expect(outcome.stderr).toContain(code);
    expect(outcome.stderr).not.toMatch(/\n\s+at /);
    expect(outcome.stderr).not.toContain("hunter2");
  });

  it("writes a disk image with its manifest for KubeVirt, and the disk to a pipe", () => {
    const made = run(["convert", HELLO, "oci:disks:hello", "--as", "disk", "--emit", "kubevirt-yaml"]);
    expect(made).toMatchObject({ status: 0, stderr: "" });
    expect(made.stdout).toMatch(/^# .*\napiVersion: kubevirt.io\/v1\nkind: VirtualMachine\n/);
    const { status, stdout } = run(["convert", "oci:disks:hello", "qcow2:-"]);
    expect(status).toBe(0);
    expect(stdout.slice(0, 4)).toBe("QFI\xfb");
    expect(stdout.length % 65536).toBe(0);
  });

  it("shows the options in force without their secrets", () => {
    const { stdout } = run(["inspect", "oci:x", "--src-creds", "me:hunter2", "--retry-times", "7", "--print-config"]);
    expect(JSON.parse(stdout)).toMatchObject({ "src-creds": "(not shown)", "retry-times": "7" });
    expect(stdout).not.toContain("hunter2");
  });

  it("completes commands", () => {
    expect(run(["completion", "bash"]).stdout).toContain("complete -o nospace -F _transload transload");
    expect(run(["--get-yargs-completions", "transload", "ins"]).stdout).toContain("inspect");
  });

  it("takes every value of a list, and the last of anything else", () => {
    const twice = [
      "--label",
      "a=1",
      "--label=b=2",
      "--tag",
      "x",
      "--tag=y",
      "--profile",
      "full",
      "--profile",
      "minimal",
    ];
    const machine = ["--nic", "e1000", "--nic=vmxnet3:VM Network", "--memory", "1.5G"];
    const numbers = ["--threads", "3", "--threads=2", "--stop-signal", "A", "--stop-signal", "B", "--force", "--force"];
    const printed = run(["convert", HELLO, "oci:x", "--print-config", ...twice, ...machine, ...numbers]);
    expect(JSON.parse(printed.stdout)).toMatchObject({
      label: ["a=1", "b=2"],
      tag: "y",
      profile: "minimal",
      threads: 2,
      nic: ["e1000", "vmxnet3:VM Network"],
      memory: 1.5 * 2 ** 30,
      "stop-signal": "B",
      force: true,
    });
  });

  it("takes options from a file and the environment, the command line first", () => {
    const place = join(folder, "configured", "below");
    mkdirSync(place, { recursive: true });
    writeFileSync(join(folder, "configured", "transload.yaml"), "json: true\nstrict: false\n");
    expect(JSON.parse(run(["inspect", HELLO], { cwd: place }).stdout)).toMatchObject({ kind: "package" });
    expect(run(["inspect", HELLO, "--no-json"], { cwd: place }).stdout).toContain("machine hello");
    expect(run(["inspect", HELLO], { env: { TRANSLOAD_JSON: "true" } }).stdout).toMatch(/^\{/);
    const printed = run(["inspect", HELLO, "--print-config", "-q"], { cwd: place, env: { TRANSLOAD_THREADS: "3" } });
    expect(JSON.parse(printed.stdout)).toMatchObject({
      command: "inspect",
      source: HELLO,
      json: true,
      quiet: true,
      threads: 3,
    });
    writeFileSync(join(folder, "bad.yaml"), "- a\n");
    const malformed = run(["inspect", HELLO, "--config", "bad.yaml"]);
    expect(malformed).toMatchObject({ status: 2 });
    expect(malformed.stderr).toContain("USAGE_CONFIG");
  });
});

describe("convert", () => {
  it("prints the digest alone, which the layout then holds; a second run of the same changes nothing", () => {
    const first = run(["convert", HELLO, "oci:first:latest"], { env: { SOURCE_DATE_EPOCH: "1700000000" } });
    expect(first).toMatchObject({ status: 0 });
    expect(first.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    const index = JSON.parse(readFileSync(join(folder, "first", "index.json"), "utf8")) as {
      manifests: { digest: string }[];
    };
    expect(index.manifests.map(({ digest }) => `${digest}\n`)).toEqual([first.stdout]);
    const again = run(["convert", HELLO, "oci:second:latest", "--threads", "0"], {
      env: { SOURCE_DATE_EPOCH: "1700000000" },
    });
    expect(again.stdout).toBe(first.stdout);
    expect(run(["verify", "oci:first:latest"])).toMatchObject({ status: 0 });
  });

  it("tells the whole result as JSON", () => {
    const outcome = run([
      "convert",
      HELLO,
      "oci-archive:hello.tar:v1",
      "--json",
      "--digestfile",
      "digest",
      "--label",
      "a=b",
    ]);
    expect(outcome.status).toBe(0);
    const result = JSON.parse(outcome.stdout) as Record<string, unknown>;
    expect(result).toMatchObject({
      schema: "transload.result/v1",
      status: "ok",
      source: { kind: "ova", vm: "hello", disks: [{ format: "vmdk" }] },
      target: { mode: "container", platform: "linux/amd64" },
      config: { cmd: ["/sbin/init"], labels: { a: "b" } },
    });
    expect(readFileSync(join(folder, "digest"), "utf8")).toBe(`${(result["target"] as { digest: string }).digest}\n`);
  });

  it("writes an archive to a pipe, from a pipe", () => {
    const outcome = run(["convert", "ova:-", "docker-archive:-", "--tag", "greeting:1"], {
      input: readFileSync(HELLO),
    });
    expect(outcome.status).toBe(0);
    writeFileSync(join(folder, "piped.tar"), Buffer.from(outcome.stdout, "latin1"));
    expect(run(["verify", "docker-archive:piped.tar"])).toMatchObject({ status: 0 });
    expect(run(["inspect", "docker-archive:piped.tar"]).stdout).toContain("linux/amd64");
  });

  it("plans without writing", () => {
    const outcome = run(["convert", HELLO, "oci:planned:x", "--dry-run"]);
    expect(outcome.status).toBe(0);
    expect(outcome.stdout).toMatch(/leaves out\n(?: {2}\S+ +\d+ files .*\n)+/);
    expect(existsSync(join(folder, "planned"))).toBe(false);
  });

  it("refuses to replace another image unless forced", () => {
    expect(run(["convert", HELLO, "oci:twice:x"]).status).toBe(0);
    expect(run(["convert", HELLO, "oci:twice:x", "--cmd", "/bin/other"])).toMatchObject({ status: 73 });
    expect(run(["convert", HELLO, "oci:twice:x", "--cmd", "/bin/other", "--force"]).status).toBe(0);
  });

  it("orders --include and --exclude as they were typed", () => {
    const listed = (...filters: string[]) => {
      const outcome = run([
        "convert",
        HELLO,
        `oci:filters:n${filters.length}${filters[0]}`.replace(/[^\w:]/g, "-").replace("oci-", "oci:"),
        "--json",
        ...filters,
      ]);
      return (JSON.parse(outcome.stdout) as { excluded: { byRule: object } }).excluded.byRule;
    };
    expect(Object.keys(listed("--include", "/etc/hostname", "--exclude", "/etc/**"))).toContain("--exclude /etc/**");
    expect(Object.keys(listed("--exclude", "/etc/**", "--include", "/etc/hostname"))).toContain("--exclude /etc/**");
  });

  it("ends with 65 and leaves nothing when a digest is wrong", () => {
    const tampered = join(folder, "tampered.ova");
    const bytes = readFileSync(HELLO);
    const line = "SHA1 (hello-disk001.vmdk) = ";
    const at = bytes.indexOf(line) + line.length;
    bytes[at] = bytes[at] === 0x30 ? 0x31 : 0x30;
    writeFileSync(tampered, bytes);
    const outcome = run(["convert", tampered, "oci:never:x", "--json"]);
    expect(outcome.status).toBe(65);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ status: "failed", error: { exit: 65, retryable: false } });
    expect(existsSync(join(folder, "never", "index.json"))).toBe(false);
    expect(run(["convert", tampered, "oci:skipped:x", "--no-verify"]).status).toBe(0);
  });

  it("ends with 65 and leaves nothing when the package is cut short", () => {
    const short = join(folder, "short.ova");
    copyFileSync(HELLO, short);
    truncateSync(short, statSync(HELLO).size - 200_000);
    expect(run(["convert", short, "oci:cut:x"]).status).toBe(65);
    expect(existsSync(join(folder, "cut", "index.json"))).toBe(false);
  });

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130],
  ] as const)("cleans up after %s", async (signal, status) => {
    const child = spawn(process.execPath, [PROGRAM, "convert", "ova:-", `oci:stopped-${signal}:x`], {
      cwd: folder,
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.write(readFileSync(HELLO).subarray(0, 100_000));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    child.kill(signal);
    expect(await ended).toBe(status);
    expect(existsSync(join(folder, `stopped-${signal}`))).toBe(false);
  });
});

describe("looking into a machine", () => {
  it("lists and prints files", () => {
    expect(run(["ls", HELLO, "/"]).stdout.split("\n")).toContain("/etc");
    expect(run(["ls", "-l", HELLO, "/etc/hostname"]).stdout).toMatch(/^-0644 {3}1 0:0 .* \/etc\/hostname\n$/);
    expect(run(["cat", HELLO, "/etc/os-release"]).stdout).toContain("ID=debian");
    const all = run(["ls", "-R", HELLO]).stdout.trim().split("\n");
    expect(all.length).toBeGreaterThan(30);
    expect(
      run(["ls", "-R", "--json", HELLO, "/etc"])
        .stdout.trim()
        .split("\n")
        .every((line) => line.startsWith('{"path":"/etc')),
    ).toBe(true);
  });

  it("lists and prints files of an image as those of the machine that it came from", () => {
    expect(run(["convert", HELLO, "oci:looking:a", "--profile", "full"]).status).toBe(0);
    expect(run(["copy", "oci:looking:a", "oci-archive:looking.tar:a"]).status).toBe(0);
    for (const path of ["/etc/os-release", "/etc/hostname"]) {
      expect(run(["cat", "oci-archive:looking.tar", path])).toEqual(run(["cat", HELLO, path]));
    }
    const listed = run(["ls", "-R", "oci:looking"]).stdout.trim().split("\n");
    expect(listed).toEqual(expect.arrayContaining(["/", "/etc", "/etc/os-release"]));
    expect(run(["inspect", "oci:looking", "--files"]).stdout).toMatch(/^ {2}system +.*\n {2}files +\d+, /m);
    expect(run(["ls", "oci:looking", "/nowhere"])).toMatchObject({ status: 66 });
    const different = run(["diff", HELLO, "oci:looking", "--ignore", "mtime,links"]);
    expect(different.stdout).toMatch(/^\d+ same, \d+ only in the first, /m);
    expect(run(["diff", "--json", "--bytes", HELLO, HELLO])).toMatchObject({
      status: 0,
      stdout: `${JSON.stringify({ schema: "transload.diff/v1", summary: { same: 1, different: 0 } })}\n`,
    });
  });

  it("inspects for people", async () => {
    await expect(run(["inspect", HELLO]).stdout).toMatchFileSnapshot("inspect-hello.golden");
  });

  it("verifies a package", () => {
    const outcome = run(["verify", HELLO]);
    expect(outcome).toMatchObject({ status: 0 });
    expect(outcome.stdout).toMatch(/^ok: 2 digests, 1 disks, \d+ files on /);
  });
});

describeWith({ tools: ["skopeo", "umoci"], root: true }, "the image of the hello appliance", () => {
  beforeAll(() => {
    expect(run(["convert", HELLO, "oci:run:latest"]).status).toBe(0);
  });

  it("is taken by skopeo as it is", () => {
    const copied = spawnSync("skopeo", ["copy", "-q", "oci:run:latest", "oci:copied:x"], { cwd: folder });
    expect(copied.stderr.toString()).toBe("");
    const digest = (layout: string) =>
      (JSON.parse(readFileSync(join(folder, layout, "index.json"), "utf8")) as { manifests: { digest: string }[] })
        .manifests[0]?.digest;
    expect(digest("copied")).toBe(digest("run"));
  });

  it("says hello when it is unpacked and started", () => {
    expect(spawnSync("umoci", ["unpack", "--image", "run:latest", "bundle"], { cwd: folder }).status).toBe(0);
    const root = join(folder, "bundle", "rootfs");
    expect(readdirSync(root)).toContain("sbin");
    const hello = spawnSync("chroot", [root, "/sbin/init"]);
    expect(hello.stdout.toString()).toContain("Hello");
    expect(hello.status).toBe(0);
  });
});
