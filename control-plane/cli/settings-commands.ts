import { isSettingsSection, SETTINGS_NAMES, type SettingsView } from "#protocol/lab-settings.ts";
import { nearestWord } from "#protocol/nearest-word.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { argumentsOf, JSON_HELP, JSON_OPTION, UsageError, type Command } from "./command.ts";
import { printable } from "./printable.ts";

type Fields = Record<string, unknown>;

export const settingsCommands: readonly Command[] = [
  {
    usage: "settings",
    about: "show what is set for the lab as a whole (docs/settings.md)",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: async (context) => {
      argumentsOf(context);
      const view = await context.client().json<SettingsView>("GET", "/settings");
      const { terminal, values } = context;
      if (values["json"]) terminal.out(JSON.stringify(view, undefined, 2));
      else for (const line of flatLines("", view.settings)) terminal.out(printable(line));
      return 0;
    },
  },
  {
    usage: "settings set NAME VALUE",
    about: "set one: pumice settings set scheduling.fair_share user",
    help: [
      "NAME                SECTION.FIELD, and further names for what is within: quotas.users.alice.running;",
      '                    a name with a dot in quotes: quotas.users."alice@example.org".running',
      "VALUE               as YAML; null sets the default again",
    ],
    run: async (context) => {
      const [name = "", text = ""] = argumentsOf(context, "NAME", "VALUE");
      const { value, problems } = readYaml(text);
      if (problems[0]) throw new UsageError(`VALUE: ${problems[0].message}`);
      const [section = "", ...path] = namesIn(name);
      if (!isSettingsSection(section)) throw unknownSection(section);
      const client = context.client();
      const { settings, version } = await client.json<SettingsView>("GET", "/settings");
      const changed = path.length === 0 ? value : withValue(settings[section], path, value);
      await client.json("PUT", "/settings", { settings: { [section]: changed }, version });
      context.terminal.say(printable(`${name} is ${JSON.stringify(value)}`));
      return 0;
    },
  },
];

/** `a."b.c".d` is three names. */
const namesIn = (path: string): string[] =>
  [...path.matchAll(/"([^"]*)"|[^."]+/g)].map(([name, quoted]) => quoted ?? name);

/** A copy in which one field, however deep, has another value; null removes it, so that its default holds. */
function withValue(
  fields: Fields,
  [name = "", ...rest]: readonly string[],
  value: unknown,
): Fields {
  const others = Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name));
  if (rest.length === 0) return value === null ? others : { ...others, [name]: value };
  const inner = Object.hasOwn(fields, name) ? fields[name] : undefined;
  const deeper = typeof inner === "object" && inner !== null ? (inner as Fields) : {};
  return { ...others, [name]: withValue(deeper, rest, value) };
}

function* flatLines(prefix: string, fields: Fields): Generator<string> {
  for (const [name, value] of Object.entries(fields)) {
    const isMapping = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isMapping && Object.keys(value).length > 0) {
      yield* flatLines(`${prefix}${name}.`, value as Fields);
    } else yield `${prefix}${name}: ${JSON.stringify(value)}`;
  }
}

function unknownSection(name: string): UsageError {
  const near = nearestWord(name, SETTINGS_NAMES);
  const hint = near ? `did you mean ${near}?` : `expected one of ${SETTINGS_NAMES.join(", ")}`;
  return new UsageError(`there are no settings ${name}; ${hint}`);
}
