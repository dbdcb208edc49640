import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commandWords, shellWords, systemdWords } from "../../../converters/guest/words.ts";

describe("shellWords", () => {
  it.each([
    ["a b  c", ["a", "b", "c"]],
    ["'a b' \"c d\"e", ["a b", "c de"]],
    ['a\\ b \'\\\' "\\"\\x"', ["a b", "\\", '"\\x']],
    ["''", [""]],
    ["", []],
    ["'a", undefined],
    ['"a', undefined],
  ])("%j", (text, words) => {
    expect(shellWords(text)).toEqual(words);
  });

  it("takes back what it is given in single quotes", () => {
    const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        expect(shellWords(words.map(quote).join(" "))).toEqual(words);
      }),
    );
  });
});

describe("systemdWords", () => {
  it.each([
    ['a\\x41 \'\\t\' "\\s\\""', ["aA", "\t", ' "']],
    ["-g 'daemon off;'", ["-g", "daemon off;"]],
  ])("%j", (text, words) => {
    expect(systemdWords(text)).toEqual(words);
  });
});

describe("commandWords", () => {
  it.each([
    ['["a", "b c"]', ["a", "b c"]],
    [" [] ", []],
    ["[1]", undefined],
    ["[", undefined],
    ["a 'b c'", ["a", "b c"]],
  ])("%j", (text, words) => {
    expect(commandWords(text)).toEqual(words);
  });
});
