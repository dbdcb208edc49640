import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import type { Context, Registries } from "../../context.ts";
import { ConverterError } from "../../errors.ts";
import { Fields, parseJson } from "../../oci/json.ts";
import { authFileWrong, helperFailed } from "./errors.ts";
import { DOCKER_IO } from "./reference.ts";

/** What a registry or its token server can be shown. */
export type LoginData =
  | { readonly username: string; readonly password: string }
  /** A refresh token, which only the token server takes. */
  | { readonly identityToken: string };

/** How Docker calls its own registry in its files and helpers. */
const DOCKER_KEY = "https://index.docker.io/v1/";

/**
 * What is kept for a registry and a repository in it, looked for in the order of containers-auth.json.5: the file that the user
 * names, or else those of containers and of Docker; in each a helper of this registry's own, the helper for all, then the file
 * itself, the longest key first. Throws UsageError REGISTRY_AUTH_FILE, AuthorisationError REGISTRY_CREDENTIAL_HELPER.
 */
export async function findLogin(host: string, repository: string, ctx: Context): Promise<LoginData | undefined> {
  for (const { path, named, legacy } of authFiles(ctx.registries)) {
    if (!existsSync(path)) {
      if (named) throw authFileWrong(path, "there is no such credential file");
      continue;
    }
    const found = await loginIn(path, legacy, host, repository, ctx);
    if (found !== undefined) return found;
  }
  return undefined;
}

interface AuthFile {
  readonly path: string;
  /** By the user, so that it must be there. */
  readonly named: boolean;
  /** Docker before 1.7: nothing but the map of registries. */
  readonly legacy: boolean;
}

function authFiles({ authFile, environment }: Registries): readonly AuthFile[] {
  const {
    REGISTRY_AUTH_FILE: named = "",
    HOME: home,
    XDG_RUNTIME_DIR: runtime,
    XDG_CONFIG_HOME: config = home && join(home, ".config"),
    DOCKER_CONFIG: docker = home && join(home, ".docker"),
  } = environment;
  const own = authFile ?? named;
  if (own !== "") return [{ path: own, named: true, legacy: false }];
  const paths = [
    runtime === undefined
      ? home && `/run/containers/${userInfo().uid}/auth.json`
      : join(runtime, "containers/auth.json"),
    config && join(config, "containers/auth.json"),
    docker && join(docker, "config.json"),
    home && join(home, ".dockercfg"),
  ];
  return paths.flatMap((path) => (path ? [{ path, named: false, legacy: path.endsWith("/.dockercfg") }] : []));
}

async function loginIn(
  path: string,
  legacy: boolean,
  host: string,
  repository: string,
  ctx: Context,
): Promise<LoginData | undefined> {
  const document = readAuthFile(path);
  const helpers = legacy ? undefined : document.textMap("credHelpers");
  const helper = helpers?.[host] ?? (legacy ? undefined : document.optionalText("credsStore"));
  if (helper !== undefined && helper !== "") {
    for (const key of host === DOCKER_IO ? [DOCKER_KEY, host] : [host]) {
      const found = await askHelper(helper, key, ctx);
      if (found !== undefined) return found;
    }
  }
  const auths = legacy ? document : document.object("auths");
  return auths && loginAmong(auths, host, repository, path);
}

function readAuthFile(path: string): Fields {
  try {
    return new Fields(parseJson(readFileSync(path), path), "", path);
  } catch (cause) {
    // Neither may the message show what stands in it.
    const why = cause instanceof ConverterError ? "is not a JSON object" : "cannot be read";
    throw authFileWrong(path, `the credential file ${why}`);
  }
}

/** The entry with the longest key that this repository lies under; Docker's keys may be addresses. */
function loginAmong(auths: Fields, host: string, repository: string, path: string): LoginData | undefined {
  const keys = auths.names();
  const parts = repository.split("/");
  for (let count = parts.length; count >= 0; count--) {
    const wanted = [host, ...parts.slice(0, count)].join("/");
    const key =
      keys.find((each) => each === wanted) ?? (count === 0 ? keys.find((each) => hostOf(each) === host) : undefined);
    const entry = key === undefined ? undefined : auths.object(key);
    const found = entry && loginOf(entry, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Of a key like `https://registry.example/v2/`. */
function hostOf(key: string): string | undefined {
  const [, host] = /^https?:\/\/([^/]+)/.exec(key) ?? /^([^/]+)\/v[12]\/?$/.exec(key) ?? [];
  return host === "index.docker.io" || host === "registry-1.docker.io" ? DOCKER_IO : host;
}

function loginOf(entry: Fields, path: string): LoginData | undefined {
  const identityToken = entry.optionalText("identitytoken") ?? "";
  if (identityToken !== "") return { identityToken };
  const auth = entry.optionalText("auth") ?? "";
  if (auth === "") {
    const [username = "", password = ""] = [entry.optionalText("username"), entry.optionalText("password")];
    return username === "" ? undefined : { username, password };
  }
  const text = Buffer.from(auth, "base64").toString("utf8").replace(/\0+$/, "");
  const colon = text.indexOf(":");
  if (colon < 0) throw authFileWrong(path, "an auth of the credential file is not base64 of user:password");
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

const HELPER_LIMIT = 1 << 20;
const HELPER_TIME = 60_000;

/** `docker-credential-NAME get` (docker-credential-helpers): the registry on stdin, JSON on stdout. */
async function askHelper(name: string, key: string, ctx: Context): Promise<LoginData | undefined> {
  if (!/^[\w.-]+$/.test(name)) throw helperFailed(name, "has a name that is no name of a program");
  const { code, output } = await runHelper(`docker-credential-${name}`, key, ctx);
  if (code !== 0) {
    if (/credentials not found/i.test(output)) return undefined;
    throw helperFailed(name, `ended with ${code}`);
  }
  try {
    const fields = new Fields(parseJson(Buffer.from(output), name), "", name);
    const [username, password] = [fields.text("Username"), fields.text("Secret")];
    if (username === "<token>") return { identityToken: password };
    return username === "" ? undefined : { username, password };
  } catch (cause) {
    if (!(cause instanceof ConverterError)) throw cause;
    throw helperFailed(name, "gave an answer that is not JSON with Username and Secret");
  }
}

async function runHelper(
  program: string,
  input: string,
  ctx: Context,
): Promise<{ code: number | null; output: string }> {
  const { environment } = ctx.registries;
  const env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined));
  return await new Promise((resolve, reject) => {
    const child = spawn(program, ["get"], {
      env,
      signal: ctx.signal,
      timeout: HELPER_TIME,
      stdio: ["pipe", "pipe", "ignore"],
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.length > HELPER_LIMIT) child.kill();
    });
    child.once("error", (cause: NodeJS.ErrnoException) =>
      reject(ctx.signal.aborted ? ctx.signal.reason : helperFailed(program, `could not be started (${cause.code})`)),
    );
    child.once("close", (code) => resolve({ code, output }));
    // One that does not care for its input may be gone before it.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}
