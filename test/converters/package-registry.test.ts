import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { convert } from "../../converters/convert.ts";
import { type ImageInspection, inspect } from "../../converters/inspect.ts";
import { packageForm } from "../../converters/ovf-to-oci/package.ts";
import { openOriginal } from "../../converters/ovf-to-oci/package-parts.ts";
import { parseReference } from "../../converters/reference.ts";
import { verify } from "../../converters/verify.ts";
import { createContext, DEFAULT_LIMITS, DEFAULT_REGISTRIES } from "../../src/context.ts";
import { transports } from "../../src/transport/index.ts";
import { codeOf, descriptor, tarOf } from "../ovf/appliance.ts";
import { corpus, describeWith, fixture } from "../support/needs.ts";
import { FakeRegistry } from "../transport/docker/fake-registry.ts";
import { startRegistry } from "../transport/docker/real-registry.ts";

const folder = mkdtempSync(join(tmpdir(), "transload-package-"));
const ctx = createContext({
  tmp: folder,
  limits: { ...DEFAULT_LIMITS, threads: 0 },
  registries: { ...DEFAULT_REGISTRIES, retries: 0 },
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string): string => join(folder, name);

/** Pushes with pieces of 1000 bytes. */
async function push(path: string, to: string): Promise<void> {
  await using original = await openOriginal(await parseReference(`ova:${path}`, ctx), ctx);
  const plan = await packageForm.plan(original, { transport: "ova", pieceBytes: 1000, remote: true }, ctx);
  const transport = await transports.byName("docker")?.load();
  await using destination = await transport?.openDestination(to, { force: true }, ctx);
  if (destination === undefined) throw new Error("docker");
  await packageForm.run(plan, destination, ctx);
}

/** A disk of 20 different pieces, two that are alike, and a member without bytes. */
async function makeArchive(): Promise<string> {
  const disk = Buffer.concat(Array.from({ length: 21 }, (_, index) => Buffer.alloc(1000, Math.min(index, 19))));
  const members = { "m.ovf": descriptor({ href: "d.vmdk" }), "d.vmdk": disk, "empty.nvram": "" };
  writeFileSync(at("pieces.ova"), await tarOf(members));
  return at("pieces.ova");
}

describeWith({ tools: ["docker-registry"] }, "a package in a registry", () => {
  it("comes back byte for byte, and is told of by its manifest", async () => {
    await using registry = await startRegistry();
    const hello = fixture("appliances", "hello", "hello.ova");
    const place = `docker://${registry.host}/ova/hello:1`;
    await convert({ source: hello, destination: place, as: "package" }, ctx);
    await convert({ source: place, destination: at("back.ova") }, ctx);
    expect(readFileSync(at("back.ova")).equals(readFileSync(hello))).toBe(true);
    expect(((await inspect(place, {}, ctx)) as ImageInspection).package?.machines[0]?.name).toBe("hello");
    expect(await verify(place, ctx)).toMatchObject({ ok: true, findings: [] });

    const path = await makeArchive();
    await push(path, `${registry.host}/ova/pieces:1`);
    await convert({ source: `docker://${registry.host}/ova/pieces:1`, destination: at("pieces-back.ova") }, ctx);
    expect(readFileSync(at("pieces-back.ova")).equals(readFileSync(path))).toBe(true);
  });
});

describeWith({ tools: ["docker-registry"], corpus: "ovf/ova" }, "the appliances of others", () => {
  it("come back from a registry", async () => {
    await using registry = await startRegistry();
    let count = 0;
    for (const name of readdirSync(corpus("ovf", "ova"))) {
      // These three are no packages: package-form.test.ts has what is said of them.
      if (/bad-ovf|no-ovf|not-tar/.test(name)) continue;
      const place = `docker://${registry.host}/ova/${name.toLowerCase()}:1`;
      await convert({ source: corpus("ovf", "ova", name), destination: place, as: "package" }, ctx);
      await convert({ source: place, destination: at("theirs.ova"), force: true }, ctx);
      expect(readFileSync(at("theirs.ova")).equals(readFileSync(corpus("ovf", "ova", name)))).toBe(true);
      count++;
    }
    expect(count).toBeGreaterThan(5);
  });
});

describe("a push that breaks", () => {
  it("shows nothing, and the next one sends only what is not there", async () => {
    await using registry = await FakeRegistry.start();
    const path = await makeArchive();
    registry.fault = ({ socket }, _response, { method }) => {
      if (method !== "PATCH" || registry.finished.length < 6) return false;
      socket.destroy();
      return true;
    };
    expect(await codeOf(push(path, `${registry.host}/ova/pieces:1`))).toMatch(/^REGISTRY_/);
    expect(registry.manifests.size).toBe(0);
    const before = registry.finished.length;
    expect(before).toBeGreaterThanOrEqual(6);
    registry.fault = () => false;
    await push(path, `${registry.host}/ova/pieces:1`);
    const { finished } = registry;
    expect(finished.slice(before).filter((digest) => finished.slice(0, before).includes(digest))).toEqual([]);
    await convert({ source: `docker://${registry.host}/ova/pieces:1`, destination: at("fake-back.ova") }, ctx);
    expect(readFileSync(at("fake-back.ova")).equals(readFileSync(path))).toBe(true);
    expect(registry.count("GET", /\/blobs\//)).toBe(new Set(finished).size);
  });
});
