import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** A registry of the Docker distribution in a process of its own. */
export interface RealRegistry extends AsyncDisposable {
  readonly host: string;
  /** Its certificate's authority, where it speaks TLS. */
  readonly authority: string;
  readonly folder: string;
}

export const USER = { username: "transload", password: "s3cret:with colon" } as const;
export async function startRegistry(options: { readonly tls?: boolean } = {}): Promise<RealRegistry> {
  const folder = mkdtempSync(join(tmpdir(), "transload-registry-"));
  const port = await freePort();
  const authority = join(folder, "ca.crt");
  if (options.tls === true) makeCertificate(folder);
  const secure = options.tls !== true ? "" : `\n  tls: {certificate: ${authority}, key: ${folder}/key.pem}`;
  const auth = options.tls !== true ? "" : `auth: {htpasswd: {realm: test, path: ${folder}/htpasswd}}\n`;
  mkdirSync(join(folder, "data"));
  writeFileSync(
    join(folder, "config.yml"),
    `version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: ${folder}/data}, delete: {enabled: true}}
http:
  addr: 127.0.0.1:${port}${secure}
${auth}`,
  );
  const child = spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "ignore" });
  await listening(port);
  return {
    host: `127.0.0.1:${port}`,
    authority,
    folder,
    async [Symbol.asyncDispose]() {
      const closed = once(child, "close");
      child.kill();
      await closed;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function makeCertificate(folder: string): void {
  const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "ca.crt")];
  execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files], {
    stdio: "ignore",
  });
  const line = `${USER.username}:${bcrypt(USER.password)}\n`;
  writeFileSync(join(folder, "htpasswd"), line);
}

function bcrypt(password: string): string {
  const script = "import crypt, sys; print(crypt.crypt(sys.argv[1], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))";
  return execFileSync("python3", ["-W", "ignore", "-c", script, password], { encoding: "utf8" }).trim();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = connect(port, "127.0.0.1");
    const ok = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (ok) return;
    await wait(50);
  }
  throw new Error("the registry did not start");
}
