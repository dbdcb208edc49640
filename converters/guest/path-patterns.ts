import { type BytePath, baseName, bytePath, parentPath } from "../../src/bytes/byte-path.ts";

const NONE = Number.POSITIVE_INFINITY;

/**
 * An ordered list of path patterns, compiled: literal paths, literal names and `directory/*` are looked up, the rest is one
 * regular expression for each directory of the root.
 *
 * A pattern is as rsync's: one that begins with `/` is anchored at the root, any other matches at the end of a path; `*` and
 * `?` stay within a name, `**` crosses directories and between two slashes also stands for none, `[a-z]` is a set,
 * `\` takes the next character as it is, a `/` at the end asks for a directory.
 */
export class PathPatterns {
  readonly #any = new PatternSet();
  readonly #directories = new PatternSet();
  readonly #above = new PatternSet();

  /** Patterns as a person wrote them; their place in the list is their index. */
  constructor(patterns: readonly string[]) {
    for (const [index, pattern] of patterns.entries()) {
      const { segments, anchored, directory } = parsePattern(pattern);
      (directory ? this.#directories : this.#any).add(segments, anchored, index);
      if (anchored) for (const ancestor of ancestorsOf(segments)) this.#above.add(ancestor, true, index);
    }
    for (const set of [this.#any, this.#directories, this.#above]) set.compile();
  }

  /** The index of the first pattern that matches the path itself, infinity if none does. */
  first(path: BytePath, isDirectory: boolean): number {
    const any = this.#any.first(path);
    return isDirectory ? Math.min(any, this.#directories.first(path)) : any;
  }

  /** The index of the first anchored pattern that may match something below the directory, infinity if none may. */
  firstBelow(directory: BytePath): number {
    return this.#above.first(directory);
  }
}

interface ParsedPattern {
  readonly segments: readonly string[];
  readonly anchored: boolean;
  readonly directory: boolean;
}

function parsePattern(text: string): ParsedPattern {
  let pattern = bytePath(text).replace(/\/\*\*\*$/, "/");
  const directory = pattern.endsWith("/");
  const anchored = pattern.startsWith("/");
  pattern = pattern.replace(/^\/+|\/+$/g, "").replace(/\/{2,}/g, "/");
  return { segments: pattern.split("/"), anchored, directory };
}

/** Patterns for the directories that lie above whatever an anchored pattern matches. */
function ancestorsOf(segments: readonly string[]): string[][] {
  const ancestors: string[][] = [];
  for (const [index, segment] of segments.entries()) {
    const above = segments.slice(0, index);
    if (index > 0) ancestors.push(above);
    if (segment.includes("**")) return [...ancestors, [...above, "**"]];
  }
  return ancestors;
}

interface Alternative {
  readonly source: string;
  readonly index: number;
}

/** Key for the expressions that any path is tried against; those of a directory at the root have its name. */
const ANYWHERE = "";

class PatternSet {
  readonly #paths = new Map<BytePath, number>();
  readonly #children = new Map<BytePath, number>();
  readonly #names = new Map<BytePath, number>();
  readonly #alternatives = new Map<string, Alternative[]>();
  readonly #expressions = new Map<string, RegExp>();

  add(segments: readonly string[], anchored: boolean, index: number): void {
    const wild = segments.findIndex((segment) => /[*?[\\]/.test(segment));
    const text = segments.join("/");
    if (wild < 0 && anchored) keepLowest(this.#paths, text, index);
    else if (wild < 0 && segments.length === 1) keepLowest(this.#names, text, index);
    else if (anchored && wild > 0 && wild === segments.length - 1 && segments[wild] === "*") {
      keepLowest(this.#children, segments.slice(0, -1).join("/"), index);
    } else {
      const top = anchored && wild > 0 ? (segments[0] ?? ANYWHERE) : ANYWHERE;
      const alternatives = this.#alternatives.get(top) ?? [];
      this.#alternatives.set(top, [...alternatives, { source: expressionOf(text, anchored), index }]);
    }
  }

  compile(): void {
    for (const [top, alternatives] of this.#alternatives) {
      const sources = alternatives.map(({ source }) => `(${source})`);
      this.#expressions.set(top, new RegExp(`^(?:${sources.join("|")})$`, "s"));
    }
  }

  first(path: BytePath): number {
    const slash = path.indexOf("/");
    return Math.min(
      this.#paths.get(path) ?? NONE,
      (slash < 0 ? undefined : this.#children.get(parentPath(path))) ?? NONE,
      this.#names.get(baseName(path)) ?? NONE,
      this.#firstOf(slash < 0 ? ANYWHERE : path.slice(0, slash), path),
      this.#firstOf(ANYWHERE, path),
    );
  }

  #firstOf(top: string, path: BytePath): number {
    const found = this.#expressions.get(top)?.exec(path);
    if (!found) return NONE;
    // Alternatives are tried in order, so the group that took part is the first pattern that matches.
    const group = found.findIndex((text, index) => index > 0 && text !== undefined);
    return this.#alternatives.get(top)?.[group - 1]?.index ?? NONE;
  }
}

function keepLowest(map: Map<BytePath, number>, key: BytePath, index: number): void {
  map.set(key, Math.min(map.get(key) ?? NONE, index));
}

/** The pieces of a pattern: what crosses directories, what stays within a name, a set, and everything else as it is. */
const PIECE = /(?<=^|\/)\*\*\/|\*\*+|\*|\?|\[[!^]?\]?[^\]/]*\]|\\[\s\S]|[\s\S]/g;

function expressionOf(pattern: string, anchored: boolean): string {
  const body = pattern.replace(PIECE, (piece) => {
    if (piece === "**/") return "(?:.*/)?";
    if (piece.startsWith("**")) return ".*";
    if (piece === "*") return "[^/]*";
    if (piece === "?") return "[^/]";
    if (piece.length > 2 && piece.startsWith("[")) return setOf(piece.slice(1, -1));
    return literal(piece.length === 2 ? piece.slice(1) : piece);
  });
  return anchored ? body : `(?:.*/)?${body}`;
}

function setOf(content: string): string {
  const negated = /^[!^]/.test(content);
  const members = (negated ? content.slice(1) : content).replace(/[\\\][^]/g, "\\$&");
  return negated ? `[^/${members}]` : `(?!/)[${members}]`;
}

function literal(character: string): string {
  return /[\w/]/.test(character) ? character : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}
