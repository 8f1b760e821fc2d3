import type { SourceProblem } from "#protocol/api.ts";
import {
  checkDeviceConfiguration,
  readDeviceConfiguration,
  type DeviceConfiguration,
} from "#protocol/device-configuration.ts";
import type { DeviceConfig } from "#protocol/lab.ts";
import type { Loader } from "../templates/frame.ts";
import { renderDevice } from "../templates/render-device.ts";

/** What a device's configuration is made of. */
export interface DeviceSource {
  hostname: string;
  device_type: string;
  /** Jinja2 for `dictionary`, YAML for `configuration`. */
  text: string;
  format: "dictionary" | "configuration";
}

/** Something that is wrong, and in which text: a template, the dictionary, what they rendered to; empty for a configuration. */
interface Fault {
  source: string;
  problem: SourceProblem;
}

export interface RenderedDevice {
  /** The configuration as YAML. */
  text: string;
  /** The same as data. */
  value: unknown;
  /** Undefined when there are faults. */
  configuration?: DeviceConfiguration;
  /** No worker could use it. */
  faults: Fault[];
  /** A worker could, but a server takes no device like that (DEVICE.md 1.1). */
  refusals: Fault[];
  warnings: DeviceConfig["warnings"];
  /** Only when asked for. */
  origins: DeviceConfig["origins"];
}

/**
 * The configuration of a device for a job with this `context` (DEVICE.md 2); what is wrong with it is part of the
 * answer. A configuration that was given as YAML stays what it is.
 */
export function renderedDevice(
  device: DeviceSource,
  loader: Loader,
  how: { context?: Readonly<Record<string, unknown>>; withOrigins?: boolean } = {},
): RenderedDevice {
  return device.format === "configuration"
    ? asGiven(device.text)
    : fromDictionary(device, loader, how);
}

function fromDictionary(
  device: DeviceSource,
  loader: Loader,
  { context = {}, withOrigins = false }: { context?: object; withOrigins?: boolean },
): RenderedDevice {
  const { hostname, device_type, text: dictionary } = device;
  const scheduled = { scheduled_device_name: hostname, scheduled_device_type: device_type };
  const name = dictionaryName(hostname);
  const rendered = renderDevice({
    name,
    dictionary,
    loader,
    context: { ...context, ...scheduled },
    withOrigins,
  });
  const { text, value, problems, read, warnings, origins } = rendered;
  const base = { text, value, warnings, origins };
  if (!read || problems.length > 0) {
    const faults = problems.map(({ template: source, line, message }) => ({
      source,
      problem: { path: "", line, column: 1, message },
    }));
    return { ...base, faults, refusals: [] };
  }
  const checked = checkDeviceConfiguration(value, read.locate);
  const found = checked.problems.length + checked.strict.length;
  // To say which template made what is wrong is worth a second rendering.
  if (found > 0 && !withOrigins)
    return fromDictionary(device, loader, { context, withOrigins: true });
  const blame = (one: SourceProblem) => blamed(one, origins);
  const { configuration } = checked;
  return {
    ...base,
    ...(configuration ? { configuration } : {}),
    faults: checked.problems.map(blame),
    refusals: checked.strict.map(blame),
  };
}

function asGiven(text: string): RenderedDevice {
  const { configuration, problems, strict } = readDeviceConfiguration(text);
  const faults = (found: SourceProblem[]) => found.map((problem) => ({ source: "", problem }));
  return {
    text,
    value: configuration,
    ...(configuration ? { configuration } : {}),
    faults: faults(problems),
    refusals: faults(strict),
    warnings: [],
    origins: {},
  };
}

/** The template that made the value that is wrong, or the first one inside of it; else the place in the result. */
function blamed(problem: SourceProblem, origins: RenderedDevice["origins"]): Fault {
  const { path } = problem;
  const inside = (name: string) => name.startsWith(`${path}.`) || name.startsWith(`${path}[`);
  const key = Object.hasOwn(origins, path) ? path : Object.keys(origins).find(inside);
  const origin = path === "" || key === undefined ? undefined : origins[key];
  if (!origin) return { source: "the rendered configuration", problem };
  return { source: origin.template, problem: { ...problem, line: origin.line, column: 1 } };
}

/** A device's dictionary among the templates; a device may have the name of the type that it extends. */
export const dictionaryName = (hostname: string): string => `devices/${hostname}.jinja2`;

/** `base.jinja2 line 12: ...` */
export function faultText({ source, problem: { path, line, message } }: Fault): string {
  const where = source === "" ? `line ${line}` : `${source} line ${line}`;
  return path === "" ? `${where}: ${message}` : `${where}: ${path} ${message}`;
}

/** Faults as problems of the text that somebody sent for this device. */
export function asProblems(device: DeviceSource, faults: readonly Fault[]): SourceProblem[] {
  const isOwn = ({ source }: Fault) =>
    device.format === "configuration" || source === dictionaryName(device.hostname);
  return faults.map((fault) =>
    isOwn(fault) ? fault.problem : { path: "", line: 1, column: 1, message: faultText(fault) },
  );
}
