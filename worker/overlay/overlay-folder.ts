import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { JobContext } from "../pipeline/action.ts";
import { multinodeSettings } from "../pipeline/group.ts";
import { dispatcherIp } from "../host/dispatcher-ip.ts";
import { environmentFile } from "./environment.ts";
import { helperScripts } from "./helper-scripts.ts";
import type { GroupFacts } from "./scripts/multinode.ts";
import type { DeviceFacts } from "./scripts/system.ts";
import { shellQuote } from "./shell-quote.ts";
import type { TestShell } from "./test-shell.ts";

/**
 * Makes the parts of an overlay that don't depend on its test definitions (TEST-SHELL.md 1): helpers,
 * environment, secrets, empty folders. Returns the variables whose names no shell takes: left out.
 */
export async function writeOverlayFolder(
  folder: string,
  job: JobContext,
  shell: TestShell,
  os: string | undefined,
): Promise<string[]> {
  for (const name of ["bin", "tests", "results"]) {
    await mkdir(path.join(folder, name), { recursive: true });
  }
  const scripts = helperScripts(shell.shell, os, deviceFacts(job), groupFacts(job));
  for (const [name, script] of scripts) {
    writeAnew(folder, `bin/${name}`, script, 0o755);
  }
  const environment = environmentFile(environmentValues(job));
  writeAnew(folder, "environment", environment.text, 0o644);
  const secrets = [...Object.entries(job.definition.secrets ?? {}), ...Object.entries(job.envDut)];
  if (secrets.length > 0) {
    const lines = secrets.map(([name, value]) => `${name}=${shellQuote(String(value))}\n`);
    writeAnew(folder, "secrets", lines.join(""), 0o600);
  }
  return environment.refused;
}

/**
 * Writes a file of ours into a folder whose content is somebody else's: what stood at that name, a
 * symbolic link to elsewhere perhaps, is removed, never written through.
 */
export function writeAnew(folder: string, name: string, content: string, mode = 0o644): void {
  const file = path.join(folder, name);
  // An overlay has many small files, and waiting for each takes longer than writing it.
  rmSync(file, { recursive: true, force: true });
  writeFileSync(file, content, { flag: "wx", mode });
  chmodSync(file, mode);
}

/** In the order of TEST-SHELL.md 2: what comes later wins. */
function* environmentValues(job: JobContext): Generator<readonly [string, unknown]> {
  const { device, definition, dispatcher } = job;
  yield* Object.entries(device.environment ?? {});
  yield ["LAVA_DEVICE_INFO", device.device_info ?? []];
  yield ["LAVA_STATIC_INFO", device.static_info ?? []];
  yield ["LAVA_STORAGE_INFO", device.storage_info ?? []];
  yield* Object.entries(multinodeSettings(definition)?.environment ?? definition.environment ?? {});
  yield ["LAVA_JOB_ID", String(job.jobId)];
  yield ["LAVA_DISPATCHER_IP", dispatcherIp(dispatcher)];
  if (definition.tags?.length) yield ["LAVA_JOB_TAGS", definition.tags.join(",")];
  if (dispatcher["prefix"]) yield ["LAVA_DISPATCHER_PREFIX", dispatcher["prefix"]];
  if (job.deviceHostname) yield ["LAVA_DEVICE_HOSTNAME", job.deviceHostname];
  if (job.deviceType) yield ["LAVA_DEVICE_TYPE", job.deviceType];
  const cache = dispatcher["http_url_format_string"];
  if (cache) yield ["HTTP_CACHE", cache];
}

function groupFacts({ definition, group }: JobContext): GroupFacts | undefined {
  const settings = multinodeSettings(definition);
  return settings && { role: settings.role, roles: group?.roles ?? new Map() };
}

function deviceFacts({ jobId, device }: JobContext): DeviceFacts {
  const interfaces = ((device.parameters ?? {}) as Record<string, unknown>)["interfaces"] as
    | { target?: { ip?: unknown; mac?: unknown } }
    | undefined;
  const known = (value: unknown): string | undefined =>
    value === undefined || value === null ? undefined : String(value);
  const ofStaticInfo = (name: string): string[] =>
    (device.static_info ?? []).flatMap((info) => known(info[name]) ?? []);
  return {
    jobId,
    targetIp: known(interfaces?.target?.ip),
    targetMac: known(interfaces?.target?.mac),
    storage: (device.storage_info ?? []).flatMap((info) =>
      Object.entries(info).map(([method, id]) => [method, String(id)] as const),
    ),
    probeIps: ofStaticInfo("probe_ip"),
    probeChannels: ofStaticInfo("probe_channel"),
  };
}
