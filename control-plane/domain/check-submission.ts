import type { SourceProblem } from "#protocol/api.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { checkJobFits } from "./check-job-fits.ts";
import { maySeeWorker, maySubmitTo } from "./access.ts";
import { unknownGroups } from "./job-visibility.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { pause } from "./pause.ts";
import { renderStored } from "./device-texts.ts";
import { faultText, type RenderedDevice } from "./rendered-device.ts";
import { deviceKey, deviceTypeKey, workerKey } from "./keys.ts";
import { queryAll, queryFirst } from "./query-all.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import type { Sight } from "./visible.ts";
import type { WorkerRecord } from "./worker-record.ts";

type Path = (string | number)[];
export interface Finding {
  path: Path;
  message: string;
}

/**
 * What only this lab can know about a definition (SCHEDULER.md 4): its device type, device, worker, tags and groups exist,
 * and at least one device could ever run it. Devices that are busy, Bad or offline count as able; those that the submitter may
 * not use do not, and what they may not see is not there for them.
 */
export async function checkSubmission(
  deps: Deps,
  sight: Sight,
  definition: JobDefinition,
  locate: (path: Path) => { line: number; column: number },
): Promise<SourceProblem[]> {
  const unknown = await unknownGroups(deps, definition);
  return asProblems([...unknown, ...(await findingsOf(deps, sight, definition))], locate);
}

/** Findings with their places in the text. */
export const asProblems = (
  findings: readonly Finding[],
  locate: (path: Path) => { line: number; column: number },
): SourceProblem[] =>
  findings.map(({ path, message }) => ({ path: pathText(path), ...locate(path), message }));

/** The same without their places; for a single job, or what a role of a multinode job would be as one. */
export async function findingsOf(
  deps: Deps,
  sight: Sight,
  definition: JobDefinition,
): Promise<Finding[]> {
  const { device_type: type, device, worker, tags = [] } = definition;
  if (type === undefined) return [{ path: ["device_type"], message: "a device type is needed" }];
  const there = await deps.table.get<DeviceTypeRecord>(deviceTypeKey(type));
  if (there && (await someDeviceFits(deps, sight, type, definition))) return [];
  // From here on it is about why.
  let candidates = there ? await usableDevices(deps, sight, type) : [];
  if (!there || (candidates.length === 0 && !sight.deviceType(there.data))) {
    const known = await names(deps, "device-types", "i1", (one: DeviceTypeRecord) =>
      sight.deviceType(one),
    );
    const hint =
      known === NONE
        ? `${NONE} that you may see: a first device brings its type (pumice devices add)`
        : known;
    return [{ path: ["device_type"], message: `unknown device type ${quoted(type)}; ${hint}` }];
  }
  if (candidates.length === 0) {
    const message = `no device of type ${type} can take jobs of yours: there is none that is not Retired and that you may submit to`;
    return [{ path: ["device_type"], message }];
  }

  const findings = [
    ...(device === undefined ? [] : await checkDevice(deps, sight, type, device)),
    ...(worker === undefined ? [] : await checkWorker(deps, sight, worker)),
    ...checkTags(type, tags, candidates),
  ];
  if (findings.length > 0) return findings;

  candidates = candidates.filter(
    (candidate) =>
      (device ?? candidate.hostname) === candidate.hostname &&
      (worker ?? candidate.worker) === candidate.worker,
  );
  if (candidates.length === 0) {
    const message =
      device === undefined
        ? `worker ${quoted(worker)} has no device of type ${type}`
        : `device ${quoted(device)} is not on worker ${quoted(worker)}`;
    return [{ path: ["worker"], message }];
  }
  candidates = candidates.filter((candidate) => tags.every((tag) => candidate.tags.includes(tag)));
  if (candidates.length === 0) {
    const message = `no device that the job may run on has all tags ${tags.map(quoted).join(", ")}`;
    return [{ path: ["tags"], message }];
  }
  return checkConfigurations(deps, definition, candidates);
}

async function checkDevice(
  deps: Deps,
  sight: Sight,
  type: string,
  hostname: string,
): Promise<Finding[]> {
  const path = ["device"];
  const found = (await deps.table.get<DeviceRecord>(deviceKey(hostname)))?.data;
  if (!found || !(await sight.device(found))) {
    const known = await names(deps, `type-devices#${type}`, "i2", sight.device);
    return [{ path, message: `unknown device ${quoted(hostname)}; ${known}` }];
  }
  if (found.device_type !== type) {
    const message = `device ${quoted(hostname)} is of type ${found.device_type}, not ${type}`;
    return [{ path, message }];
  }
  if (found.health === "Retired") {
    return [{ path, message: `device ${quoted(hostname)} is Retired` }];
  }
  if (maySubmitTo(sight.access, found, await sight.typeNamed(type))) return [];
  return [{ path, message: `you may not submit to device ${quoted(hostname)}` }];
}

