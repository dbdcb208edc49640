import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createContext, DEFAULT_LIMITS } from "../../src/context.ts";
import { ConverterError } from "../../src/errors.ts";
import { parseXml, type XmlElement } from "../../src/ovf/xml.ts";

const OVF = "http://schemas.dmtf.org/ovf/envelope/1";

function parse(text: string | Uint8Array, limits = DEFAULT_LIMITS) {
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  return parseXml(bytes, "a.ovf", createContext({ limits }));
}

function code(text: string | Uint8Array): string {
  try {
    parse(text);
  } catch (error) {
    return error instanceof ConverterError ? error.code : String(error);
  }
  return "none";
}

describe("parseXml", () => {
  it("resolves namespaces through nested scopes", () => {
    const { root, unbound } = parse(
      `<a xmlns="urn:1" xmlns:p="urn:2" p:x="1" x="2"><p:b/><c xmlns=""/><d xmlns:p="urn:3"><p:e/></d><q:f/></a>`,
    );
    const [b, c, d, f] = root.children;
    expect(root).toMatchObject({ namespace: "urn:1", local: "a", prefix: undefined });
    expect(root.attributes).toEqual([
      { namespace: "urn:2", prefix: "p", local: "x", value: "1" },
      { namespace: undefined, prefix: undefined, local: "x", value: "2" },
    ]);
    expect([b?.namespace, c?.namespace, d?.children[0]?.namespace]).toEqual(["urn:2", undefined, "urn:3"]);
    expect(f).toMatchObject({ namespace: undefined, prefix: "q", local: "f" });
    expect([...unbound]).toEqual(["q"]);
  });

  it("keeps values as written and resolves references", () => {
    const { root } = parse(
      `<a n="007" v="1&#10;&lt;&#x41;\n&amp;lt;"> x <![CDATA[<&amp;>]]><!-- no -->&quot;&apos;</a>`,
    );
    expect(root.attributes.map((each) => each.value)).toEqual(["007", "1\n<A &lt;"]);
    expect(root.text).toBe(` x <&amp;>"'`);
  });

  it("is not held up by a long text of references", () => {
    const { root } = parse(`<a>${"&#13;&#10;".repeat(100_000)}</a>`);
    expect(root.text.length).toBe(200_000);
  });

  it("gives spans that cut the elements out of the original text, CRLF and astral characters included", () => {
    const text = `<?xml version="1.0"?>\r\n<!-- 😀 -->\r\n<a x="1"\r\n y="2">\r\n\r<b>\r\n</b><c/>\t<d  z='>'></d>\r\n</a>\r\n`;
    const document = parse(text);
    const cut = (element: XmlElement | undefined) => document.text.slice(element?.span.start, element?.span.end);
    expect(document.text).toBe(text);
    expect(cut(document.root)).toBe(text.trim().slice(text.indexOf("<a")));
    expect(document.root.children.map(cut)).toEqual(["<b>\r\n</b>", "<c/>", "<d  z='>'></d>"]);
    expect(document.comments).toEqual(["😀"]);
  });

  it.each([
    ["UTF-8", Buffer.from("<a>é</a>"), "utf-8"],
    ["UTF-8 after a mark", Buffer.from("\ufeff<a>é</a>"), "utf-8"],
    ["UTF-8 that claims utf-16", Buffer.from(`<?xml version="1.0" encoding="utf-16"?><a>é</a>`), "utf-8"],
    ["UTF-16 LE after a mark", Buffer.from("\ufeff<a>é</a>", "utf16le"), "utf-16le"],
    ["UTF-16 LE", Buffer.from("<a>é</a>", "utf16le"), "utf-16le"],
    ["UTF-16 BE after a mark", Buffer.from("\ufeff<a>é</a>", "utf16le").swap16(), "utf-16be"],
    ["UTF-16 BE", Buffer.from("<a>é</a>", "utf16le").swap16(), "utf-16be"],
    ["Latin-1", Buffer.from(`<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>`, "latin1"), "iso-8859-1"],
  ])("reads %s", (_, bytes, encoding) => {
    const document = parse(bytes);
    expect(document).toMatchObject({ encoding, root: { text: "é" } });
    expect(document.text.slice(document.root.span.start, document.root.span.end)).toBe("<a>é</a>");
  });

  it("tolerates NULs and blanks behind the root", () => {
    expect(parse(`<a/>\n${" ".repeat(4000)}${"\0".repeat(4000)}`).root.local).toBe("a");
  });

  it.each([
    ["OVF_ENCODING", Buffer.from([0x3c, 0x61, 0xff, 0x2f, 0x3e])],
    ["OVF_ENCODING", Buffer.from(`<?xml version="1.0" encoding="x-nonsense"?><a>é</a>`, "latin1")],
    ["OVF_XML_ENTITY", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`],
    ["OVF_XML_ENTITY", `<a>&nbsp;</a>`],
    ["OVF_XML_ENTITY", `<a b="&x;"/>`],
    ["OVF_XML_ENTITY", `<a>&#0;</a>`],
    ["OVF_XML_ENTITY", `<a>&#xD800;</a>`],
    ["OVF_XML_MALFORMED", `<a><b></a>`],
    ["OVF_XML_MALFORMED", `<a/><b/>`],
    ["OVF_XML_MALFORMED", `<a></a><b></b>`],
    ["OVF_XML_MALFORMED", `<a x="1" x="2"/>`],
    ["OVF_XML_MALFORMED", `<a x=1/>`],
    ["OVF_XML_MALFORMED", `<a>`],
    ["OVF_XML_MALFORMED", `<a><!-- </a>`],
    ["OVF_XML_MALFORMED", `plain text`],
    ["OVF_XML_MALFORMED", ``],
    ["OVF_XML_MALFORMED", `<!-- only -->`],
    ["OVF_XML_MALFORMED", `<a><__proto__ x="1"></a>`],
    ["OVF_XML_TOO_DEEP", "<a>".repeat(50_000) + "</a>".repeat(50_000)],
    ["OVF_XML_TOO_DEEP", `${"<a>".repeat(256)}<a/>${"</a>".repeat(256)}`],
  ])("refuses with %s: %.60s", (expected, text) => expect(code(text)).toBe(expected));

  it("lets comments and CDATA speak of DOCTYPE", () => {
    expect(parse(`<a><!-- <!DOCTYPE x> --><![CDATA[<!DOCTYPE x>]]></a>`).root.text).toBe("<!DOCTYPE x>");
  });

  it("refuses more bytes than the limit", () => {
    expect(() => parse(`<a>${"x".repeat(100)}</a>`, { ...DEFAULT_LIMITS, descriptorBytes: 100 })).toThrowError(
      expect.objectContaining({ code: "OVF_TOO_LARGE", exitCode: 69 }),
    );
  });

  it("names file and line", () => {
    expect(() => parse(`<a>\n<b>\n</a>`)).toThrowError(/line 3.*a\.ovf/);
  });

  it("reads back any text and any attribute", () => {
    const escaped = (text: string) => text.replace(/[<>&"\n\t\r]/g, (char) => `&#${char.charCodeAt(0)};`);
    const words = fc.string({ unit: fc.constantFrom("a", "é", "😀", "<", ">", "&", '"', "'", "]", "\n", "\r", " ") });
    fc.assert(
      fc.property(words, words, (value, text) => {
        const { root } = parse(`<e xmlns="${OVF}" v="${escaped(value)}">${escaped(text)}</e>`);
        expect([root.attributes[0]?.value, root.text]).toEqual([value, text]);
      }),
    );
  });
});
