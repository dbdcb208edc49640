import { Agent as PlainAgent, request as plainRequest } from "node:http";
import { Agent as TlsAgent, request as tlsRequest } from "node:https";
import type { Context } from "../../context.ts";
import { ConverterError } from "../../errors.ts";
import { certificateRefused, connectionLost, notTls, unreachable } from "./errors.ts";
import { Exchange } from "./exchange.ts";
import { proxyFor, TunnelAgent } from "./proxy.ts";
import { tlsContext } from "./tls.ts";

export interface RequestInit {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds of silence that end it, where not those of the context. */
  readonly stall?: number;
}

/** Requests to any machine over connections that are kept, each with the certificates that go with its name. */
export class Http implements Disposable {
  readonly #ctx: Context;
  readonly #insecure: boolean;
  readonly #agents = new Map<string, PlainAgent>();

  /** `insecure` takes any certificate. */
  constructor(insecure: boolean, ctx: Context) {
    this.#insecure = insecure;
    this.#ctx = ctx;
  }

  /** Begins a request; its body, if any, is written to the exchange. */
  open(url: URL, { method, headers = {}, stall }: RequestInit): Exchange {
    const { signal, registries } = this.#ctx;
    signal.throwIfAborted();
    const options = { method, headers: { "User-Agent": "transload", ...headers }, agent: this.#agent(url), signal };
    const request = url.protocol === "https:" ? tlsRequest(url, options) : plainRequest(url, options);
    const silence = stall ?? registries.stall;
    request.setTimeout(silence, () =>
      request.destroy(Object.assign(new Error(`nothing for ${silence / 1000} seconds`), { code: "ETIMEDOUT" })),
    );
    return new Exchange(url, request);
  }

  #agent(url: URL): PlainAgent {
    const known = this.#agents.get(url.origin);
    if (known !== undefined) return known;
    const agent = url.protocol === "https:" ? this.#tlsAgent(url) : new PlainAgent({ keepAlive: true });
    this.#agents.set(url.origin, agent);
    return agent;
  }

  #tlsAgent(url: URL): TlsAgent {
    const { environment } = this.#ctx.registries;
    const secureContext = tlsContext(url.host, environment);
    const options = { keepAlive: true, secureContext, rejectUnauthorized: !this.#insecure };
    const proxy = proxyFor(url, environment);
    return proxy === undefined ? new TlsAgent(options) : new TunnelAgent(proxy, options);
  }

  [Symbol.dispose](): void {
    for (const agent of this.#agents.values()) agent.destroy();
  }
}

const CERTIFICATE = /CERT|SIGNATURE|ISSUER|ERR_TLS_CERT_ALTNAME_INVALID/;
const HANDSHAKE = /^(?:EPROTO$|ERR_SSL_|ERR_TLS_)/;

/** What a failure of the network means. Only REGISTRY_CONNECTION is worth another attempt. Throws the reason of an abort. */
export function networkError(cause: unknown, url: URL, signal: AbortSignal): ConverterError {
  signal.throwIfAborted();
  if (cause instanceof ConverterError) return cause;
  if (!(cause instanceof Error)) throw cause;
  const code = "code" in cause ? String(cause.code) : "";
  if (code === "") throw cause;
  if (code === "ENOTFOUND") return unreachable(url, cause);
  if (CERTIFICATE.test(code) && !code.startsWith("ERR_SSL_")) return certificateRefused(url, code, cause);
  if (HANDSHAKE.test(code)) return notTls(url, code, cause);
  return connectionLost(url, code === "ETIMEDOUT" ? cause.message : code, cause);
}
