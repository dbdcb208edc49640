import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PathPatterns } from "../../../converters/guest/path-patterns.ts";

const matches = (pattern: string, path: string, directory = false) =>
  new PathPatterns([pattern]).first(path, directory) === 0;

describe("PathPatterns", () => {
  it.each<[pattern: string, yes: readonly string[], no: readonly string[]]>([
    ["/etc", ["etc"], ["etc/x", "usr/etc", ""]],
    ["etc", ["etc", "usr/etc"], ["etcetera", "etc/x"]],
    ["lib/modules", ["lib/modules", "usr/lib/modules"], ["xlib/modules", "lib/modules/x"]],
    ["/tmp/*", ["tmp/x", "tmp/.x"], ["tmp", "tmp/x/y", "x/tmp/y"]],
    ["*.log", ["a.log", "var/log/a.log"], ["a.log/b", "alog"]],
    ["/var/**/*.log", ["var/a.log", "var/x/y/a.log"], ["a.log", "var/a.logs"]],
    ["/var/**", ["var/a", "var/a/b"], ["var", "variant"]],
    ["**/x", ["x", "a/x", "a/b/x"], ["ax"]],
    ["/a?c", ["abc"], ["ac", "a/c"]],
    ["/[a-c]x", ["ax", "cx"], ["dx", "x"]],
    ["/[!a]x", ["bx"], ["ax", "/x"]],
    ["/a\\*", ["a*"], ["ab"]],
    ["/a+(b)|c.$*", ["a+(b)|c.$"], ["aab", "c"]],
    ["/é", [Buffer.from("é").toString("latin1")], ["é"]],
    ["/a\nb*", ["a\nbc"], ["a"]],
    ["/x/***", [], ["x"]],
  ])("%j", (pattern, yes, no) => {
    for (const path of yes) expect(matches(pattern, path), path).toBe(true);
    for (const path of no) expect(matches(pattern, path), path).toBe(false);
  });

  it("asks for a directory where the pattern ends with a slash", () => {
    for (const pattern of ["/a/", "a/", "/[a]/", "/a/***"]) {
      expect(matches(pattern, "a", true)).toBe(true);
      expect(matches(pattern, "a", false)).toBe(false);
    }
  });

  it.each([
    ["/a/b/c", ["a", "a/b"], ["", "a/b/c", "b"]],
    ["/a/*/c", ["a", "a/x"], ["a/x/c", "x"]],
    ["/a/**/c", ["a", "a/x", "a/x/y"], ["b"]],
    ["c", [], ["a"]],
  ])("knows what may lie above %j", (pattern, above, others) => {
    const patterns = new PathPatterns([pattern]);
    for (const path of above) expect(patterns.firstBelow(path), path).toBe(0);
    for (const path of others) expect(patterns.firstBelow(path), path).toBe(Number.POSITIVE_INFINITY);
  });

  it("answers the first of many as one by one would", () => {
    const name = fc.constantFrom("a", "b", "ab", "*", "?", "a*", "**", "[ab]");
    const pattern = fc
      .tuple(fc.boolean(), fc.array(name, { minLength: 1, maxLength: 4 }), fc.boolean())
      .map(([anchored, names, directory]) => `${anchored ? "/" : ""}${names.join("/")}${directory ? "/" : ""}`);
    const path = fc
      .array(fc.constantFrom("a", "b", "ab", "ba"), { minLength: 1, maxLength: 5 })
      .map((names) => names.join("/"));
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 8 }), path, fc.boolean(), (patterns, at, directory) => {
        const alone = patterns.findIndex((each) => matches(each, at, directory));
        expect(new PathPatterns(patterns).first(at, directory)).toBe(alone < 0 ? Number.POSITIVE_INFINITY : alone);
      }),
    );
  });
});