async function checkWorker(deps: Deps, { access }: Sight, name: string): Promise<Finding[]> {
  const isVisible = (worker: WorkerRecord) => maySeeWorker(access, worker);
  const found = (await deps.table.get<WorkerRecord>(workerKey(name)))?.data;
  if (found && isVisible(found)) return [];
  const known = await names(deps, "workers", "i1", isVisible);
  return [{ path: ["worker"], message: `unknown worker ${quoted(name)}; ${known}` }];
}

function checkTags(type: string, tags: string[], devices: DeviceRecord[]): Finding[] {
  const known = [...new Set(devices.flatMap((device) => device.tags))].toSorted();
  const there = known.length > 0 ? `there are ${known.slice(0, 20).join(", ")}` : "they have none";
  return tags.flatMap((tag, index) =>
    known.includes(tag)
      ? []
      : [
          {
            path: ["tags", index],
            message: `no device of type ${type} has tag ${quoted(tag)}; ${there}`,
          },
        ],
  );
}

/**
 * Nothing when one device, rendered with the job's context, fits; else the problems of the device that has the
 * fewest, or why none renders with this context.
 */
async function checkConfigurations(
  deps: Deps,
  definition: JobDefinition,
  devices: DeviceRecord[],
): Promise<Finding[]> {
  const { context = {} } = definition;
  let best: { hostname: string; findings: Finding[] } | undefined;
  let unrendered: Finding | undefined;
  const seen = new Set<string>();
  for (const [index, device] of devices.entries()) {
    if (index % 10 === 9) await pause();
    const { hostname } = device;
    const rendered = await renderStored(deps, device, context);
    if (!rendered || seen.has(rendered.text)) continue;
    seen.add(rendered.text);
    const { configuration, faults } = rendered;
    if (!configuration) {
      unrendered ??= contextFinding(hostname, definition, faults[0]);
      continue;
    }
    const findings = checkJobFits(definition, configuration);
    if (findings.length === 0) return [];
    if (!best || findings.length < best.findings.length) best = { hostname, findings };
  }
  if (!best) {
    const message = "no device of this type has a valid configuration";
    return [unrendered ?? { path: ["device_type"], message }];
  }
  const { hostname, findings } = best;
  const where = devices.length === 1 ? `device ${hostname}` : `device ${hostname}, which fits best`;
  return findings.map(({ path, message }) => ({ path, message: `${message} (${where})` }));
}

function contextFinding(
  hostname: string,
  { context }: JobDefinition,
  fault: RenderedDevice["faults"][number] | undefined,
): Finding {
  const why = fault ? faultText(fault) : "it is empty";
  if (!context) {
    return { path: ["device_type"], message: `device ${hostname} does not render: ${why}` };
  }
  const message = `device ${hostname} does not render with this context: ${why}`;
  return { path: ["context"], message };
}

/** Most often the first device that is looked at: what a submission costs does not grow with the lab. */
async function someDeviceFits(
  deps: Deps,
  sight: Sight,
  type: string,
  definition: JobDefinition,
): Promise<boolean> {
  const { context = {} } = definition;
  const seen = new Set<string>();
  const grants = await sight.typeNamed(type);
  for await (const { data } of queryFirst<DeviceRecord>(deps, "i2", `type-devices#${type}`)) {
    if (!maySubmitTo(sight.access, data, grants) || !fitsPins(definition, data)) continue;
    const rendered = await renderStored(deps, data, context);
    if (!rendered?.configuration || seen.has(rendered.text)) continue;
    seen.add(rendered.text);
    if (checkJobFits(definition, rendered.configuration).length === 0) return true;
    await pause();
  }
  return false;
}

/** Whether a device is one that the job asks for, by its name, its worker and its tags. */
export const fitsPins = (
  { device, worker, tags = [] }: JobDefinition,
  candidate: DeviceRecord,
): boolean =>
  (device ?? candidate.hostname) === candidate.hostname &&
  (worker ?? candidate.worker) === candidate.worker &&
  tags.every((tag) => candidate.tags.includes(tag));

/** Devices of a type that are not Retired and that may be submitted to. */
export async function usableDevices(
  deps: Deps,
  sight: Sight,
  type: string,
): Promise<DeviceRecord[]> {
  const devices: DeviceRecord[] = [];
  const grants = await sight.typeNamed(type);
  for await (const { data } of queryAll<DeviceRecord>(deps, "i2", `type-devices#${type}`)) {
    if (maySubmitTo(sight.access, data, grants)) devices.push(data);
  }
  return devices;
}

/** The first twenty, of those that may be seen. */
async function names<T extends { name?: string; hostname?: string }>(
  deps: Deps,
  partition: string,
  index: "i1" | "i2",
  isVisible: (one: T) => boolean | Promise<boolean>,
): Promise<string> {
  const page = await deps.table.query<T>(index, partition, { limit: 20 });
  const known: string[] = [];
  for (const { data } of page.items) {
    if (await isVisible(data)) known.push(data.name ?? data.hostname ?? "");
  }
  return known.length > 0 ? `known are ${known.join(", ")}` : NONE;
}

const NONE = "there is none yet";

const quoted = (name: string | undefined): string => JSON.stringify(name);

/** `actions[0].deploy.to` */
const pathText = (path: Path): string =>
  path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
    .join("")
    .replace(/^\./, "");
