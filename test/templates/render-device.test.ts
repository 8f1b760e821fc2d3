import { describe, expect, test } from "vitest";
import type { Loader } from "../../control-plane/templates/frame.ts";
import { renderDevice } from "../../control-plane/templates/render-device.ts";

const types: Record<string, string> = {
  "base.jinja2": `{% set console = console | default('ttyS0') %}
{% set args = 'console=' ~ console %}
{% set fixed = 'always' %}
commands:
  connect: {{ connection_command }}
{% for name, wire in wires | default({}) | dictsort if false %}{% endfor %}
boot:
{% block boot %}
  plain: text
  args: "{{ args }} quiet"
{% for command in boot_commands | default(['run', 'go']) %}
  c{{ loop.index }}: {{ command }}
{% endfor %}
{% endblock %}
memory: {{ memory | default(256) }}
fixed: {{ fixed }}
`.replace(/^\{% for name, wire.*\n/m, ""),
  "board.jinja2": "{% extends 'base.jinja2' %}\n{% set memory = memory | default(512) %}\n",
};
const loader: Loader = (name) => types[name];
const render = (dictionary: string, context = {}) =>
  renderDevice({ name: "dut-1.jinja2", dictionary, loader, context, withOrigins: true });

describe("where a value was set", () => {
  const dictionary = `{% extends 'board.jinja2' %}
{% set connection_command = 'telnet lab 7001' %}
{% set console = 'ttyAMA0' %}
`;

  test("is the dictionary's line for what the dictionary sets", () => {
    const { origins } = render(dictionary);
    expect(origins["commands.connect"]).toEqual({
      template: "dut-1.jinja2",
      line: 2,
      variable: "connection_command",
    });
  });

  test("is the line of the template for its own text, and for its defaults", () => {
    const { origins } = render(dictionary);
    expect(origins["boot.plain"]).toEqual({ template: "base.jinja2", line: 8 });
    expect(origins["memory"]).toEqual({ template: "board.jinja2", line: 2, variable: "memory" });
  });

  test("is followed through variables that are made of others", () => {
    expect(render(dictionary).origins["boot.args"]).toEqual({
      template: "dut-1.jinja2",
      line: 3,
      variable: "console",
    });
  });

  test("is the job's context for what that gives", () => {
    const { origins, value } = render(dictionary, { memory: 1024 });
    expect(value).toMatchObject({ memory: 1024 });
    expect(origins["memory"]).toEqual({ template: "context", line: 0, variable: "memory" });
  });

  test("is known of each item that a loop prints", () => {
    const { origins } = render(`${dictionary}{% set boot_commands = ['one', 'two'] %}\n`);
    expect(origins["boot.c2"]).toEqual({
      template: "dut-1.jinja2",
      line: 4,
      variable: "boot_commands",
    });
  });

  test("goes through filters, includes and what a block adds to its parent's", () => {
    types["parts.jinja2"] = `{% filter indent(width=2) %}
one:
  a: plain
  b: {{ b }}
{% endfilter %}
{% block rest %}
rest: "{{ c | default('c') }}"
{% endblock %}
`;
    types["more.jinja2"] = "more:\n  d: {{ d | default('d') }}\n\n";
    const { origins, text } = render(`{% extends 'parts.jinja2' %}
{% set b = 'set here' %}
{% block rest %}
{{ super() }}{% include 'more.jinja2' %}
last: 1
{% endblock %}
`);
    expect(text).toBe('one:\n    a: plain\n    b: set here\nrest: "c"\nmore:\n  d: d\nlast: 1\n');
    const places = Object.entries(origins).map(([path, at]) => [path, at.template, at.line]);
    expect(places).toEqual([
      ["one.a", "parts.jinja2", 3],
      ["one.b", "dut-1.jinja2", 2],
      ["rest", "parts.jinja2", 7],
      ["more.d", "more.jinja2", 2],
      ["last", "dut-1.jinja2", 5],
    ]);
  });

  test("leaves no trace in the text", () => {
    const { text } = render(dictionary);
    expect(text).toBe(renderDevice({ name: "d", dictionary, loader }).text);
    expect(text).toContain("connect: telnet lab 7001");
  });
});

describe("warnings", () => {
  test("name a variable that nothing reads, and the nearest that is read", () => {
    const { warnings } = render(
      "{% extends 'board.jinja2' %}\n{% set conection_command = 'telnet lab 7001' %}\n",
    );
    expect(warnings).toEqual([
      {
        template: "dut-1.jinja2",
        line: 2,
        message: "conection_command is set and nothing reads it; did you mean connection_command?",
      },
    ]);
  });

  test("a variable that is read only where this device does not come along is no mistake", () => {
    types["other.jinja2"] = "{% if rare %}x: {{ special }}{% endif %}\ny: 1\n";
    const { warnings } = render("{% extends 'other.jinja2' %}{% set special = 1 %}");
    expect(warnings).toEqual([]);
  });

  test("of a dictionary of thousands of mistakes are bounded", () => {
    const sets = Array.from({ length: 5000 }, (_, n) => `{% set mistake_${n} = 1 %}`);
    expect(render(`{% extends 'board.jinja2' %}${sets.join("")}`).warnings).toHaveLength(20);
  });

  test("name a value that a device type overwrites", () => {
    const { warnings } = render("{% extends 'board.jinja2' %}\n\n{% set fixed = 'mine' %}\n");
    expect(warnings).toEqual([
      {
        template: "dut-1.jinja2",
        line: 3,
        message: "fixed has no effect: base.jinja2 line 3 sets it again",
      },
    ]);
  });
});

describe("what is wrong", () => {
  test("in a template is told with its name and line", () => {
    expect(render("{% extends 'board.jinja2' %}\n{% set x = y.z %}\n").problems).toEqual([
      { template: "dut-1.jinja2", line: 2, message: "y is undefined" },
    ]);
    expect(render("\n{% extends '../secret.jinja2' %}").problems).toMatchObject([
      { template: "dut-1.jinja2", line: 2 },
    ]);
  });

  test.each([
    ["{{ speed + 1 }}"],
    ["{% if speed < 9600 %}{% endif %}"],
    ["{{ speed.unit }}"],
    ["{{ speed() }}"],
    ["{{ -speed }}"],
    ["{{ speed | indent }}"],
    ["{% for n in range(speed) %}{% endfor %}"],
  ])("names the variable that is missing: %s", (template) => {
    expect(render(template).problems).toMatchObject([
      { template: "dut-1.jinja2", line: 1, message: expect.stringContaining("speed is undefined") },
    ]);
  });

  test("in the YAML that came out is told where it was set", () => {
    const { problems, value } = render(
      "{% extends 'board.jinja2' %}\n{% set connection_command = '[unclosed' %}\n",
    );
    expect(value).toBeUndefined();
    expect(problems).toHaveLength(1);
    expect(problems[0]?.template).toMatch(/jinja2$/);
    expect(problems[0]?.message).toContain("can't be read");
  });
});
