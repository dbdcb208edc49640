import { XMLParser, XMLValidator } from "fast-xml-parser";
import type { Context } from "../context.ts";
import type { Where } from "../errors.ts";
import { descriptorTooLarge, encodingInvalid, xmlEntity, xmlMalformed, xmlTooDeep } from "./errors.ts";

/** A stretch of the decoded text: UTF-16 code units, `end` exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** `namespace` is undefined where no prefix or an unbound one stands; `prefix` is kept as written. */
export interface XmlName {
  readonly namespace: string | undefined;
  readonly prefix: string | undefined;
  readonly local: string;
}

export interface XmlAttribute extends XmlName {
  readonly value: string;
}

/** An element of the descriptor. `span` runs from its "<" to the end of its closing tag. */
export interface XmlElement extends XmlName {
  readonly attributes: readonly XmlAttribute[];
  readonly children: readonly XmlElement[];
  /** The text directly inside, CDATA included, references resolved, blanks kept. */
  readonly text: string;
  readonly span: Span;
}

export interface XmlDocument {
  /** The whole decoded text without a byte order mark; all spans point into it. */
  readonly text: string;
  /** The encoding that the bytes are really in, in lower case: writing the edited text back needs it. */
  readonly encoding: string;
  /** The bytes start with a byte order mark. */
  readonly byteOrderMark: boolean;
  readonly root: XmlElement;
  /** The namespaces that the root element declares, by prefix ("" is the default). */
  readonly declared: ReadonlyMap<string, string>;
  /** Prefixes that are used without a declaration; ovftool tolerates them, so do we. */
  readonly unbound: ReadonlySet<string>;
  /** Comments before the root and directly inside it: producers sign there. */
  readonly comments: readonly string[];
}

/** Real descriptors stay below 20; vbox:Machine nests one level a snapshot. */
const DEPTH = 256;
/**
 * Tags and quotes. Bytes alone do not bound the time: 8 MiB of empty elements took fast-xml-parser a minute (measured). Real
 * descriptors have at most one mark to 15 bytes, so that the 4 MB of VMware's largest known one stay below.
 */
const MARKS = 300_000;
const XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace";
const METADATA = XMLParser.getMetaDataSymbol() as unknown as symbol;

/** What fast-xml-parser gives for one node with preserveOrder: the tag name as key, ":@" for the attributes. */
type Node = Readonly<Record<string | symbol, unknown>>;

/** The declarations of one element and those around it. A chain: copies would cost the square of a hostile descriptor. */
interface Scope {
  readonly own: ReadonlyMap<string, string>;
  readonly outer: Scope | undefined;
}

const OUTERMOST: Scope = { own: new Map([["xml", XML_NAMESPACE]]), outer: undefined };

/**
 * Reads a descriptor into elements with resolved namespaces.
 * @throws CorruptError OVF_ENCODING, OVF_XML_ENTITY, OVF_XML_MALFORMED; UnsupportedError OVF_TOO_LARGE, OVF_XML_TOO_DEEP
 */
export function parseXml(bytes: Uint8Array, name: string, ctx: Context): XmlDocument {
  const where: Where = { file: name };
  if (bytes.length > ctx.limits.descriptorBytes) {
    throw descriptorTooLarge(bytes.length, "bytes", ctx.limits.descriptorBytes, where);
  }
  const { text, encoding, byteOrderMark } = decode(bytes, where);
  const content = withoutPadding(text);
  refuseCrowds(content, where);
  refuseMarkup(content, where);
  const validity = XMLValidator.validate(content);
  if (validity !== true) {
    throw xmlMalformed(`${validity.err.msg} (line ${validity.err.line})`, where);
  }
  const depth = Math.min(ctx.limits.depth, DEPTH);
  const nodes = parseNodes(content, depth, where);
  return new TreeBuilder(where, depth).document(nodes, { text, encoding, byteOrderMark });
}

function parseNodes(content: string, depth: number, where: Where): readonly Node[] {
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: "",
    parseTagValue: false,
    parseAttributeValue: false,
    trimValues: false,
    // References are resolved here: the parser's own limits would refuse a long EULA full of line breaks.
    processEntities: false,
    captureMetaData: true,
    cdataPropName: "#cdata",
    commentPropName: "#comment",
    maxNestedTags: depth,
    jPath: false,
  });
  try {
    return parser.parse(content) as readonly Node[];
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (message === "Maximum nested tags exceeded") throw xmlTooDeep(depth, where);
    throw xmlMalformed(message, where, error);
  }
}

