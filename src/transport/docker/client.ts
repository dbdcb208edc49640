import { isIP } from "node:net";
import type { Context, RegistryAccess } from "../../context.ts";
import type { ConverterError } from "../../errors.ts";
import { Fields, parseJson } from "../../oci/json.ts";
import { Authoriser } from "./auth.ts";
import { findLogin, type LoginData } from "./credentials.ts";
import { answerWrong, busy, denied, notFound, redirectRefused, refused, tooLarge, unauthorised } from "./errors.ts";
import type { Answer, Exchange } from "./exchange.ts";
import { Http, networkError, type RequestInit } from "./http.ts";
import { DOCKER_IO } from "./reference.ts";
import { isPassing, retrying } from "./retry.ts";

/** A repository and the way to it. */
export interface Endpoint {
  /** With its port where one is given. */
  readonly host: string;
  readonly repository: string;
  /** Any certificate will do, and plain http where there is no TLS. */
  readonly insecure: boolean;
  /** TLS even on this machine itself. */
  readonly secure: boolean;
  readonly credentials: RegistryAccess["credentials"];
}

/** A request without a body, or with one that is at hand and can be sent again. */
export interface SmallRequest extends RequestInit {
  readonly body?: Uint8Array;
}

const MOST_REDIRECTS = 5;
const ERROR_LIMIT = 1 << 20;

/** The registry's end of one repository: requests with authorisation, retries and redirects. */
export class RegistryClient implements Disposable {
  readonly endpoint: Endpoint;
  readonly base: URL;
  readonly #http: Http;
  readonly #auth: Authoriser;
  readonly #ctx: Context;

  private constructor(endpoint: Endpoint, base: URL, http: Http, scopes: readonly string[], ctx: Context) {
    const { host, repository, insecure, credentials } = endpoint;
    this.endpoint = endpoint;
    this.base = base;
    this.#http = http;
    this.#ctx = ctx;
    const login = async (): Promise<LoginData | undefined> => credentials ?? (await findLogin(host, repository, ctx));
    this.#auth = new Authoriser(http, { base, scopes, insecure, login }, ctx);
  }

  /**
   * Finds out how the registry is spoken to, and what it asks for. `scopes` are what will be done there. Throws what
   * `request` throws, AuthorisationError REGISTRY_TLS, REGISTRY_CERTIFICATE, TemporaryError REGISTRY_UNREACHABLE.
   */
  static async open(endpoint: Endpoint, scopes: readonly string[], ctx: Context): Promise<RegistryClient> {
    const http = new Http(endpoint.insecure, ctx);
    try {
      const { base, answer } = await probe(endpoint, http, ctx);
      answer.discard();
      if (isPassing(answer.status)) throw busy(answer.url, answer.status, "");
      const client = new RegistryClient(endpoint, base, http, scopes, ctx);
      if (answer.status === 401) await client.#auth.challenged(answer, undefined);
      return client;
    } catch (cause) {
      http[Symbol.dispose]();
      throw cause;
    }
  }

  /** An address below the repository's: `manifests/latest`. */
  url(path: string): URL {
    return new URL(`/v2/${this.endpoint.repository}/${path}`, this.base);
  }

  /**
   * Sends a request, again where that helps, and gives the last answer, which may be a refusal. Reading requests follow
   * redirects; Authorization goes to the registry only. Throws TemporaryError REGISTRY_CONNECTION, AuthorisationError,
   * CorruptError REGISTRY_REDIRECT.
   */
  async request(url: URL, init: SmallRequest): Promise<Answer> {
    for (let attempt = 0; ; attempt++) {
      const authorization = await this.#auth.header();
      const answer = await retrying(url, () => this.#follow(url, init, authorization), this.#ctx);
      if (answer.status !== 401 || attempt > 0 || answer.url.origin !== this.base.origin) return answer;
      if (!(await this.#auth.challenged(answer, authorization))) return answer;
      answer.discard();
    }
  }

  /** Begins a request whose body is written to it; it is sent once. */
  async stream(url: URL, init: RequestInit): Promise<Exchange> {
    return this.#http.open(url, this.#authorised(url, init, await this.#auth.header()));
  }

  /** For an answer to `stream`: true if another attempt goes out with better authorisation. */
  async challenged(answer: Answer): Promise<boolean> {
    if (answer.status !== 401 || answer.url.origin !== this.base.origin) return false;
    return await this.#auth.challenged(answer, await this.#auth.header());
  }

  #authorised<T extends RequestInit>(url: URL, init: T, authorization: string | undefined): T {
    if (authorization === undefined || url.origin !== this.base.origin) return init;
    return { ...init, headers: { ...init.headers, Authorization: authorization } };
  }

  async #follow(from: URL, init: SmallRequest, authorization: string | undefined): Promise<Answer> {
    let url = from;
    for (let redirects = 0; ; redirects++) {
      const answer = await this.#once(url, this.#authorised(url, init, authorization));
      const isRedirect = [301, 302, 303, 307, 308].includes(answer.status);
      if (!isRedirect || (init.method !== "GET" && init.method !== "HEAD")) return answer;
      answer.discard();
      if (redirects === MOST_REDIRECTS) throw redirectRefused(from, `through more than ${MOST_REDIRECTS} redirects`);
      url = this.next(answer);
    }
  }

  async #once(url: URL, { body, ...init }: SmallRequest): Promise<Answer> {
    if (body === undefined) {
      const length = init.method === "GET" || init.method === "HEAD" ? {} : { "Content-Length": "0" };
      return await this.#http.open(url, { ...init, headers: { ...init.headers, ...length } }).answer();
    }
    const headers = { ...init.headers, "Content-Length": String(body.length) };
    const exchange = this.#http.open(url, { ...init, headers });
    await exchange.write(body);
    return await exchange.answer();
  }

