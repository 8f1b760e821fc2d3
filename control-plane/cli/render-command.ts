import path from "node:path";
import { renderDevice, type TemplateRemark } from "../templates/render-device.ts";
import { argumentsOf, readNamedFile, textOf, type Command, type Context } from "./command.ts";
import { contextOf } from "./job-context-option.ts";
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
