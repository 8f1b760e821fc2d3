import path from "node:path";
import { readYaml } from "#protocol/read-yaml.ts";
import { renderDevice, type TemplateRemark } from "../templates/render-device.ts";
import {
  argumentsOf,
  readNamedFile,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { originLines } from "./origin-lines.ts";
import { printable } from "./printable.ts";
import { templateFolders } from "./template-folders.ts";

export const renderCommand: Command = {
  usage: "render DICTIONARY.jinja2",
  about: "print the configuration that a device dictionary renders to",
  isLocal: true,
  options: {
    templates: { type: "string", multiple: true },
    context: { type: "string" },
    origins: { type: "boolean" },
    json: { type: "boolean" },
  },
  help: [
    "--templates DIR     own device types, before Pumice's; may be given again, the first that has one wins",
    "--context YAML      variables of a job's context, for example '{arch: arm64}'",
    "--origins           print a line for each value, and which template's line set it",
    "--json              print the configuration as JSON instead of the rendered text",
  ],
  run: renderDictionary,
};

async function renderDictionary(context: Context): Promise<number> {
  const { terminal, values } = context;
  const [file = ""] = argumentsOf(context, "DICTIONARY.jinja2");
  const name = path.basename(file);
  const { text, value, problems, warnings, origins } = renderDevice({
    name,
    dictionary: readNamedFile(file),
    loader: templateFolders([values["templates"] ?? []].flat().map(String)),
    context: contextOf(textOf(values, "context")),
    withOrigins: values["origins"] === true,
  });
  const tell = (level: string, { template, line, message }: TemplateRemark) =>
    terminal.say(printable(`${template === name ? file : template}:${line}: ${level}${message}`));
  for (const warning of warnings) tell("warning: ", warning);
  for (const problem of problems) tell("", problem);
  if (problems.length > 0) return 2;
  if (values["json"]) {
    const shown = values["origins"] ? { configuration: value, origins } : value;
    terminal.out(JSON.stringify(shown, undefined, 2));
  } else if (values["origins"]) {
    for (const line of originLines(value, origins)) terminal.out(printable(line));
  } else terminal.out(text);
  return 0;
}

function contextOf(text: string | undefined): Record<string, unknown> {
  if (text === undefined) return {};
  const { value, problems } = readYaml(text);
  const [problem] = problems;
  if (problem) throw new UsageError(`--context: ${problem.message}`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError("--context: expected a mapping such as {arch: arm64}");
  }
  return value as Record<string, unknown>;
}
