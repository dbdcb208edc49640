/** What a registry asks for in WWW-Authenticate (RFC 9110 11.6.1). */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const PARAMETER = /\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))\s*(?:,|$)/y;

/** The challenges of all headers, in order. What is malformed ends the header it stands in. */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  return headers.flatMap((header) => [...challengesIn(header)]);
}

function* challengesIn(header: string): Generator<Challenge> {
  let at = 0;
  while (at < header.length) {
    at += /^[\s,]*/.exec(header.slice(at))?.[0].length ?? 0;
    TOKEN.lastIndex = at;
    const scheme = TOKEN.exec(header)?.[0];
    if (scheme === undefined) return;
    at = TOKEN.lastIndex;
    const parameters = new Map<string, string>();
    for (;;) {
      PARAMETER.lastIndex = at;
      const [, name, quoted, plain] = PARAMETER.exec(header) ?? [];
      if (name === undefined) break;
      at = PARAMETER.lastIndex;
      parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? plain ?? "");
    }
    yield { scheme: scheme.toLowerCase(), parameters };
  }
}
