import { request as plainRequest } from "node:http";
import { type AgentOptions, Agent as TlsAgent, request as tlsRequest } from "node:https";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";
import type { Registries } from "../../context.ts";
import { configWrong } from "./errors.ts";

/**
 * The proxy for an address under TLS, as curl and Go read HTTPS_PROXY and NO_PROXY; none for this machine itself. Throws
 * UsageError REGISTRY_CONFIG for one that is no address.
 */
export function proxyFor(url: URL, environment: Registries["environment"]): URL | undefined {
  const text = environment["https_proxy"] ?? environment["HTTPS_PROXY"] ?? "";
  if (text === "" || url.protocol !== "https:") return undefined;
  if (/^(?:localhost|127\.[\d.]+|\[::1\])$/.test(url.hostname)) return undefined;
  const exempt = (environment["no_proxy"] ?? environment["NO_PROXY"] ?? "")
    .split(/[\s,]+/)
    .filter((each) => each !== "");
  if (exempt.some((each) => isExempt(each.toLowerCase(), url))) return undefined;
  const address = text.includes("://") ? text : `http://${text}`;
  // The text may hold a password.
  if (!URL.canParse(address) || !/^https?:/.test(address))
    throw configWrong("HTTPS_PROXY", "the proxy is no http address");
  return new URL(address);
}

function isExempt(pattern: string, { hostname, host, port }: URL): boolean {
  const bare = pattern.replace(/^\*?\./, "");
  if (pattern === "*" || bare === host || bare === `${hostname}:${port || 443}`) return true;
  return bare === hostname || hostname.endsWith(`.${bare}`);
}

const CONNECT_TIME = 30_000;

/** TLS through a tunnel (RFC 9110 9.3.6): the proxy sees the name of the registry and nothing else. */
export class TunnelAgent extends TlsAgent {
  readonly #proxy: URL;

  constructor(proxy: URL, options: AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  /** Called by Node for each new connection. */
  override createConnection(
    options: ConnectionOptions,
    callback?: (cause: Error | null, stream: Duplex) => void,
  ): undefined {
    const { protocol, hostname, port, username, password } = this.#proxy;
    const target = `${options.host}:${options.port}`;
    const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    const authorization =
      username === "" ? {} : { "Proxy-Authorization": `Basic ${Buffer.from(login).toString("base64")}` };
    const place = { hostname, port: port || (protocol === "https:" ? 443 : 80), agent: false };
    const init = { ...place, method: "CONNECT", path: target, headers: { Host: target, ...authorization } };
    const request = protocol === "https:" ? tlsRequest(init) : plainRequest(init);
    request.once("connect", ({ statusCode }, socket) => {
      request.setTimeout(0);
      if (statusCode === 200) return callback?.(null, connect({ ...options, socket }));
      socket.destroy();
      callback?.(Object.assign(new Error("the proxy refused"), { code: `the proxy answers ${statusCode}` }), socket);
    });
    // Node looks at the second argument only where there is no first.
    request.once("error", (cause) => callback?.(cause, new Socket()));
    request.setTimeout(CONNECT_TIME, () =>
      request.destroy(Object.assign(new Error("nothing from the proxy"), { code: "ETIMEDOUT" })),
    );
    request.end();
  }
}
