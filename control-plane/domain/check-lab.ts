import { BUILT_IN_GROUPS } from "#protocol/people.ts";
import { checkJob } from "#protocol/check-job.ts";
import type { LabChange, LabDevice, LabRemark } from "#protocol/lab.ts";
import type { Loader } from "../templates/frame.ts";
import { whyBroken } from "./broken-devices.ts";
import { templateProblem } from "./own-templates.ts";
import { pause } from "./pause.ts";
import { ownValue } from "./plan-lab.ts";
import { queryProblem } from "./queries/query-in-lab.ts";
import type { ReadLab, WholeLab } from "./read-lab.ts";
import {
  dictionaryName,
  faultText,
  renderedDevice,
  type DeviceSource,
  type RenderedDevice,
} from "./rendered-device.ts";
import { textProblem } from "./texts.ts";
import { workerTextProblems } from "./worker-texts.ts";

/** A lab and what it is to become. */
export interface LabStep {
  current: ReadLab;
  after: WholeLab;
  changes: readonly LabChange[];
  /** Pumice's own templates. */
  stock: Loader;
}

interface Remarks {
  errors: LabRemark[];
  warnings: LabRemark[];
}

/** More are of no help to anybody. */
const MAX_REMARKS = 200;

/** All that stands in the way of a plan: texts that are wrong, names of what will not be there, things in use. */
export async function checkLab(step: LabStep): Promise<Remarks> {
  const remarks: Remarks = { errors: [], warnings: [] };
  checkTexts(step, remarks);
  checkNames(step, remarks);
  checkWindows(step, remarks);
  checkGrantees(step, remarks);
  checkInUse(step, remarks);
  await checkDevices(step, remarks);
  return {
    errors: remarks.errors.slice(0, MAX_REMARKS),
    warnings: remarks.warnings.slice(0, MAX_REMARKS),
  };
}

function checkTexts({ after, changes }: LabStep, { errors, warnings }: Remarks): void {
  for (const { action, section, name } of changes) {
    if (action === "remove") continue;
    const where = { section, name, field: "" };
    if (section === "templates" || section === "health_checks") {
      const text = after[section][name] ?? "";
      const tooLong = textProblem(text);
      if (tooLong) errors.push({ ...where, message: tooLong });
      if (section === "templates") {
        const problem = templateProblem(name, text);
        if (problem) errors.push({ ...where, line: problem.line, message: problem.message });
        continue;
      }
      const read = checkJob(text);
      const remark = ({ path, line, message }: (typeof read.problems)[number]) => ({
        ...where,
        line,
        message: path === "" ? message : `${path}: ${message}`,
      });
      errors.push(...read.problems.map(remark));
      warnings.push(...read.warnings.map(remark));
    } else if (section === "workers") {
      const worker = after.workers[name];
      if (worker) errors.push(...workerTextProblems(worker).map((one) => ({ ...where, ...one })));
    } else if (section === "queries") {
      const query = after.queries[name];
      const message = query && queryProblem(query);
      if (message !== undefined) errors.push({ ...where, field: "conditions", message });
      const group = query?.group;
      if (group === undefined || Object.hasOwn(after.groups, group)) continue;
      warnings.push({ ...where, field: "group", message: `there is no group ${group}` });
    }
  }
}

function checkNames({ current, after }: LabStep, { errors }: Remarks): void {
  const { aliases, device_types: types, workers } = after;
  for (const [name, type] of Object.entries(aliases)) {
    const where = { section: "aliases", name, field: "" } as const;
    if (Object.hasOwn(types, name)) {
      errors.push({
        ...where,
        message: "a device type has this name: an alias needs one of its own",
      });
    }
    if (!Object.hasOwn(types, type)) {
      const message = `${missing(current.lab.device_types, type)} device type ${type}`;
      errors.push({ ...where, message });
    }
  }
  for (const [name, { device_type: type, worker }] of Object.entries(after.devices)) {
    const where = { section: "devices", name } as const;
    if (!Object.hasOwn(types, type)) {
      const alias = ownValue(aliases, type);
      const message = alias
        ? `${type} is an alias: name the device type, ${alias}`
        : `${missing(current.lab.device_types, type)} device type ${type}: name it in device_types`;
      errors.push({ ...where, field: "device_type", message });
    }
    if (!Object.hasOwn(workers, worker)) {
      const message = `${missing(current.lab.workers, worker)} worker ${worker}`;
      errors.push({ ...where, field: "worker", message });
    }
  }
}

