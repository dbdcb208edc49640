import { configSyntax, configTooLarge } from "./errors.ts";

export type Value = number | string | readonly (number | string)[];

/** `name { ... }`: settings and sections by their names; the last of a name counts, as in lvm2. */
export interface Section {
  readonly settings: ReadonlyMap<string, Value>;
  readonly sections: ReadonlyMap<string, Section>;
}

/** lvm2's own groups nest five deep. */
const MOST_DEPTH = 16;
/** How many values and sections all texts together may still have; parsing takes from it. */
export interface ValueBudget {
  left: number;
}

const WORD = /[A-Za-z0-9_.+/-]+/y;

/** The text in which lvm2 keeps a volume group (libdm-config). Throws CorruptError LVM_TEXT where it does not parse; `file` is for messages. */
export function parseConfig(text: string, file: string, budget: ValueBudget): Section {
  return new ConfigParser(text, file, budget).parse();
}

interface Token {
  /** `end` is the end of the text. */
  readonly kind: "word" | "string" | "{" | "}" | "=" | "[" | "]" | "," | "end";
  readonly text: string;
}

class ConfigParser {
  readonly #text: string;
  readonly #file: string;
  readonly #budget: ValueBudget;
  #position = 0;
  #token: Token;

  constructor(text: string, file: string, budget: ValueBudget) {
    this.#text = text;
    this.#file = file;
    this.#budget = budget;
    this.#token = this.#scan();
  }

  parse(): Section {
    const root = this.#section(0);
    if (!this.#at("end")) throw this.#unexpected();
    return root;
  }

  #scan(): Token {
    const at = this.#skipBlanks();
    const sign = this.#text[at];
    if (sign === undefined) return { kind: "end", text: "" };
    if (sign === '"') return { kind: "string", text: this.#scanString(at) };
    if (isSign(sign)) {
      this.#position = at + 1;
      return { kind: sign, text: sign };
    }
    WORD.lastIndex = at;
    const [word] = WORD.exec(this.#text) ?? [];
    if (word === undefined) throw configSyntax(this.#file, at, sign);
    this.#position = at + word.length;
    return { kind: "word", text: word };
  }

  /** Over white space, the NUL that ends the text, and comments. */
  #skipBlanks(): number {
    const text = this.#text;
    let at = this.#position;
    for (;;) {
      while (text.charCodeAt(at) <= 0x20) at++;
      if (text[at] !== "#") break;
      const end = text.indexOf("\n", at);
      at = end < 0 ? text.length : end;
    }
    this.#position = at;
    return at;
  }

  #scanString(start: number): string {
    let at = start + 1;
    while (this.#text[at] !== '"') {
      if (at >= this.#text.length) throw configSyntax(this.#file, start, '"');
      at += this.#text[at] === "\\" ? 2 : 1;
    }
    this.#position = at + 1;
    return this.#text.slice(start + 1, at).replace(/\\([\\"])/g, "$1");
  }

  #take(): Token {
    const token = this.#token;
    this.#token = this.#scan();
    return token;
  }

  #at(...kinds: readonly Token["kind"][]): boolean {
    return kinds.includes(this.#token.kind);
  }

  #expect(kind: Token["kind"]): void {
    if (!this.#at(kind)) throw this.#unexpected();
    this.#take();
  }

  #unexpected() {
    const { kind, text } = this.#token;
    return configSyntax(this.#file, this.#position - text.length, kind === "end" ? undefined : text);
  }

  #section(depth: number): Section {
    if (depth > MOST_DEPTH) throw configTooLarge(this.#file, `sections are nested deeper than ${MOST_DEPTH}`);
    const settings = new Map<string, Value>();
    const sections = new Map<string, Section>();
    while (this.#at("word", "string")) {
      this.#count();
      const { text: name } = this.#take();
      if (this.#at("{")) {
        this.#take();
        sections.set(name, this.#section(depth + 1));
        this.#expect("}");
      } else {
        this.#expect("=");
        settings.set(name, this.#at("[") ? this.#list() : this.#scalar());
      }
    }
    return { settings, sections };
  }

  #list(): readonly (number | string)[] {
    const values: (number | string)[] = [];
    this.#expect("[");
    while (!this.#at("]")) {
      values.push(this.#scalar());
      if (!this.#at("]")) this.#expect(",");
    }
    this.#expect("]");
    return values;
  }

  #scalar(): number | string {
    this.#count();
    if (!this.#at("word", "string")) throw this.#unexpected();
    const { kind, text } = this.#take();
    return kind === "word" && /^-?[0-9]+(\.[0-9]*)?$/.test(text) ? Number(text) : text;
  }

  #count(): void {
    if (--this.#budget.left < 0) throw configTooLarge(this.#file, "there are more values than any group has");
  }
}

function isSign(character: string): character is "{" | "}" | "=" | "[" | "]" | "," {
  return "{}=[],".includes(character);
}