  /**
   * Where an answer's Location leads. A registry behind a proxy that ends TLS may not know its own scheme: on the same host
   * ours is kept. Otherwise TLS is not given up, and a public registry does not lead into private networks. Throws CorruptError
   * REGISTRY_ANSWER, REGISTRY_REDIRECT.
   */
  next(answer: Answer): URL {
    const text = answer.header("location");
    if (text === undefined || !URL.canParse(text, answer.url.href)) {
      throw answerWrong(answer.url, `the registry answers ${answer.status} without a usable Location`);
    }
    const url = new URL(text, answer.url);
    if (url.hostname === this.base.hostname && url.protocol === "http:" && this.base.protocol === "https:") {
      return new URL(`${url.pathname}${url.search}`, this.base);
    }
    if (!/^https?:$/.test(url.protocol)) throw redirectRefused(answer.url, `to ${url.protocol}`);
    if (url.protocol === "http:" && answer.url.protocol === "https:" && !this.endpoint.insecure) {
      throw redirectRefused(answer.url, `to ${url.origin}, out of the protection of TLS`);
    }
    if (url.hostname !== this.base.hostname && isPrivate(url.hostname) && !isPrivate(this.base.hostname)) {
      throw redirectRefused(answer.url, `to ${url.hostname}, which is no public address`);
    }
    return url;
  }

  /** The error that an answer stands for, with what the registry says about it. */
  async refusal(answer: Answer): Promise<ConverterError> {
    const { url, status } = answer;
    const detail = await describeRefusal(answer, (await this.#auth.header()) ?? "");
    if (isPassing(status)) return busy(url, status, detail);
    if (status === 401) return unauthorised(url, detail);
    if (status === 403) return denied(url, detail);
    if (status === 404) return notFound(url, detail);
    if (status === 413) return tooLarge(url, detail);
    return refused(url, status, detail);
  }

  [Symbol.dispose](): void {
    this.#http[Symbol.dispose]();
  }
}

/** The first errors of the registry's own (distribution-spec "Error Codes"), without what was sent to it as a secret. */
async function describeRefusal(answer: Answer, authorization: string): Promise<string> {
  try {
    const file = answer.url.host;
    const fields = new Fields(parseJson(await answer.bytes(ERROR_LIMIT), file), "", file);
    const texts = fields
      .objects("errors")
      .slice(0, 3)
      .map((error) => {
        const parts = [error.optionalText("code"), error.optionalText("message")];
        return parts.filter((part) => part !== undefined && part !== "").join(": ");
      });
    const text = JSON.stringify(texts.join(", ").slice(0, 500)).slice(1, -1);
    return text === "" || secretsIn(authorization).some((secret) => text.includes(secret)) ? "" : ` (${text})`;
  } catch {
    // What cannot be read says nothing more than the status.
    return "";
  }
}

/** What must not be repeated of an Authorization header. */
function secretsIn(authorization: string): readonly string[] {
  const [scheme, token = ""] = authorization.split(" ");
  const plain = scheme === "Basic" ? Buffer.from(token, "base64").toString("utf8") : "";
  return [token, plain.slice(plain.indexOf(":") + 1)].filter((text) => text !== "");
}

/** How Docker's registry is reached. */
const DOCKER_HOST = "registry-1.docker.io";

/** The address at which a registry answers. Where plain http will do, TLS is tried first all the same. */
async function probe(endpoint: Endpoint, http: Http, ctx: Context): Promise<{ base: URL; answer: Answer }> {
  const host = endpoint.host === DOCKER_IO ? DOCKER_HOST : endpoint.host;
  const secure = new URL(`https://${host}/`);
  const plain = new URL(`http://${host}/`);
  const ping = (base: URL) => http.open(new URL("/v2/", base), { method: "GET" }).answer();
  const plainWillDo = !endpoint.secure && (endpoint.insecure || isThisMachine(secure.hostname));
  let base = secure;
  const knock = async (): Promise<Answer> => {
    base = secure;
    try {
      return await ping(secure);
    } catch (cause) {
      const { code } = networkError(cause, secure, ctx.signal);
      if (!plainWillDo || (code !== "REGISTRY_TLS" && code !== "REGISTRY_CONNECTION")) throw cause;
      base = plain;
      return await ping(plain);
    }
  };
  const answer = await retrying(secure, knock, ctx);
  return { base, answer };
}

function isThisMachine(hostname: string): boolean {
  return hostname === "localhost" || (isIP(hostname) === 4 && hostname.startsWith("127."));
}

/** RFC 1918, loopback, link-local (cloud metadata services), unique local; not what a name leads to. */
function isPrivate(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, "");
  if (isIP(bare) === 6) return /^(?:::1?$|f[cd]|fe[89ab]|::ffff:)/i.test(bare);
  if (isIP(bare) === 4) return /^(?:0|10|127|169\.254|172\.(?:1[6-9]|2\d|3[01])|192\.168)\./.test(bare);
  return bare === "localhost" || bare.endsWith(".localhost");
}
