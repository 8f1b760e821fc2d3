import { expect, test } from "vitest";
import { yamlLines } from "../../control-plane/ui/yaml-html.ts";
import { fc } from "../support/property.ts";

const html = (text: string): string => yamlLines(text.split("\n")).join("\n");
const textOf = (marked: string): string =>
  marked
    .replaceAll(/<\/?span[^>]*>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");

test("keys, comments, plain words and quoted texts are told apart", () => {
  expect(html("priority: 50 # high")).toBe(
    '<span class="y-key">priority</span>:<span class="y-word"> 50</span><span class="y-comment"> # high</span>',
  );
  expect(html('- name: "a: b # c"')).toBe(
    '- <span class="y-key">name</span>:<span class="y-text"> &quot;a: b # c&quot;</span>',
  );
  expect(html("url: http://files.test/a#b")).toBe(
    '<span class="y-key">url</span>: http://files.test/a#b',
  );
  expect(html("a: b # one\u2028# two")).toBe(
    '<span class="y-key">a</span>: b<span class="y-comment"> # one\u2028# two</span>',
  );
  expect(html("# all of it")).toBe('<span class="y-comment"># all of it</span>');
});

test("a text of several lines ends where its indentation does", () => {
  const marked = html("run: |\n  key: value\n\n  # no comment\nnext: 1").split("\n");
  expect(marked[1]).toBe('<span class="y-text">  key: value</span>');
  expect(marked[3]).toBe('<span class="y-text">  # no comment</span>');
  expect(marked[4]).toContain('class="y-key">next<');
});

test("whatever the text is, it is all there, and has no markup but ours", () => {
  const line = fc.string({ unit: fc.constantFrom(...Array.from("ab:-#|>\"' {}[]<&\\0\t")) });
  fc.assert(
    fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
      const marked = yamlLines(lines);
      expect(marked.map(textOf)).toEqual(lines);
      for (const one of marked) {
        expect(one.replaceAll(/<span class="y-\w+">|<\/span>/g, "")).not.toMatch(/[<>"']/);
      }
    }),
  );
});

test("a line as long as a definition may be takes no time", () => {
  const long = `${"a ".repeat(400_000)}: x`;
  expect(textOf(html(long))).toBe(long);
});
