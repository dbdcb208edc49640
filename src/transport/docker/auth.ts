import type { Context } from "../../context.ts";
import { ConverterError } from "../../errors.ts";
import { Fields, parseJson } from "../../oci/json.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { LoginData } from "./credentials.ts";
import { busy, tokenWrong, unauthorised } from "./errors.ts";
import type { Answer } from "./exchange.ts";
import type { Http } from "./http.ts";
import { isPassing, retrying } from "./retry.ts";

const TOKEN_LIMIT = 1 << 20;
/** distribution "Token Authentication": a token without a time lives for 60 seconds. */
const SHORTEST_LIFE = 60;
/** A token that is about to end is not worth to be sent. Milliseconds. */
const MARGIN = 10_000;

export interface AuthOptions {
  /** The registry. Nothing of what stands here is sent to another host, but for the token server that it names. */
  readonly base: URL;
  /** What this client is going to do: `repository:name:pull,push`. */
  readonly scopes: readonly string[];
  /** The token server may be reached by plain http too. */
  readonly insecure: boolean;
  /** Asked for once, and only when the registry wants to know. */
  login(): Promise<LoginData | undefined>;
}

/** The Authorization header of one registry: none until it is asked for, then Basic or the tokens that a token server gives. */
export class Authoriser {
  readonly #http: Http;
  readonly #options: AuthOptions;
  readonly #ctx: Context;
  #challenge: Challenge | undefined;
  #scopes: ReadonlySet<string>;
  #header: string | undefined;
  #ends = Number.POSITIVE_INFINITY;
  #login: Promise<LoginData | undefined> | undefined;
  #renewing: Promise<void> | undefined;

  constructor(http: Http, options: AuthOptions, ctx: Context) {
    this.#http = http;
    this.#options = options;
    this.#ctx = ctx;
    this.#scopes = new Set(options.scopes);
  }

  /** What to send now; a token that is about to end is replaced before. */
  async header(): Promise<string | undefined> {
    if (Date.now() > this.#ends) await this.#renew();
    return this.#header;
  }

  /**
   * Takes the challenge of a 401. `sent` is the header that was refused. False means that nothing better can be sent. Throws
   * AuthorisationError REGISTRY_UNAUTHORISED, CorruptError REGISTRY_TOKEN, TemporaryError REGISTRY_BUSY, REGISTRY_CONNECTION.
   */
  async challenged(answer: Answer, sent: string | undefined): Promise<boolean> {
    // Another request has been through this in the meantime.
    if (this.#header !== sent) return true;
    const challenges = parseChallenges(answer.headers("www-authenticate"));
    const bearer = challenges.find(({ scheme }) => scheme === "bearer");
    const challenge = bearer ?? challenges.find(({ scheme }) => scheme === "basic");
    if (challenge === undefined) return false;
    this.#challenge = challenge;
    const asked = bearer?.parameters.get("scope")?.split(" ") ?? [];
    this.#scopes = new Set([...this.#scopes, ...asked.filter((scope) => scope !== "" && !this.#covers(scope))]);
    await this.#renew();
    return this.#header !== undefined && this.#header !== sent;
  }

  /** `repository:a:pull` is part of `repository:a:pull,push`. */
  #covers(scope: string): boolean {
    const end = scope.lastIndexOf(":");
    const actions = scope.slice(end + 1).split(",");
    return [...this.#scopes].some((own) => {
      const has = own.slice(own.lastIndexOf(":") + 1).split(",");
      return own.slice(0, own.lastIndexOf(":")) === scope.slice(0, end) && actions.every((each) => has.includes(each));
    });
  }

  async #renew(): Promise<void> {
    this.#renewing ??= this.#fetch().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  async #fetch(): Promise<void> {
    this.#login ??= this.#options.login();
    const login = await this.#login;
    if (this.#challenge?.scheme === "bearer") return await this.#fetchToken(this.#challenge, login);
    this.#header = login !== undefined && "username" in login ? basic(login.username, login.password) : undefined;
  }

  async #fetchToken(challenge: Challenge, login: LoginData | undefined): Promise<void> {
    const realm = this.#realm(challenge);
    const service = challenge.parameters.get("service");
    const byRefresh = login !== undefined && "identityToken" in login;
    const form = new URLSearchParams(service === undefined ? {} : { service });
    if (byRefresh) {
      form.set("grant_type", "refresh_token");
      form.set("client_id", "transload");
      form.set("refresh_token", login.identityToken);
      form.set("scope", [...this.#scopes].join(" "));
    } else {
      for (const scope of this.#scopes) form.append("scope", scope);
      for (const [name, value] of form) realm.searchParams.append(name, value);
    }
    const answer = await retrying(
      realm,
      () => (byRefresh ? this.#post(realm, form) : this.#get(realm, login)),
      this.#ctx,
    );
    const { token, seconds } = await readToken(answer);
    this.#header = `Bearer ${token}`;
    this.#ends = Date.now() + Math.max(seconds, SHORTEST_LIFE) * 1000 - MARGIN;
  }

  async #get(realm: URL, login: LoginData | undefined): Promise<Answer> {
    const authorization =
      login !== undefined && "username" in login ? { Authorization: basic(login.username, login.password) } : undefined;
    return await this.#http.open(realm, { method: "GET", headers: { ...authorization } }).answer();
  }

  async #post(realm: URL, form: URLSearchParams): Promise<Answer> {
    const body = Buffer.from(form.toString());
    const headers = { "Content-Type": "application/x-www-form-urlencoded", "Content-Length": String(body.length) };
    const exchange = this.#http.open(realm, { method: "POST", headers });
    await exchange.write(body);
    return await exchange.answer();
  }

  /** Where tokens are given: it is sent the password, so it must be as well protected as the registry. */
  #realm({ parameters }: Challenge): URL {
    const { base, insecure } = this.#options;
    const text = parameters.get("realm") ?? "";
    if (!URL.canParse(text)) throw tokenWrong(base, `the registry names ${JSON.stringify(text)} as its token server`);
    const realm = new URL(text);
    const isFit =
      realm.protocol === "https:" || (realm.protocol === "http:" && (insecure || base.protocol === "http:"));
    if (!isFit || realm.username !== "" || realm.password !== "")
      throw tokenWrong(base, `the registry names ${realm.origin} as its token server, which is not protected by TLS`);
    return realm;
  }
}

function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

async function readToken(answer: Answer): Promise<{ readonly token: string; readonly seconds: number }> {
  const { url, status } = answer;
  // What it says besides is not shown: it may repeat what it was sent.
  if (status !== 200) answer.discard();
  if (isPassing(status)) throw busy(url, status, "");
  if (status === 400 || status === 401 || status === 403) throw unauthorised(url, "");
  if (status !== 200) throw tokenWrong(url, `the token server answers ${status}`);
  const bytes = await answer.bytes(TOKEN_LIMIT);
  try {
    const fields = new Fields(parseJson(bytes, url.host), "", url.host);
    const token = fields.optionalText("token") || fields.optionalText("access_token") || "";
    // Anything else would not be one header.
    if (/^[\x21-\x7e]+$/.test(token))
      return { token, seconds: fields.has("expires_in") ? fields.count("expires_in") : 0 };
  } catch (cause) {
    if (!(cause instanceof ConverterError)) throw cause;
  }
  throw tokenWrong(url, "the token server's answer holds no token");
}
