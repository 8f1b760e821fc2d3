import path from "node:path";
import { readYaml } from "#protocol/read-yaml.ts";
import type { Loader } from "../templates/frame.ts";
import { render } from "../templates/render.ts";
import { TemplateError } from "../templates/template-error.ts";
import {
  argumentsOf,
  readNamedFile,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { printable } from "./printable.ts";
import { templateFolders } from "./template-folders.ts";

export const renderCommand: Command = {
  usage: "render DICTIONARY.jinja2",
  about: "print the configuration that a device dictionary renders to",
  isLocal: true,
  options: {
    templates: { type: "string", multiple: true },
    context: { type: "string" },
    json: { type: "boolean" },
  },
  help: [
    "--templates DIR     own device types, before Pumice's; may be given again, the first that has one wins",
    "--context YAML      variables of a job's context, for example '{arch: arm64}'",
    "--json              print the configuration as JSON instead of the rendered text",
  ],
  run: renderDictionary,
};

async function renderDictionary(context: Context): Promise<number> {
  const { terminal, values } = context;
  const [file = ""] = argumentsOf(context, "DICTIONARY.jinja2");
  const name = path.basename(file);
  const folders = [values["templates"] ?? []].flat().map(String);
  const dictionary = readNamedFile(file);
  const load = templateFolders(folders);
  const loader: Loader = (wanted) => (wanted === name ? dictionary : load(wanted));
  try {
    const { text } = render(name, loader, contextOf(textOf(values, "context")));
    if (!values["json"]) {
      terminal.out(text);
      return 0;
    }
    const { value, problems } = readYaml(text);
    for (const { line, column, message } of problems) {
      terminal.say(printable(`${file}: rendered line ${line}:${column}: ${message}`));
    }
    if (problems.length > 0) return 2;
    terminal.out(JSON.stringify(value, undefined, 2));
    return 0;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const where = error.template === name ? file : error.template;
    terminal.say(printable(`${where}:${error.line}: ${error.message}`));
    return 2;
  }
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