class TreeBuilder {
  readonly #where: Where;
  readonly #depth: number;
  readonly #unbound = new Set<string>();
  readonly #comments: string[] = [];

  constructor(where: Where, depth: number) {
    this.#where = where;
    this.#depth = depth;
  }

  document(nodes: readonly Node[], source: Pick<XmlDocument, "text" | "encoding" | "byteOrderMark">): XmlDocument {
    const roots = nodes.filter((node) => isElement(tagOf(node)));
    const [root] = roots;
    if (root === undefined) throw xmlMalformed("there is no root element", this.#where);
    if (roots.length > 1) throw xmlMalformed("there is more than one root element", this.#where);
    for (const node of nodes) this.#collectComment(node);
    for (const node of childrenOf(root)) this.#collectComment(node);
    const declared = this.#scope(attributesOf(root), OUTERMOST).own;
    const element = this.#element(root, OUTERMOST, 1);
    return { ...source, root: element, declared, unbound: this.#unbound, comments: this.#comments };
  }

  #collectComment(node: Node): void {
    if (tagOf(node) === "#comment") this.#comments.push(rawText(childrenOf(node)).trim());
  }

  #element(node: Node, outer: Scope, depth: number): XmlElement {
    if (depth > this.#depth) throw xmlTooDeep(this.#depth, this.#where);
    const written = attributesOf(node);
    const scope = this.#scope(written, outer);
    const span = spanOf(node);
    const here = { ...this.#where, offset: span.start };
    const attributes = written
      .filter(([key]) => key !== "xmlns" && !key.startsWith("xmlns:"))
      .map(([key, value]) => ({ ...this.#name(key, scope, undefined), value: resolve(normalise(value), here) }));
    const children: XmlElement[] = [];
    let text = "";
    for (const child of childrenOf(node)) {
      const tag = tagOf(child);
      if (tag === "#text") text += resolve(String(child["#text"]), here);
      else if (tag === "#cdata") text += rawText(childrenOf(child));
      else if (isElement(tag)) children.push(this.#element(child, scope, depth + 1));
    }
    return { ...this.#name(tagOf(node), scope, lookUp(scope, "")), attributes, children, text, span };
  }

  #scope(attributes: readonly (readonly [string, string])[], outer: Scope): Scope {
    const own = attributes.filter(([key]) => key === "xmlns" || key.startsWith("xmlns:"));
    if (own.length === 0) return outer;
    const declarations = own.map(([key, value]) => [key.slice("xmlns:".length), resolve(value, this.#where)] as const);
    return { own: new Map(declarations), outer };
  }

  /** Attributes without a prefix are in no namespace, elements in the default one (Namespaces in XML 1.0, 6.2). */
  #name(written: string, scope: Scope, unprefixed: string | undefined): XmlName {
    const colon = written.indexOf(":");
    if (colon === -1)
      return { namespace: unprefixed === "" ? undefined : unprefixed, prefix: undefined, local: written };
    const prefix = written.slice(0, colon);
    const namespace = lookUp(scope, prefix);
    if (namespace === undefined) this.#unbound.add(prefix);
    return { namespace, prefix, local: written.slice(colon + 1) };
  }
}

function lookUp(scope: Scope, prefix: string): string | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.outer) {
    const namespace = at.own.get(prefix);
    if (namespace !== undefined) return namespace;
  }
  return undefined;
}

function tagOf(node: Node): string {
  for (const key in node) if (key !== ":@") return key;
  return "";
}

function isElement(tag: string): boolean {
  return tag !== "" && !tag.startsWith("#") && !tag.startsWith("?");
}

function childrenOf(node: Node): readonly Node[] {
  const children = node[tagOf(node)];
  return Array.isArray(children) ? children : [];
}

function attributesOf(node: Node): readonly (readonly [string, string])[] {
  return Object.entries((node[":@"] ?? {}) as Readonly<Record<string, string>>);
}

function spanOf(node: Node): Span {
  const { startIndex = 0, endIndex = startIndex } = (node[METADATA] ?? {}) as {
    startIndex?: number;
    endIndex?: number;
  };
  return { start: startIndex, end: endIndex };
}

function rawText(nodes: readonly Node[]): string {
  return nodes.map((node) => String(node["#text"] ?? "")).join("");
}

const NAMED: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** Character references and the five entities of XML itself. */
function resolve(text: string, where: Where): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(#x[0-9a-fA-F]+|#[0-9]+|[^;&\s]*);?/g, (whole, body: string) => {
    const named = Object.hasOwn(NAMED, body) ? NAMED[body] : undefined;
    if (named !== undefined && whole.endsWith(";")) return named;
    const code = characterCode(body);
    if (code === undefined || !whole.endsWith(";")) throw xmlEntity(`the entity ${JSON.stringify(whole)}`, where);
    return String.fromCodePoint(code);
  });
}

function characterCode(body: string): number | undefined {
  if (!body.startsWith("#")) return undefined;
  const code = body.startsWith("#x") ? Number.parseInt(body.slice(2), 16) : Number.parseInt(body.slice(1), 10);
  return code > 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? code : undefined;
}

/** Attribute-value normalisation, XML 1.0, 3.3.3. */
function normalise(value: string): string {
  return value.replace(/[\t\n\r]/g, " ");
}

function refuseCrowds(text: string, where: Where): void {
  let marks = 0;
  for (const mark of ["<", '"', "'"]) {
    for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, at + 1)) marks += 1;
  }
  if (marks > MARKS) throw descriptorTooLarge(marks, "tags and quotes", MARKS, where);
}

/** DOCTYPE outside comments and CDATA; these are skipped as a whole, so that they may speak of it. */
function refuseMarkup(text: string, where: Where): void {
  for (let at = text.indexOf("<!"); at !== -1; at = text.indexOf("<!", at)) {
    if (text.startsWith("<!--", at)) at = after(text, "-->", at + 4, where);
    else if (text.startsWith("<![CDATA[", at)) at = after(text, "]]>", at + 9, where);
    else throw xmlEntity("a document type declaration", { ...where, offset: at });
  }
}

function after(text: string, end: string, from: number, where: Where): number {
  const found = text.indexOf(end, from);
  if (found === -1) throw xmlMalformed(`${JSON.stringify(end)} is missing`, { ...where, offset: from });
  return found + end.length;
}

/** ovftool and tar tools leave NULs behind the descriptor; blanks are no trouble. */
function withoutPadding(text: string): string {
  let end = text.length;
  while (end > 0 && (text[end - 1] === "\0" || text[end - 1] === " " || text[end - 1] === "\n")) end -= 1;
  return text.slice(0, end);
}

interface Decoded {
  readonly text: string;
  readonly encoding: string;
  readonly byteOrderMark: boolean;
}

/** The bytes decide, not the declaration: XenServer declares utf-16 and writes UTF-8. */
function decode(bytes: Uint8Array, where: Where): Decoded {
  const [b0, b1, b2] = bytes;
  if (b0 === 0xef && b1 === 0xbb && b2 === 0xbf) return decodeAs("utf-8", bytes.subarray(3), true, where);
  if (b0 === 0xff && b1 === 0xfe) return decodeAs("utf-16le", bytes.subarray(2), true, where);
  if (b0 === 0xfe && b1 === 0xff) return decodeAs("utf-16be", bytes.subarray(2), true, where);
  if (b0 === 0x3c && b1 === 0) return decodeAs("utf-16le", bytes, false, where);
  if (b0 === 0 && b1 === 0x3c) return decodeAs("utf-16be", bytes, false, where);
  try {
    return decodeAs("utf-8", bytes, false, where);
  } catch (error) {
    const head = Buffer.from(bytes.subarray(0, 200)).toString("latin1");
    const declared = /^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']/.exec(head)?.[1]?.toLowerCase();
    if (declared === undefined || declared.startsWith("utf")) throw error;
    return decodeAs(declared, bytes, false, where);
  }
}

function decodeAs(encoding: string, bytes: Uint8Array, byteOrderMark: boolean, where: Where): Decoded {
  try {
    const text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
    return { text, encoding, byteOrderMark };
  } catch {
    throw encodingInvalid(encoding, where);
  }
}
