import type { XmlAttribute, XmlElement, XmlName } from "./xml.ts";

/** Who defines a name. `none` is a name in no namespace, which producers of all kinds let slip. */
export type Vocabulary = "ovf" | "cim" | "vmware" | "virtualbox" | "xen" | "ovirt" | "none" | "other";

/** Trailing "/" (oVirt), ".xsd" (VirtualBox) and the dialects of OVF 0.9 included. */
const PATTERNS: readonly (readonly [RegExp, Vocabulary])[] = [
  [/^http:\/\/schemas\.dmtf\.org\/ovf\/(envelope\/\d+|\d+\/envelope)\/?$/, "ovf"],
  [/^http:\/\/www\.vmware\.com\/schema\/ovf\/1\/envelope\/?$/, "ovf"],
  [/^http:\/\/schemas\.dmtf\.org\/wbem\/wscim\/1\//, "cim"],
  [/^http:\/\/www\.vmware\.com\/schema\/ovf(\/|$)/, "vmware"],
  [/^http:\/\/www\.virtualbox\.org\//, "virtualbox"],
  [/^http:\/\/schemas\.citrix\.com\/ovf\//, "xen"],
  [/^http:\/\/www\.ovirt\.org\/ovf/, "ovirt"],
];

/** What an unbound prefix is taken for. */
const PREFIXES: ReadonlyMap<string, Vocabulary> = new Map([
  ["ovf", "ovf"],
  ["rasd", "cim"],
  ["vssd", "cim"],
  ["sasd", "cim"],
  ["epasd", "cim"],
  ["vmw", "vmware"],
  ["vbox", "virtualbox"],
]);

export function vocabularyOf(name: XmlName): Vocabulary {
  const { namespace, prefix } = name;
  if (namespace !== undefined) return PATTERNS.find(([pattern]) => pattern.test(namespace))?.[1] ?? "other";
  return prefix === undefined ? "none" : (PREFIXES.get(prefix) ?? "other");
}

/** An OVF attribute, with or without its prefix; a foreign attribute of the same local name does not count. */
export function attribute(element: XmlElement, local: string, vocabulary: Vocabulary = "ovf"): string | undefined {
  let bare: string | undefined;
  for (const candidate of element.attributes) {
    if (candidate.local !== local) continue;
    const owner = vocabularyOf(candidate);
    if (owner === vocabulary) return candidate.value;
    if (owner === "none") bare = candidate.value;
  }
  return bare;
}

/** Attributes of other vocabularies than OVF, kept for whoever understands them. */
export function foreignAttributes(element: XmlElement): readonly XmlAttribute[] {
  return element.attributes.filter((candidate) => !["ovf", "none"].includes(vocabularyOf(candidate)));
}

/** Children with a local name in one of the vocabularies; a child in no namespace always fits. */
export function childrenNamed(
  parent: XmlElement,
  local: string,
  vocabularies: readonly Vocabulary[] = ["ovf"],
): readonly XmlElement[] {
  return parent.children.filter((child) => {
    if (child.local !== local) return false;
    const owner = vocabularyOf(child);
    return owner === "none" || vocabularies.includes(owner);
  });
}

export function childNamed(
  parent: XmlElement,
  local: string,
  vocabularies: readonly Vocabulary[] = ["ovf"],
): XmlElement | undefined {
  return childrenNamed(parent, local, vocabularies)[0];
}

/** The trimmed text of a child; an empty one counts as absent. */
export function textOf(
  parent: XmlElement,
  local: string,
  vocabularies: readonly Vocabulary[] = ["ovf"],
): string | undefined {
  return nonEmpty(childNamed(parent, local, vocabularies)?.text.trim());
}

export function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** "true" and "1", in any case; anything else is false. */
export function truth(text: string | undefined, whenAbsent: boolean): boolean {
  if (text === undefined) return whenAbsent;
  return ["true", "1"].includes(text.trim().toLowerCase());
}
