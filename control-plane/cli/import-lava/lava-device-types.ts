import * as v from "valibot";
import { labDeviceTypeSchema, labName, templateName, type LabSectionOf } from "#protocol/lab.ts";
import type { Asking } from "./asking.ts";
import { kept } from "./kept.ts";
import { lavaDeviceType, lavaDeviceTypeList } from "./lava-schemas.ts";

/** Device types, also those that only a device names, and the templates of them that their admin wrote. */
export async function readDeviceTypes(
  lava: Asking,
  devices: readonly { device_type: string }[],
  stock: (name: string) => string | undefined,
) {
  const section = "device_types";
  const method = "scheduler.device_types";
  const about = { section, what: "the list" } as const;
  const list = (await lava.ask(lavaDeviceTypeList, about, `${method}.list`, false)) ?? [];
  const listed = new Map(list.map(({ name, template }) => [name, template]));
  const names = [...new Set([...listed.keys(), ...devices.map((device) => device.device_type)])];
  const templates: LabSectionOf<"templates"> = {};
  const read = await lava.each("device types", names, async (name) => {
    const type = await lava.ask(
      lavaDeviceType,
      { section, name, what: "it" },
      `${method}.show`,
      name,
    );
    if (!type) {
      lava.warn(section, name, "left out: that LAVA does not show it to this user");
      return [];
    }
    const { default_template: isStock, ...fields } = type;
    const file = `${name}.jinja2`;
    if (!isStock) {
      const where = { section: "templates", name: file, what: "it" } as const;
      const text = await lava.askFile(where, `${method}.get_template`, name);
      if (text !== undefined && text === stock(file)) {
        lava.warn("templates", file, "left out: it is the same as Pumice's own");
      } else if (text !== undefined) templates[file] = text;
    } else if (listed.get(name) && stock(file) === undefined) {
      const message = `it uses LAVA's template ${file}, and Pumice has none of that name: its devices need one, in device-types/${file}`;
      lava.warn(section, name, message);
    }
    return kept(lava, section, name, labDeviceTypeSchema, fields);
  });
  return { names, templates, device_types: Object.fromEntries(read.flat()) };
}

/** The own templates and those that dictionaries and own templates reach for and Pumice does not bring. */
export async function withTemplatesInUse(
  lava: Asking,
  own: LabSectionOf<"templates">,
  devices: LabSectionOf<"devices">,
  stock: (name: string) => string | undefined,
): Promise<LabSectionOf<"templates">> {
  const templates = { ...own };
  const texts = [...Object.values(own), ...dictionariesOf(devices)];
  const asked = new Set<string>();
  for (let text = texts.pop(); text !== undefined; text = texts.pop()) {
    for (const file of templatesIn(text)) {
      if (asked.has(file) || Object.hasOwn(templates, file) || stock(file) !== undefined) continue;
      asked.add(file);
      const found = v.is(templateName, file)
        ? await lava.askFile(
            { section: "templates", name: file, what: "it" },
            "scheduler.device_types.get_template",
            file.replace(/\.jinja2$/, ""),
          )
        : undefined;
      const message =
        found === undefined
          ? "a template or dictionary uses it, and neither that LAVA nor Pumice has it"
          : "brought over as a template or dictionary uses it. That LAVA does not say whether it is its admin's; if it is LAVA's own, its licence is the AGPL";
      lava.warn("templates", file, message);
      if (found === undefined) continue;
      templates[file] = found;
      texts.push(found);
    }
  }
  return templates;
}

const dictionariesOf = (devices: LabSectionOf<"devices">): string[] =>
  Object.values(devices).flatMap(({ dictionary }) =>
    dictionary === undefined ? [] : [dictionary],
  );

const templatesIn = (text: string): string[] =>
  [...text.matchAll(/\{%[-+]?\s*(?:extends|include|import|from)\s+(["'])(.+?)\1/g)].map(
    ([, , file = ""]) => file,
  );

/** By name of template: a dictionary's health check is that of the template it extends, which need not have its type's name. */
export async function readHealthChecks(
  lava: Asking,
  types: readonly string[],
  devices: LabSectionOf<"devices">,
): Promise<LabSectionOf<"health_checks">> {
  const section = "health_checks";
  const extended = dictionariesOf(devices)
    .flatMap(templatesIn)
    .map((file) => file.replace(/\.jinja2$/, ""));
  const names = [...new Set([...types, ...extended])].filter((name) => v.is(labName, name));
  const read = await lava.each("health checks", names, async (name) => {
    const about = { section, name, what: "it" } as const;
    const text = await lava.askFile(about, "scheduler.device_types.get_health_check", name);
    return text === undefined ? [] : [[name, text] as const];
  });
  return Object.fromEntries(read.flat());
}
