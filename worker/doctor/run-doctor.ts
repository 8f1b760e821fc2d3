import { readFileSync } from "node:fs";
import { readYaml } from "#protocol/read-yaml.ts";
import type { WorkerDevices } from "#protocol/worker-devices.ts";
import type { WorkerSettings } from "../host/settings-file.ts";
import { lookAtControlPlane } from "./control-plane.ts";
import { deviceFindings } from "./devices.ts";
import { guestFindings } from "./guests.ts";
import { isBad, messageOf, note, wrong, type Finding } from "./finding.ts";
import { machineFindings } from "./machine.ts";
import { servicesFindings } from "./services.ts";
import { toolFindings } from "./tools.ts";

type Dispatcher = Readonly<Record<string, unknown>>;

export interface DoctorOptions {
  /** Where the control plane is, and this worker's token; exported to the environment already. */
  readonly settings: WorkerSettings;
  readonly workDir: string;
  /** The settings of the worker's jobs (`dispatcher_ip` ...) in YAML, instead of those that the control plane has. */
  readonly dispatcherFile?: string | undefined;
  /** One JSON document instead of lines. */
  readonly isJson?: boolean | undefined;
}

/**
 * Looks at everything that jobs need of this machine and prints a line each, in the order in which a person would look; 0
 * when all is well, 1 when something is missing or wrong, 2 when the settings can't be read.
 */
export async function runDoctor(
  { settings, workDir, dispatcherFile, isJson = false }: DoctorOptions,
  print: (line: string) => void,
): Promise<number> {
  let given: Dispatcher | undefined;
  try {
    given =
      dispatcherFile === undefined
        ? undefined
        : readDispatcher(readFileSync(dispatcherFile, "utf8"));
  } catch (error) {
    print(`${dispatcherFile}: ${messageOf(error)}`);
    return 2;
  }
  const { findings: central, told } = await controlPlaneFindings(settings);
  const findings = [
    ...central,
    ...machineFindings(workDir),
    ...toolFindings(told?.devices),
    ...(await deviceFindings(told?.devices ?? [])),
    ...(await localServices(given, told)),
  ];
  if (isJson) print(JSON.stringify({ ok: !findings.some(isBad), findings }, null, 2));
  else for (const finding of findings) print(lineOf(finding));
  return findings.some(isBad) ? 1 : 0;
}

/** What a server says of itself is told too, and steers no terminal. */
const lineOf = ({ state, what, text }: Finding): string =>
  `${state.padEnd(8)}${what.padEnd(24)} ${text}`.replace(CONTROLS, " ");

const CONTROLS = /[\u0000-\u001f\u007f-\u009f]+/g;

async function controlPlaneFindings({ values, file, unknown }: WorkerSettings) {
  const strange = unknown.map((text) => note("settings", `${text}: no such setting`));
  const url = values.PUMICE_URL?.value;
  if (url === undefined) {
    const text = `${file} names none: enrol this machine by "pumice-worker enrol URL CODE". Only this machine is looked at`;
    return { findings: [...strange, note("control plane", text)], told: undefined };
  }
  const { findings, told } = await lookAtControlPlane(url, values.PUMICE_TOKEN_FILE?.value);
  return { findings: [...strange, ...findings], told };
}

async function localServices(
  given: Dispatcher | undefined,
  told: WorkerDevices | undefined,
): Promise<Finding[]> {
  try {
    const dispatcher = given ?? readDispatcher(told?.dispatcher ?? "");
    return [
      ...(await servicesFindings(dispatcher, told?.devices)),
      ...(await guestFindings(told?.devices, dispatcher)),
    ];
  } catch (error) {
    return [wrong("dispatcher", `the worker's settings in the lab: ${messageOf(error)}`)];
  }
}

/** Throws for what isn't YAML. */
function readDispatcher(text: string): Dispatcher {
  const { value, problems } = readYaml(text);
  if (problems[0]) throw new Error(problems[0].message);
  return (value ?? {}) as Dispatcher;
}
