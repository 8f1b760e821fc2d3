import type { SourceProblem } from "#protocol/api.ts";
import {
  checkDeviceConfiguration,
  type DeviceConfiguration,
} from "#protocol/device-configuration.ts";
import type { DeviceConfig, Origin } from "#protocol/lab.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import type { Loader } from "../templates/frame.ts";
import { render } from "../templates/render.ts";
import { TemplateError } from "../templates/template-error.ts";

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
  /** All that took part, the dictionary first. */
  templates: readonly string[];
  /** Only when asked for. */
  origins: Record<string, Origin>;
}

/**
 * The configuration of a device for a job with this `context` (DEVICE.md 2); what is wrong with it is part of the
 * answer. A configuration that was given as YAML stays what it is.
 */
export function renderedDevice(
  device: DeviceSource,
  loader: Loader,
  { context = {} }: { context?: Readonly<Record<string, unknown>>; origins?: boolean } = {},
): RenderedDevice {
  if (device.format === "configuration") return readRendered(device.text, "", []);
  const name = dictionaryName(device.hostname);
  const own: Loader = (wanted) => (wanted === name ? device.text : loader(wanted));
  const scheduled = {
    scheduled_device_name: device.hostname,
    scheduled_device_type: device.device_type,
  };
  try {
    const { text, templates } = render(name, own, { ...context, ...scheduled });
    return readRendered(text, "the rendered configuration", templates);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const { template: source, line, message } = error;
    return {
      text: "",
      value: undefined,
      faults: [{ source, problem: { path: "", line, column: 1, message } }],
      refusals: [],
      warnings: [],
      templates: [],
      origins: {},
    };
  }
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

function readRendered(text: string, source: string, templates: readonly string[]): RenderedDevice {
  const { value, problems, locate } = readYaml(text);
  const checked =
    problems.length > 0 ? { problems, strict: [] } : checkDeviceConfiguration(value, locate);
  const { configuration, strict } = checked as ReturnType<typeof checkDeviceConfiguration>;
  const faults = (found: SourceProblem[]) => found.map((problem) => ({ source, problem }));
  return {
    text,
    value,
    ...(configuration ? { configuration } : {}),
    faults: faults(checked.problems),
    refusals: faults(strict),
    warnings: [],
    templates,
    origins: {},
  };
}
