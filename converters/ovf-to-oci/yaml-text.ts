/** What is written: keys are plain words, which need no quotes. */
export type YamlValue =
  | string
  | number
  | boolean
  | readonly YamlValue[]
  | { readonly [key: string]: YamlValue | undefined };

/** A text that no YAML reader takes for anything else, or would need quotes for. */
const PLAIN = /^[A-Za-z][A-Za-z0-9]*([./-][A-Za-z0-9]+)*$/;
const RESERVED = /^(true|false|yes|no|on|off|y|n|null|nan|inf)$/i;

/** `value` as a document in block style. Texts that are not plain words stand as in JSON, which YAML 1.2 holds. */
export function yamlText(value: YamlValue): string {
  return `${block(value, "").trimStart()}\n`;
}

function block(value: YamlValue, indent: string): string {
  if (typeof value === "string")
    return ` ${PLAIN.test(value) && !RESERVED.test(value) ? value : JSON.stringify(value)}`;
  if (typeof value !== "object") return ` ${value}`;
  if (isList(value)) return list(value, indent);
  const entries = Object.entries(value).filter((pair): pair is [string, YamlValue] => pair[1] !== undefined);
  if (entries.length === 0) return " {}";
  return entries.map(([key, each]) => `\n${indent}${key}:${block(each, `${indent}  `)}`).join("");
}

function isList(value: object): value is readonly YamlValue[] {
  return Array.isArray(value);
}

/** The first line of an item stands behind its dash. */
function list(items: readonly YamlValue[], indent: string): string {
  if (items.length === 0) return " []";
  return items.map((item) => `\n${indent}- ${block(item, `${indent}  `).trimStart()}`).join("");
}
