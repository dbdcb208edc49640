import { describe, expect, it } from "vitest";
import { parseConfig, type Section } from "../../src/volume/lvm2/config-text.ts";
import { refusal } from "./groups.ts";

const parse = (text: string): Section => parseConfig(text, "test", { left: 200_000 });

describe("the text of lvm2's metadata", () => {
  it("has settings, lists, sections, comments and escapes", () => {
    const text = `# a comment { [
vg-1.0 { # another
  size = 8192
  negative=-1
  name = "a \\"quoted\\" \\\\ # {"
  word = bare/word
  flags = []
  list = [ "a", 1, "b", ]
  "quoted name" { }
}
contents = "once"
contents = "again"\n\0`;
    const { settings, sections } = parse(text);
    expect([...settings]).toEqual([["contents", "again"]]);
    const group = sections.get("vg-1.0");
    expect(Object.fromEntries(group?.settings ?? [])).toEqual({
      size: 8192,
      negative: -1,
      name: 'a "quoted" \\ # {',
      word: "bare/word",
      flags: [],
      list: ["a", 1, "b"],
    });
    expect([...(group?.sections.keys() ?? [])]).toEqual(["quoted name"]);
  });

  it.each(["a", "a =", "a {", "a { b = 1", "}", "a = [", "a = [1 2]", "a = {}", '"a', '"a\\', "= 1", "a = é", "a b"])(
    "is refused where it breaks: %s",
    async (text) => {
      expect(await refusal(() => parse(text))).toBe("LVM_TEXT");
    },
  );

  it("is refused, and soon, where no group is that large", async () => {
    for (const text of ["a{".repeat(1 << 20), "a=1 ".repeat(2 << 20), `a=[${"1,".repeat(2 << 20)}]`]) {
      expect(await refusal(() => parse(text))).toBe("LVM_TEXT");
    }
    expect(parse("#\n".repeat(4 << 20)).settings.size).toBe(0);
    expect(parse(`a = "${"x".repeat(8 << 20)}"`).settings.size).toBe(1);
  });
});
