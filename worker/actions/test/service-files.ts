import { lstat, readFile, realpath } from "node:fs/promises";
import path from "node:path";
import { dispatcherIp } from "../../host/dispatcher-ip.ts";
import { isVariableName } from "../../overlay/environment.ts";
import { writeAnew } from "../../overlay/overlay-folder.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/**
 * The compose file of a fetched service.
 *
 * @throws JobFailure Job when it isn't there, or is a link to somewhere else.
 */
export async function composeFile(folder: string, relative: string): Promise<string> {
  const found = await realpath(path.join(folder, relative)).catch(() => undefined);
  if (found?.startsWith(`${await realpath(folder)}/`)) return found;
  const message = `service: path '${relative}': expected a compose file inside of the repository`;
  throw new JobFailure("Job", message);
}

/** Adds what the job knows to the `.env` that compose reads beside the compose file (TEST-SHELL.md 12). */
export async function appendEnvironment(folder: string, job: JobContext): Promise<void> {
  const file = path.join(folder, ".env");
  // A link would be read from anywhere on the worker.
  const isFile = await lstat(file).then(
    (found) => found.isFile(),
    () => false,
  );
  const before = isFile ? await readFile(file, "utf8") : "";
  const lines = [...variables(job)]
    .filter(([name]) => isVariableName(name))
    .map(([name, value]) => `${name}=${quoted(String(value))}`);
  const start = before === "" || before.endsWith("\n") ? before : `${before}\n`;
  writeAnew(folder, ".env", `${start}# Added by LAVA.\n${lines.join("\n")}\n`, 0o600);
}

function* variables({
  jobId,
  definition,
  device,
  deviceHostname,
  deviceType,
  dispatcher,
}: JobContext): Generator<readonly [string, unknown]> {
  yield* Object.entries(device.environment ?? {});
  yield* Object.entries(definition.environment ?? {});
  yield ["LAVA_JOB_ID", jobId];
  yield ["LAVA_DISPATCHER_IP", dispatcherIp(dispatcher)];
  if (dispatcher["prefix"]) yield ["LAVA_DISPATCHER_PREFIX", dispatcher["prefix"]];
  if (deviceHostname) yield ["LAVA_DEVICE_HOSTNAME", deviceHostname];
  if (deviceType) yield ["LAVA_DEVICE_TYPE", deviceType];
  const cache = dispatcher["http_url_format_string"];
  if (cache) yield ["HTTP_CACHE", cache];
}

/** Within double quotes compose takes backslashes and dollars for more than they are. */
function quoted(value: string): string {
  if (/^[\w./:@%+,-]*$/.test(value)) return value;
  if (!/['\n]/.test(value)) return `'${value}'`;
  const escaped = value.replace(/[\\"$]/g, (character) => `\\${character}`);
  return `"${escaped.replaceAll("\n", "\\n")}"`;
}
