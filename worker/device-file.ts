import path from "node:path";
import type { SourceProblem } from "#protocol/api.ts";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import { renderDevice } from "#templates/render-device.ts";
import { readTemplate } from "./host/read-template.ts";
import { stockTemplate } from "./stock-template.ts";

export interface DeviceFile {
  /** The configuration as YAML; undefined when there are problems. */
  readonly text: string | undefined;
  readonly problems: readonly SourceProblem[];
}

/**
 * A device for a run without a control plane: a dictionary is rendered with the job's context, as the control plane
 * would, anything else is a rendered configuration. Device types come from `folders`, then from Pumice.
 */
export function readDeviceFile(
  file: string,
  source: string,
  folders: readonly string[],
  context: Readonly<Record<string, unknown>>,
): DeviceFile {
  const isDictionary = file.endsWith(".jinja2") || source.includes("{%");
  if (!isDictionary) return checked(source);
  const { text, problems } = renderDevice({
    name: path.basename(file),
    dictionary: source,
    loader: (name) => findTemplate(name, folders),
    context,
  });
  if (problems.length === 0) return checked(text);
  return {
    text: undefined,
    problems: problems.map(({ template, line, message }) => ({
      path: template === path.basename(file) ? "" : template,
      line,
      column: 1,
      message,
    })),
  };
}

function checked(text: string): DeviceFile {
  const { configuration, problems } = readDeviceConfiguration(text);
  return { text: configuration && text, problems };
}

/** Whoever renders has made sure that a template's name is no path. */
function findTemplate(name: string, folders: readonly string[]): string | undefined {
  for (const folder of folders) {
    const text = readTemplate(path.join(folder, name));
    if (text !== undefined) return text;
  }
  return stockTemplate(name);
}
