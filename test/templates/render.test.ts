import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { render } from "../../control-plane/templates/render.ts";
import { TemplateError } from "../../control-plane/templates/template-error.ts";
import { root } from "../support/real-lab.ts";

/** Templates, context, and what Jinja2 3.1.2 made of them with LAVA's settings: a text or an error. */
interface Case {
  templates: Record<string, string>;
  context: Record<string, unknown>;
  text?: string;
  error?: string;
}
const cases = JSON.parse(
  readFileSync(path.join(root, "test/golden/jinja2-cases.json"), "utf8"),
) as Case[];

const renderCase = ({ templates, context }: Case): string =>
  render("main", (name) => templates[name], context).text;

describe("a template", () => {
  test.each(cases.map((one) => [one.templates["main"], one] as const))(
    "%j is rendered as Jinja2 does",
    (_, one) => {
      if (one.error === undefined) expect(renderCase(one)).toBe(one.text);
      else expect(() => renderCase(one)).toThrow(TemplateError);
    },
  );

  test("that is wrong is named, with its line", () => {
    const templates: Record<string, string> = {
      "dict.jinja2": "{% extends 'type.jinja2' %}\n{% set a = 1 %}\n",
      "type.jinja2": "one\n{{ a }}\n{{ missing.name }}\n",
    };
    const fail = (): unknown => render("dict.jinja2", (name) => templates[name]);
    expect(fail).toThrow(
      expect.objectContaining({
        template: "type.jinja2",
        line: 3,
        message: "missing is undefined",
      }),
    );
  });

  test.each(["../secret", "/etc/passwd", "a/../../b", ".hidden", ""])(
    "can't reach %j outside of the template folders",
    (name) => {
      const asked: string[] = [];
      const loader = (wanted: string): string | undefined => {
        asked.push(wanted);
        return wanted === "main" ? `{% include ${JSON.stringify(name)} %}` : "found";
      };
      expect(() => render("main", loader)).toThrow(TemplateError);
      expect(asked).toEqual(["main"]);
    },
  );

  test.each([
    [
      "a loop in loops",
      "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% set d = 1 %}{% endfor %}{% endfor %}{% endfor %}",
    ],
    ["a long output", "{% for a in range(9999) %}{{ 'x' * 9999 }}{% endfor %}"],
    [
      "texts that double",
      "{% set a = 'x' %}{% for i in range(99) %}{% set a = a ~ a %}{% endfor %}" +
        "{% set a = a ~ a %}".repeat(60),
    ],
    ["a template that includes itself", "{% include 'main' %}"],
    ["a template that extends itself", "{% extends 'main' %}"],
    ["deep nesting", "{{ " + "(".repeat(5000) + "1" + ")".repeat(5000) + " }}"],
    ["a range that is too long", "{{ range(10 ** 9) }}"],
    ["a range of nothing", "{{ range('x') }}"],
    [
      "a list of itself, again and again",
      `{% set l = [1] %}${"{% set l = [l, l] %}".repeat(60)}{{ l }}`,
    ],
    ["a list in a list", `{% set l = [1] %}${"{% set l = [l] %}".repeat(20_000)}{{ l }}`],
    ["filters without end", `{{ 'a' ${"| upper ".repeat(20_000)}}}`],
    ["a sum without end", `{{ ${"1 + ".repeat(50_000)}1 }}`],
    ["a long joint", "{{ range(9999) | join('x' * 9999) }}"],
    ["a long replacement", "{{ ('a' * 9999) | replace('a', 'b' * 9999) }}"],
    ["a wide margin", "{{ ('\\n' * 9999) | indent(1000, blank=true) }}"],
    ["many statements in each other", "{% if 1 %}".repeat(5000)],
  ])("ends within its limits: %s", (_, source) => {
    expect(() => render("main", () => source)).toThrow(TemplateError);
  });

  test("tells which variables were set, where, and which were asked for", () => {
    const { sets, reads } = render(
      "main",
      () => "{% set colour = 1 %}\n{% set size = 2 %}{{ colour }}{{ color }}",
    );
    expect(sets.get("size")).toEqual({ template: "main", line: 2 });
    expect([...reads]).toEqual(["colour", "color"]);
  });
});
