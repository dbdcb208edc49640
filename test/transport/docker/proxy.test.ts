import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createContext, DEFAULT_REGISTRIES } from "../../../src/context.ts";
import { proxyFor } from "../../../src/transport/docker/proxy.ts";
import { transport } from "../../../src/transport/docker/transport.ts";
import { describeWith } from "../../support/needs.ts";
import { answer } from "./fake-registry.ts";

describe("the proxy", () => {
  it.each([
    ["https://reg.example/", { HTTPS_PROXY: "http://p:3128" }, "http://p:3128/"],
    ["https://reg.example/", { HTTPS_PROXY: "http://p:3128", https_proxy: "q:8080" }, "http://q:8080/"],
    ["http://reg.example/", { HTTPS_PROXY: "http://p:3128" }, undefined],
    ["https://127.0.0.1:5000/", { HTTPS_PROXY: "http://p:3128" }, undefined],
    ["https://reg.example/", { HTTPS_PROXY: "http://p", NO_PROXY: "a, .example" }, undefined],
    ["https://reg.example:5000/", { HTTPS_PROXY: "http://p", NO_PROXY: "reg.example:5000" }, undefined],
    ["https://reg.example/", { HTTPS_PROXY: "http://p", NO_PROXY: "eg.example,reg.example:5000" }, "http://p/"],
    ["https://reg.example/", { HTTPS_PROXY: "http://p", no_proxy: "*" }, undefined],
    ["https://reg.example/", {}, undefined],
  ])("for %s in %j is %s", (url, environment, expected) => {
    expect(proxyFor(new URL(url), environment)?.href).toBe(expected);
  });

  it("must be an address", () => {
    const environment = { HTTPS_PROXY: "socks5://me:hunter2@p" };
    const wanted = { code: "REGISTRY_CONFIG", message: expect.not.stringContaining("hunter2") };
    expect(() => proxyFor(new URL("https://a.example"), environment)).toThrow(expect.objectContaining(wanted));
  });
});

describeWith({ tools: ["openssl"] }, "a registry behind a proxy", () => {
  it("is reached through a tunnel, which the proxy may refuse", async () => {
    const folder = mkdtempSync(join(tmpdir(), "transload-proxy-"));
    const subject = ["-subj", "/CN=reg.test", "-addext", "subjectAltName=DNS:reg.test"];
    const files = ["-keyout", "key.pem", "-out", "cert.pem"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...files], {
      cwd: folder,
      stdio: "ignore",
    });
    const [key, cert] = ["key.pem", "cert.pem"].map((name) => readFileSync(join(folder, name)));
    const registry = createTlsServer({ key, cert }, (_request, response) => answer(response, 404)).listen(
      0,
      "127.0.0.1",
    );
    await once(registry, "listening");
    const portOf = (address: unknown) => (address as { port: number }).port;
    const asked: string[] = [];
    const proxy = createServer().listen(0, "127.0.0.1");
    await once(proxy, "listening");
    proxy.on("connect", (request, socket) => {
      asked.push(`${request.url} ${request.headers["proxy-authorization"]}`);
      if (request.headers["proxy-authorization"] === undefined) return socket.end("HTTP/1.1 407 No\r\n\r\n");
      const inner = connect(portOf(registry.address()), "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 OK\r\n\r\n");
        inner.pipe(socket).pipe(inner);
      });
      for (const each of [inner, socket]) each.on("error", () => {});
      return undefined;
    });
    const open = async (login: string) => {
      const environment = {
        HTTPS_PROXY: `http://${login}127.0.0.1:${portOf(proxy.address())}`,
        SSL_CERT_FILE: join(folder, "cert.pem"),
      };
      const registries = { ...DEFAULT_REGISTRIES, environment, retries: 0 };
      await transport.openSource("reg.test/a:b", createContext({ registries }));
    };
    try {
      await expect(open("me:a%40b@")).rejects.toMatchObject({ code: "TRANSPORT_IMAGE_MISSING" });
      expect([...new Set(asked)]).toEqual([`reg.test:443 Basic ${Buffer.from("me:a@b").toString("base64")}`]);
      await expect(open("")).rejects.toMatchObject({ code: "REGISTRY_CONNECTION", exitCode: 75 });
    } finally {
      registry.close();
      proxy.close();
      registry.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
