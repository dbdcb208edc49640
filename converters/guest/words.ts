/** A command as words, and what a container needs of the shell's or systemd's way to write it. */
export type Words = readonly string[];

/**
 * Splits as a POSIX shell would, without expanding anything; undefined where a quote is not closed. Escapes inside double
 * quotes only take `\`, `"`, `$` and a backquote.
 */
export function shellWords(text: string): Words | undefined {
  return split(text, (quote) => (quote === '"' ? /[\\"$`]/ : undefined));
}

/** Splits as systemd.syntax(7) "Quoting" says; C escapes are resolved. */
export function systemdWords(text: string): Words | undefined {
  return split(text, () => ANYTHING, systemdEscape);
}

/** Docker's two forms of ENTRYPOINT and CMD: a JSON array of strings, or words. Undefined for neither. */
export function commandWords(text: string): Words | undefined {
  if (!text.trimStart().startsWith("[")) return shellWords(text);
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) && parsed.every((word) => typeof word === "string") ? parsed : undefined;
  } catch {
    return undefined;
  }
}

const ANYTHING = /[\s\S]/;

type Escape = (text: string, at: number) => { readonly text: string; readonly length: number };

const asItIs: Escape = (text, at) => ({ text: text[at] ?? "", length: 1 });

function split(
  text: string,
  escapable: (quote: string) => RegExp | undefined,
  resolve: Escape = asItIs,
): Words | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? "";
    const next = text[at + 1];
    const escapes = quote === "" ? ANYTHING : escapable(quote);
    if (character === "\\" && next !== undefined && escapes?.test(next)) {
      const escaped = resolve(text, at + 1);
      word = (word ?? "") + escaped.text;
      at += escaped.length;
    } else if (quote !== "") {
      if (character === quote) quote = "";
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (!/\s/.test(character)) {
      word = (word ?? "") + character;
    } else if (word !== undefined) {
      words.push(word);
      word = undefined;
    }
  }
  if (quote !== "") return undefined;
  return word === undefined ? words : [...words, word];
}

const C_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["a", "\x07"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["s", " "],
  ["t", "\t"],
  ["v", "\v"],
]);

const systemdEscape: Escape = (text, at) => {
  const hexadecimal = /^x([0-9A-Fa-f]{2})/.exec(text.slice(at, at + 3));
  if (hexadecimal) return { text: String.fromCharCode(Number.parseInt(hexadecimal[1] ?? "", 16)), length: 3 };
  const character = text[at] ?? "";
  return { text: C_ESCAPES.get(character) ?? character, length: 1 };
};