function checkWindows({ current, after }: LabStep, { errors }: Remarks): void {
  const places = [
    ["device_type", "device_types", "device type"],
    ["worker", "workers", "worker"],
    ["device", "devices", "device"],
  ] as const;
  for (const [name, window] of Object.entries(after.windows)) {
    for (const [field, section, what] of places) {
      const place = window[field];
      if (place === undefined || Object.hasOwn(after[section], place)) continue;
      const message = `${missing(current.lab[section], place)} ${what} ${place}`;
      errors.push({ section: "windows", name, field, message });
    }
  }
}

/** What is missing is either removed by this plan or was never there. */
const missing = (current: Readonly<Record<string, unknown>>, name: string): string =>
  Object.hasOwn(current, name) ? "the plan removes" : "there is no";

/** A group that is granted something and isn't there is most often a slip of the pen. */
function checkGrantees({ after }: LabStep, { warnings }: Remarks): void {
  for (const section of ["device_types", "workers", "devices"] as const) {
    for (const [name, { permissions = {} }] of Object.entries(after[section])) {
      for (const to of new Set(Object.values(permissions as Record<string, string[]>).flat())) {
        const isKnown = BUILT_IN_GROUPS.some((one) => one === to) || to.startsWith("user:");
        if (isKnown || Object.hasOwn(after.groups, to)) continue;
        const message = `there is no group ${to}; a user is named as user:${to}`;
        warnings.push({ section, name, field: "permissions", message });
      }
    }
  }
}

function checkInUse({ current, changes }: LabStep, { errors }: Remarks): void {
  for (const { action, section, name, fields } of changes) {
    const job = section === "devices" ? current.busy.get(name) : undefined;
    if (job === undefined || action === "create") continue;
    const field = ["device_type", "worker"].find((moved) => fields?.[moved]);
    if (action === "change" && field === undefined) continue;
    const what =
      action === "remove" ? "the device can be removed" : "its worker and type can change";
    const message = `job ${job} has it: ${what} when the job has ended`;
    errors.push({ section: "devices", name, field: field ?? "", message });
  }
}

/** Devices that are new or differ must be valid; those that stay must render if they did. */
async function checkDevices(step: LabStep, { errors, warnings }: Remarks): Promise<void> {
  const { current, after, changes, stock } = step;
  const loaderOf = (own: WholeLab["templates"]): Loader => {
    return (name) => ownValue(own, name) ?? stock(name);
  };
  const [before, then] = [loaderOf(current.lab.templates), loaderOf(after.templates)];
  const changed = new Set(
    changes.flatMap(({ section, name }) => (section === "devices" ? [name] : [])),
  );
  const otherTemplates = changes.some(({ section }) => section === "templates");
  let rendered = 0;
  for (const [name, device] of Object.entries(after.devices)) {
    if (errors.length >= MAX_REMARKS) return;
    const source = sourceOf(name, device);
    const where = { section: "devices", name, field: source.format } as const;
    const isChanged = changed.has(name);
    if (!isChanged && !(otherTemplates && source.format === "dictionary")) continue;
    if (++rendered % 10 === 0) await pause();
    if (isChanged) {
      const tooLong = textProblem(source.text);
      if (tooLong) errors.push({ ...where, message: tooLong });
      const result = renderedDevice(source, then);
      errors.push(...[...result.faults, ...result.refusals].map(remarkOf(source)));
      warnings.push(...result.warnings.map((one) => warningOf(source, one)));
    } else {
      const reason = whyBroken(source, before, then);
      if (reason === undefined) continue;
      errors.push({ ...where, message: `it would no longer render: ${reason}` });
    }
  }
}

function sourceOf(hostname: string, device: LabDevice): DeviceSource {
  const { device_type, dictionary, configuration = "" } = device;
  return dictionary === undefined
    ? { hostname, device_type, text: configuration, format: "configuration" }
    : { hostname, device_type, text: dictionary, format: "dictionary" };
}

/** With the line when it is one of the text that stands in the lab. */
const remarkOf =
  ({ hostname, format }: DeviceSource) =>
  (fault: RenderedDevice["faults"][number]): LabRemark => {
    const where = { section: "devices", name: hostname, field: format } as const;
    const { source, problem } = fault;
    if (source !== "" && source !== dictionaryName(hostname)) {
      return { ...where, message: faultText(fault) };
    }
    const message = problem.path === "" ? problem.message : `${problem.path}: ${problem.message}`;
    return { ...where, line: problem.line, message };
  };

function warningOf(
  { hostname, format }: DeviceSource,
  { template, line, message }: RenderedDevice["warnings"][number],
): LabRemark {
  const where = { section: "devices", name: hostname, field: format } as const;
  if (template === dictionaryName(hostname)) return { ...where, line, message };
  return { ...where, message: `${template} line ${line}: ${message}` };
}
