import path from "node:path";
import {
  readDeviceConfiguration,
  type DeviceConfiguration,
} from "#protocol/device-configuration.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import type { Loader } from "../templates/frame.ts";
import { renderDevice } from "../templates/render-device.ts";
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
  const dictionary = readNamedFile(file);
  const { text, problems } = renderDevice({
    name: path.basename(file),
    dictionary,
    loader: load,
    context,
  });
  const [problem] = problems;
  if (!problem) return text;
  throw new UsageError(`--device ${problem.template}:${problem.line}: ${problem.message}`);
}
