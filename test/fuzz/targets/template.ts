import { stockTemplates } from "../../../control-plane/stock-templates.ts";
import { renderDevice } from "../../../control-plane/templates/render-device.ts";
import type { FuzzTarget } from "../engine/fuzz-target.ts";

const load = stockTemplates();

/** Device dictionaries and templates: Jinja that device owners write. */
export const template: FuzzTarget = {
  about: "device dictionaries and templates (Jinja)",
  words: [
    ...["{{", "}}", "{%", "%}", "{#", "#}", "-%}", "{{-", "=", "|", "~", "**", "'", '"', "[", "]"],
    ..." default if endif else elif for in endfor block endblock set macro include extends import not and or is"
      .split(" ")
      .map((word) => ` ${word} `),
    ...["{% set x = x ~ x %}", "{% for i in range(99) %}", "{% endfor %}", "{{ super() }}"],
    ...["{% extends 'base.jinja2' %}", "{% include 'base.jinja2' %}", "{{ self.body() }}"],
    ...["|join(',')", "|replace('', x)", "|indent(2)", "|int", "|length", ".items()", ".__class__"],
    ...[
      "constructor",
      "__proto__",
      "loop.index",
      "\\",
      "\n",
      "[::-1]",
      "'a' * 999999",
      "{}.update",
    ],
  ],
  seeds: () => [
    "{% extends 'qemu.jinja2' %}\n{% set mac_addr = '52:54:00:12:34:59' %}\n{% set memory = 512 %}\n",
    "{% extends 'base-uboot.jinja2' %}\n{% set connection_command = 'telnet a 1' %}\n{% block body %}{{ super() }}{% endblock %}\n",
    "{% set a = {'b': [1, 2]} %}{% for k, v in a.items() %}{{ k ~ v | join(',') }}{% endfor %}\n",
  ],
  open: async () => ({
    run(input) {
      const dictionary = Buffer.from(input).toString("utf8");
      const { text, problems, warnings } = renderDevice({
        name: "dut.jinja2",
        dictionary,
        loader: load,
      });
      if (text.length > 1_000_000) throw new Error("the text is too long");
      for (const { message } of [...problems, ...warnings]) {
        if (message === "") throw new Error("a problem says nothing");
      }
    },
  }),
};
