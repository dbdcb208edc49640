import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Context, createContext, DEFAULT_REGISTRIES, type Registries } from "../../../src/context.ts";
import { parseChallenges } from "../../../src/transport/docker/challenge.ts";
import { findLogin } from "../../../src/transport/docker/credentials.ts";
import { networkError } from "../../../src/transport/docker/http.ts";
import { tlsContext } from "../../../src/transport/docker/tls.ts";
import { transport } from "../../../src/transport/docker/transport.ts";
import { describeWith } from "../../support/needs.ts";
import { putSample } from "../sample-image.ts";
import { answer, bodyOf, FakeRegistry } from "./fake-registry.ts";

let folder: string;
let registry: FakeRegistry;
let tokens: FakeRegistry;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "transload-auth-"));
  registry = await FakeRegistry.start();
  tokens = await FakeRegistry.start();
});
afterEach(async () => {
  await registry[Symbol.asyncDispose]();
  await tokens[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

const at = () => `${registry.host}/team/web:1`;
const ME = { username: "me", password: "pass:word" };
const BASIC = `Basic ${Buffer.from("me:pass:word").toString("base64")}`;

function context(registries: Partial<Registries> = {}): Context {
  return createContext({ registries: { ...DEFAULT_REGISTRIES, retries: 2, backoff: 1, ...registries } });
}

async function push(ctx: Context, mountFrom?: string) {
  const options = { force: true, ...(mountFrom === undefined ? {} : { mountFrom }) };
  await using to = await transport.openDestination(at(), options, ctx);
  await putSample(to);
  await to.commit();
}

/** The registry wants a token that the token server has given. */
function wantTokens(
  give: (seen: { path: string; authorization: string | undefined; body: string }) => object | number,
) {
  const given = new Set<string>();
  let count = 0;
  tokens.fault = async (request, response, { path, authorization }) => {
    const body = (await bodyOf(request)).toString();
    const found = give({ path, authorization, body });
    if (typeof found === "number") answer(response, found, {}, "{}");
    else {
      const token = `token-${count++}`;
      given.add(`Bearer ${token}`);
      answer(response, 200, {}, JSON.stringify({ token, ...found }));
    }
    return true;
  };
  registry.fault = (request, response, { authorization }) => {
    if (given.has(authorization ?? "")) return false;
    request.resume();
    const challenge = `Bearer realm="http://${tokens.host}/token",service="a service",scope="repository:team/web:pull"`;
    answer(response, 401, { "WWW-Authenticate": challenge }, '{"errors":[{"code":"UNAUTHORIZED"}]}');
    return true;
  };
  return given;
}

describe("bearer tokens", () => {
  it("are asked for with the password, for what will be done, once", async () => {
    wantTokens(({ authorization }) => (authorization === BASIC ? { expires_in: 300 } : 401));
    await push(context({ destination: { credentials: ME } }), `${registry.host}/lender`);
    expect(tokens.seen).toHaveLength(1);
    const { searchParams } = new URL(tokens.seen[0]?.path ?? "", "http://x");
    expect(searchParams.get("service")).toBe("a service");
    expect(searchParams.getAll("scope")).toEqual(["repository:team/web:pull,push", "repository:lender:pull"]);
    expect(registry.seen.every(({ authorization }) => authorization?.startsWith("Basic") !== true)).toBe(true);
  });

  it("are given to the anonymous too, where a registry does so", async () => {
    wantTokens(({ authorization }) => (authorization === undefined ? { token: "", access_token: "token-0" } : 401));
    await push(context());
  });

  it("are asked for anew when the registry forgets them", async () => {
    const given = wantTokens(() => ({}));
    await using to = await transport.openDestination(at(), { force: true }, context());
    given.clear();
    await putSample(to);
    given.clear();
    await to.commit();
    expect(tokens.seen.length).toBe(3);
  });

  it("come for an identity token, which only the token server sees", async () => {
    wantTokens(({ body }) => (new URLSearchParams(body).get("refresh_token") === "identity" ? {} : 400));
    const authFile = join(folder, "auth.json");
    writeFileSync(authFile, JSON.stringify({ auths: { [registry.host]: { identitytoken: "identity" } } }));
    await push(context({ authFile }));
    expect(tokens.seen).toMatchObject([{ method: "POST", path: "/token" }]);
    expect(JSON.stringify(registry.seen)).not.toContain("identity");
  });

  it.each<readonly [string, () => object | number, string, number]>([
    ["are refused to a wrong password", () => 401, "REGISTRY_UNAUTHORISED", 77],
    ["are not there while the server is busy", () => 503, "REGISTRY_BUSY", 75],
    ["are missing in the answer", () => ({ token: "" }), "REGISTRY_TOKEN", 65],
    ["are no header", () => ({ token: "a\r\nb" }), "REGISTRY_TOKEN", 65],
    ["are not where the server says", () => 302, "REGISTRY_TOKEN", 65],
  ])("%s", async (_, give, code, exitCode) => {
    wantTokens(give);
    const failure = await push(context({ destination: { credentials: ME } })).catch((cause) => cause);
    expect(failure).toMatchObject({ code, exitCode });
    expect(`${failure.stack}${JSON.stringify(failure)}`).not.toContain("pass:word");
  });

  it.each(["nowhere", "ftp://HOST/token", "http://user:pw@HOST/token"])("are not asked for at %s", async (realm) => {
    registry.fault = (_request, response) => {
      answer(response, 401, { "WWW-Authenticate": `Bearer realm="${realm.replace("HOST", tokens.host)}"` });
      return true;
    };
    await expect(push(context())).rejects.toMatchObject({ code: "REGISTRY_TOKEN" });
    expect(tokens.seen).toEqual([]);
  });

  it("that never satisfy end in one error", async () => {
    const given = wantTokens(() => ({}));
    given.has = () => false;
    await expect(push(context())).rejects.toMatchObject({ code: "REGISTRY_UNAUTHORISED", exitCode: 77 });
    expect(tokens.seen.length).toBeLessThan(5);
  });
});

describe("what a registry says about a refusal", () => {
  it.each(["pass:word", BASIC.slice(6)])("is not repeated where it holds a secret: %s", async (secret) => {
    registry.fault = (_request, response, { authorization }) => {
      const body = JSON.stringify({ errors: [{ code: "DENIED", message: `not with ${secret}` }] });
      answer(response, authorization === undefined ? 401 : 403, { "WWW-Authenticate": 'Basic realm="x"' }, body);
      return true;
    };
    const failure = await push(context({ destination: { credentials: ME } })).catch((cause) => cause);
    expect(failure).toMatchObject({ code: "REGISTRY_DENIED", exitCode: 77 });
    expect(failure.message).not.toContain(secret);
  });
});

describe("challenges", () => {
  it.each([
    [['Basic realm="a b"'], [["basic", { realm: "a b" }]]],
    [
      ['Bearer realm="https://a/b?c=d,e",service=x , scope="r:a:pull,push"'],
      [["bearer", { realm: "https://a/b?c=d,e", service: "x", scope: "r:a:pull,push" }]],
    ],
    [
      ['Basic realm="x", BEARER Realm="y\\"z"'],
      [
        ["basic", { realm: "x" }],
        ["bearer", { realm: 'y"z' }],
      ],
    ],
    [
      ["Negotiate", 'Basic realm=""'],
      [
        ["negotiate", {}],
        ["basic", { realm: "" }],
      ],
    ],
    [['Bearer realm="never closed', "", "=,="], [["bearer", {}]]],
  ] as const)("are read from %j", (headers, expected) => {
    const found = parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
    expect(found.slice(0, expected.length)).toEqual(expected);
  });
});

describe("credential files", () => {
  const auth = (text: string) => ({ auth: Buffer.from(text).toString("base64") });
  function write(path: string, content: unknown): string {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
    return file;
  }
  const environment = () => ({ HOME: folder, XDG_RUNTIME_DIR: join(folder, "run"), PATH: join(folder, "bin") });
  const login = (host = "reg.example:5000", repository = "team/web", more: Partial<Registries> = {}) =>
    findLogin(host, repository, context({ environment: environment(), ...more }));
  function helper(name: string, answers: Readonly<Record<string, string>>): void {
    const cases = Object.entries(answers).map(([key, text]) => `${key}) printf '%s' '${text}';;`);
    const script = `#!/bin/sh\nread -r key\ncase "$key" in\n${cases.join("\n")}\n*) echo "credentials not found in native keychain"; exit 1;;\nesac\n`;
    chmodSync(write(`bin/docker-credential-${name}`, script), 0o755);
  }

  it("are looked into in order", async () => {
    const places = [".dockercfg", ".docker/config.json", ".config/containers/auth.json", "run/containers/auth.json"];
    expect(await login()).toBeUndefined();
    for (const [index, place] of places.entries()) {
      const auths = { "reg.example:5000": auth(`user${index}:a:b`) };
      write(place, place === ".dockercfg" ? auths : { auths });
      expect(await login()).toEqual({ username: `user${index}`, password: "a:b" });
    }
    const authFile = write("own.json", { auths: { "reg.example:5000": auth("own:x") } });
    expect(await login(undefined, undefined, { authFile })).toMatchObject({ username: "own" });
    const named = { ...environment(), REGISTRY_AUTH_FILE: authFile };
    expect(await login(undefined, undefined, { environment: named })).toMatchObject({ username: "own" });
    expect(await login("other.example", undefined, { authFile })).toBeUndefined();
    const elsewhere = { ...environment(), DOCKER_CONFIG: join(folder, "d"), XDG_CONFIG_HOME: join(folder, "c") };
    write("c/containers/auth.json", { auths: { "moved.example": auth("c:x") } });
    write("d/config.json", { auths: { "moved2.example": auth("d:x") } });
    expect(await login("moved.example", "a", { environment: elsewhere })).toMatchObject({ username: "c" });
    expect(await login("moved2.example", "a", { environment: elsewhere })).toMatchObject({ username: "d" });
  });

  it("may have a login for a part of a registry, and Docker's spellings", async () => {
    write(".docker/config.json", {
      auths: {
        "reg.example:5000/team/web": auth("web:1"),
        "reg.example:5000/team": auth("team:1"),
        "https://reg.example:5000/v2/": auth("all:1"),
        "https://index.docker.io/v1/": auth("hub:1"),
        "empty.example": {},
      },
    });
    expect(await login()).toMatchObject({ username: "web" });
    expect(await login(undefined, "team/other")).toMatchObject({ username: "team" });
    expect(await login(undefined, "teams")).toMatchObject({ username: "all" });
    expect(await login("docker.io", "library/debian")).toMatchObject({ username: "hub" });
    expect(await login("empty.example")).toBeUndefined();
  });

  it("may name helpers, which go first", async () => {
    helper("one", { "reg.example:5000": '{"Username":"helped","Secret":"s"}' });
    helper("all", {
      "token.example": '{"Username":"<token>","Secret":"identity"}',
      "https://index.docker.io/v1/": '{"Username":"hub","Secret":"s"}',
      "broken.example": "no JSON",
    });
    write(".docker/config.json", {
      credHelpers: { "reg.example:5000": "one", "bad.example": "../one", "gone.example": "nowhere" },
      credsStore: "all",
      auths: { "reg.example:5000": auth("file:1"), "plain.example": auth("file:1") },
    });
    expect(await login()).toEqual({ username: "helped", password: "s" });
    expect(await login("token.example")).toEqual({ identityToken: "identity" });
    expect(await login("docker.io")).toMatchObject({ username: "hub" });
    expect(await login("plain.example")).toMatchObject({ username: "file" });
    for (const host of ["broken.example", "bad.example", "gone.example"]) {
      await expect(login(host)).rejects.toMatchObject({ code: "REGISTRY_CREDENTIAL_HELPER", exitCode: 77 });
    }
  });

  it.each([
    ["secret-but-no-json", "is not a JSON object"],
    [{ auths: { "reg.example:5000": { auth: "c2VjcmV0" } } }, "is not base64 of user:password"],
  ])("that are malformed are told of, not shown: %j", async (content, what) => {
    write(".docker/config.json", content);
    const failure = await login().catch((cause) => cause);
    expect(failure).toMatchObject({ code: "REGISTRY_AUTH_FILE", exitCode: 2 });
    expect(failure.message).toContain(what);
    expect(failure.message).not.toContain("secret");
  });

  it("must be there where the user names one", async () => {
    const authFile = join(folder, "nowhere.json");
    await expect(login("a.example", "b", { authFile })).rejects.toMatchObject({ code: "REGISTRY_AUTH_FILE" });
  });
});

describeWith({ tools: ["openssl"] }, "certificates", () => {
  const host = () => join(folder, ".config/containers/certs.d");
  const openssl = (...options: string[]) => execFileSync("openssl", options, { cwd: folder, stdio: "ignore" });

  it("of a client are shown to the registry that they are for", async () => {
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    const make = (name: string) =>
      openssl(
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-keyout",
        `${name}.key`,
        "-out",
        `${name}.cert`,
        ...subject,
      );
    make("server");
    make("client");
    const read = (name: string) => execFileSync("cat", [join(folder, name)]);
    const options = { key: read("server.key"), cert: read("server.cert"), ca: read("client.cert"), requestCert: true };
    const server = createServer({ ...options, rejectUnauthorized: true }, (_request, response) =>
      answer(response, 404),
    );
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const name = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
    mkdirSync(join(host(), name), { recursive: true });
    for (const [from, to] of [
      ["server.cert", "ca.crt"],
      ["client.cert", "client.cert"],
      ["client.key", "client.key"],
    ] as const)
      writeFileSync(join(host(), name, to), read(from));
    const ctx = context({ environment: { HOME: folder }, retries: 0 });
    await expect(transport.openSource(`${name}/a:b`, ctx)).rejects.toMatchObject({ code: "TRANSPORT_IMAGE_MISSING" });
    rmSync(join(host(), name, "client.cert"));
    await expect(transport.openSource(`${name}/a:b`, ctx)).rejects.toMatchObject({ exitCode: 75 });
    server.close();
    server.closeAllConnections();
  });

  it("that are no certificates, or lack their key, are told of", () => {
    mkdirSync(join(host(), "a.example"), { recursive: true });
    writeFileSync(join(host(), "a.example", "client.cert"), "x");
    const wanted = { code: "REGISTRY_CONFIG", exitCode: 2 };
    expect(() => tlsContext("a.example", { HOME: folder })).toThrow(expect.objectContaining(wanted));
    writeFileSync(join(host(), "a.example", "client.key"), "x");
    expect(() => tlsContext("a.example", { HOME: folder })).toThrow(expect.objectContaining(wanted));
    expect(() => tlsContext("b.example", { SSL_CERT_FILE: join(folder, "no") })).toThrow(
      expect.objectContaining(wanted),
    );
  });
});

describe("failures of the network", () => {
  it.each([
    ["ENOTFOUND", "REGISTRY_UNREACHABLE", 75],
    ["ECONNRESET", "REGISTRY_CONNECTION", 75],
    ["CERT_HAS_EXPIRED", "REGISTRY_CERTIFICATE", 77],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "REGISTRY_CERTIFICATE", 77],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "REGISTRY_TLS", 77],
  ])("like %s are %s", (code, name, exitCode) => {
    const cause = Object.assign(new Error("x"), { code });
    const url = new URL("https://a.example/v2/a/blobs/b?signature=secret");
    const error = networkError(cause, url, new AbortController().signal);
    expect(error).toMatchObject({ code: name, exitCode });
    expect(error.message).not.toContain("secret");
  });
});
