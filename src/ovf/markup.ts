import { textUnwritable } from "./errors.ts";

/** Names to values; what is undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

/** An element of a descriptor that is being written; a string is text. */
export interface Markup {
  readonly name: string;
  readonly attributes: Attributes;
  readonly content: readonly Markup[] | string;
}

/** An element that holds elements, or text, or nothing. What is undefined among the children is left out. */
export function element(
  name: string,
  attributes: Attributes = {},
  content: readonly (Markup | undefined)[] | string | number = [],
): Markup {
  if (typeof content === "number") return { name, attributes, content: `${content}` };
  return {
    name,
    attributes,
    content: typeof content === "string" ? content : content.filter((each) => each !== undefined),
  };
}

/** An element with a text, or nothing where there is none. */
export function optional(name: string, text: string | number | undefined): Markup | undefined {
  return text === undefined || text === "" ? undefined : element(name, {}, text);
}

/** The XML 1.0 document of a root element, in UTF-8, one element a line. Throws OutputError OVF_TEXT_UNWRITABLE. */
export function serialize(root: Markup): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n${lines(root, "")}`;
}

function lines({ name, attributes, content }: Markup, indent: string): string {
  const written = Object.entries(attributes).flatMap(([key, value]) =>
    value === undefined ? [] : [` ${key}="${escaped(`${value}`, name, /[&<>"\t\n\r]/g)}"`],
  );
  const start = `${indent}<${name}${written.join("")}`;
  if (content.length === 0) return `${start}/>\n`;
  if (typeof content === "string") return `${start}>${escaped(content, name, /[&<>\r]/g)}</${name}>\n`;
  return `${start}>\n${content.map((child) => lines(child, `${indent}  `)).join("")}${indent}</${name}>\n`;
}

const NAMED: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ['"', "&quot;"],
]);

/** XML 1.0 production 2: no control characters but tab and line ends, no half of a surrogate pair, no non-characters. */
const NO_CHARACTER =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are looked for
  /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

function escaped(text: string, name: string, special: RegExp): string {
  const [bad] = NO_CHARACTER.exec(text) ?? [];
  if (bad !== undefined) throw textUnwritable(name, bad.charCodeAt(0));
  return text.replace(special, (each) => NAMED.get(each) ?? `&#${each.charCodeAt(0)};`);
}
