import { describe, expect, it } from "vitest";
import { parseConfig } from "../../src/volume/lvm2/config-text.ts";
import { refusal } from "./groups.ts";

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
    const { settings, sections } = parseConfig(text, "test");
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
      expect(await refusal(() => parseConfig(text, "test"))).toBe("LVM_TEXT");
    },
  );

  it("is refused, and soon, where no group is that large", async () => {
    for (const text of ["a{".repeat(1 << 20), "a=1 ".repeat(2 << 20), `a=[${"1,".repeat(2 << 20)}]`]) {
      expect(await refusal(() => parseConfig(text, "test"))).toBe("LVM_TEXT");
    }
    expect(parseConfig("#\n".repeat(4 << 20), "test").settings.size).toBe(0);
    expect(parseConfig(`a = "${"x".repeat(8 << 20)}"`, "test").settings.size).toBe(1);
  });
});
