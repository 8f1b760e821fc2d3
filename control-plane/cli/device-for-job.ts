import path from "node:path";
import {
  readDeviceConfiguration,
  type DeviceConfiguration,
} from "#protocol/device-configuration.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import type { Loader } from "../templates/frame.ts";
import { render } from "../templates/render.ts";
import { TemplateError } from "../templates/template-error.ts";
import { readNamedFile, UsageError } from "./command.ts";

/**
 * What a device is for a job: a dictionary rendered with the job's context, or a configuration as it is. Throws a
 * UsageError with the place when it is no device.
 */
export function deviceForJob(
  file: string,
  { context = {} }: JobDefinition,
  load: Loader,
): DeviceConfiguration {
  const text = file.endsWith(".jinja2") ? rendered(file, context, load) : readNamedFile(file);
  const { configuration, problems } = readDeviceConfiguration(text);
  if (configuration) return configuration;
  const [problem] = problems;
  throw new UsageError(
    `--device ${file}: line ${problem?.line}: ${problem?.path} ${problem?.message}; pumice check ${file} says more`,
  );
}

function rendered(file: string, context: Readonly<Record<string, unknown>>, load: Loader): string {
  const text = readNamedFile(file);
  const name = path.basename(file);
  try {
    return render(name, (wanted) => (wanted === name ? text : load(wanted)), context).text;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    throw new UsageError(`--device ${error.template}:${error.line}: ${error.message}`);
  }
}
