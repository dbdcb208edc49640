import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Context, createContext, DEFAULT_REGISTRIES, type Diagnostic } from "../../../src/context.ts";
import { parseRegistryReference } from "../../../src/transport/docker/reference.ts";
import { pullLocations, pushLocation } from "../../../src/transport/docker/registries-conf.ts";
import { transport } from "../../../src/transport/docker/transport.ts";
import { putSample } from "../sample-image.ts";
import { FakeRegistry } from "./fake-registry.ts";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "transload-conf-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function configure(text: string, file = "registries.conf"): void {
  const path = join(home, ".config/containers", file);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
}

function pull(reference: string): string[] {
  const found = pullLocations(parseRegistryReference(reference), { HOME: home });
  return found.map(({ host, repository, insecure }) => `${host}/${repository}${insecure ? " insecure" : ""}`);
}

const DIGEST = `sha256:${"0".repeat(64)}`;

describe("registries.conf", () => {
  it("may say nothing about an image", () => {
    expect(pull("debian")).toEqual(["docker.io/library/debian"]);
    configure('unqualified-search-registries = ["docker.io"]\n[[registry]]\nlocation = "other.example"\n');
    expect(pull("reg.example/a/b:1")).toEqual(["reg.example/a/b"]);
    expect(pull("other.example.org/a")).toEqual(["other.example.org/a"]);
  });

  it("puts mirrors before the place, and another place in its stead", () => {
    configure(`
[[registry]]
prefix = "docker.io"
location = "hub.example/proxy"
[[registry.mirror]]
location = "near.example:5000/hub"
insecure = true
[[registry.mirror]]
location = "digests.example"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "tags.example"
pull-from-mirror = "tag-only"
[[registry]]
prefix = "docker.io/library/special"
location = "special.example/it"
insecure = true
`);
    expect(pull("debian")).toEqual([
      "near.example:5000/hub/library/debian insecure",
      "tags.example/library/debian",
      "hub.example/proxy/library/debian",
    ]);
    expect(pull(`debian@${DIGEST}`)[1]).toBe("digests.example/library/debian");
    expect(pull("special")).toEqual(["special.example/it insecure"]);
    expect(pull("specials")[0]).toBe("near.example:5000/hub/library/specials insecure");
    const to = pushLocation(parseRegistryReference("special"), { HOME: home });
    expect(to).toEqual({ host: "docker.io", repository: "library/special", insecure: true });
  });

  it("may mean every host of a domain, and be changed by files besides", () => {
    configure('[[registry]]\nprefix = "*.example.com"\ninsecure = true\n[[registry]]\nlocation = "a.example.com/b"\n');
    expect(pull("x.example.com/a")).toEqual(["x.example.com/a insecure"]);
    expect(pull("a.example.com/b")).toEqual(["a.example.com/b"]);
    expect(pull("example.com/a")).toEqual(["example.com/a"]);
    configure('[[registry]]\nlocation = "a.example.com/b"\ninsecure = true\n', "registries.conf.d/50-own.conf");
    expect(pull("a.example.com/b")).toEqual(["a.example.com/b insecure"]);
    const named = join(home, "named.conf");
    writeFileSync(
      named,
      '[[registry]]\nlocation = "x.example.com"\nmirror-by-digest-only = true\nmirror = [{location = "m"}]\n',
    );
    const environment = { HOME: home, CONTAINERS_REGISTRIES_CONF: named };
    expect(pullLocations(parseRegistryReference("x.example.com/a"), environment)).toHaveLength(1);
    expect(pullLocations(parseRegistryReference(`x.example.com/a@${DIGEST}`), environment)).toHaveLength(2);
  });

  it("may block a registry, for both directions", () => {
    configure('[[registry]]\nlocation = "bad.example"\nblocked = true\n');
    const wanted = expect.objectContaining({ code: "REGISTRY_BLOCKED", exitCode: 2 });
    expect(() => pull("bad.example/a")).toThrow(wanted);
    expect(() => pushLocation(parseRegistryReference("bad.example/a"), { HOME: home })).toThrow(wanted);
  });

  it.each([
    "[[registry",
    'registry = "x"',
    "[[registry]]\nlocation = 5",
    '[[registry]]\nlocation = "a.example"\nmirror = [{location = "m", pull-from-mirror = "never"}]',
    '[[registry]]\nlocation = "a.example"\nmirror = [{}]',
    '[[registry]]\nprefix = "a.example/b"\nlocation = "nowhere"',
  ])("is told of where it cannot be understood: %j", (text) => {
    configure(text);
    expect(() => pull("a.example/b")).toThrow(expect.objectContaining({ code: "REGISTRY_CONFIG", exitCode: 2 }));
  });
});

describe("an image with mirrors", () => {
  it("comes from the first that has it, without the password of the registry", async () => {
    await using first = await FakeRegistry.start();
    await using second = await FakeRegistry.start();
    await using own = await FakeRegistry.start();
    const mirrors = [first, second].map(({ host }) => `{location = "${host}/m"}`).join(", ");
    configure(`[[registry]]\nlocation = "${own.host}"\nmirror = [${mirrors}]\n`);
    const notes: Diagnostic[] = [];
    const credentials = { username: "me", password: "secret" };
    const ctx: Context = createContext({
      diagnostic: (note) => void notes.push(note),
      registries: { ...DEFAULT_REGISTRIES, environment: { HOME: home }, backoff: 1, source: { credentials } },
    });
    await using to = await transport.openDestination(`${own.host}/web:1`, { force: false }, ctx);
    const { digest } = await putSample(to);
    await to.commit();
    const digestNow = async (): Promise<string> => {
      await using from = await transport.openSource(`${own.host}/web:1`, ctx);
      return (await from.manifest()).descriptor.digest;
    };
    expect(await digestNow()).toBe(digest);
    expect(notes.map(({ code }) => code)).toEqual(["REGISTRY_MIRROR", "REGISTRY_MIRROR"]);
    for (const [name, manifest] of own.manifests) second.manifests.set(name, manifest);
    const asked = own.seen.length;
    expect(await digestNow()).toBe(digest);
    expect(own.seen.length).toBe(asked);
    second.fault = (_request, response) => {
      response.writeHead(401, { "WWW-Authenticate": 'Basic realm="x"' }).end();
      return true;
    };
    expect(await digestNow()).toBe(digest);
    expect([...first.seen, ...second.seen].every(({ authorization }) => authorization === undefined)).toBe(true);
  });
});
