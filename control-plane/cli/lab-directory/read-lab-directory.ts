import * as v from "valibot";
import type { SourceProblem } from "#protocol/api.ts";
import {
  labName,
  MAX_LAB_TEXT_CHARS,
  templateName,
  type Lab,
  type LabRemark,
} from "#protocol/lab.ts";
import { readYaml, type SourcePath, type SourcePosition } from "#protocol/read-yaml.ts";
import { sourceProblems } from "#protocol/source-problems.ts";
import { fileOf, SECTION_FILES, textAt, type FileSection, type LabText } from "./layout.ts";
import { listFiles } from "./list-files.ts";
import { readLabFile } from "./read-file.ts";
import { SECTION_SCHEMAS } from "./section-schemas.ts";

/** Something to say about a file of the directory. */
export interface FileRemark extends SourceProblem {
  file: string;
}

export interface ReadLabDirectory {
  /** Undefined when there are problems. */
  lab: Lab | undefined;
  problems: FileRemark[];
  /** Doubled keys. */
  warnings: FileRemark[];
  /** The file and line that a remark of the server is about. */
  placeOf: (remark: Omit<LabRemark, "message">) => SourcePosition & { file: string };
}

/** What a server takes at a time. */
const MAX_LAB_CHARS = 20 * 1024 * 1024;
const MAX_SECTION_BYTES = 1024 * 1024;
const START: SourcePosition = { line: 1, column: 1 };

/**
 * Reads a lab from files (docs/lab-as-code.md), and says everything that is wrong with them at once. A section
 * without a file or folder is absent. Throws when the directory can't be read, or is far too large.
 */
export function readLabDirectory(dir: string): ReadLabDirectory {
  const reading: Reading = {
    dir,
    lab: {},
    problems: [],
    warnings: [],
    locators: {},
    broken: new Set(),
    chars: 0,
  };
  const { files, folders, problems: odd } = listFiles(dir);
  const { lab, problems, warnings, locators } = reading;
  for (const { file, message } of odd) tell(reading, file, message);
  if (files.length + folders.length === 0) {
    tell(reading, ".", `there is no lab here: expected ${Object.values(SECTION_FILES).join(", ")}`);
  }
  if (folders.includes("device-types")) lab["templates"] = {};
  if (folders.includes("health-checks")) lab["health_checks"] = {};
  for (const section of Object.keys(SECTION_FILES) as FileSection[]) {
    if (files.includes(SECTION_FILES[section])) readSection(reading, section);
  }
  for (const file of files) {
    const place = textAt(file);
    if (place) readLabText(reading, file, place);
  }
  checkDeviceTexts(reading);
  return {
    lab: problems.length > 0 ? undefined : (lab as Lab),
    problems,
    warnings,
    placeOf: ({ section, name, field, line }) => {
      const file = fileOf(section, name, field);
      if (textAt(file)) return { ...START, file, ...(line === undefined ? {} : { line }) };
      return { file, ...(locators[section]?.([name, ...pathIn(field)]) ?? START) };
    },
  };
}

interface Reading {
  readonly dir: string;
  readonly lab: Record<string, Record<string, unknown>>;
  readonly problems: FileRemark[];
  readonly warnings: FileRemark[];
  readonly locators: Record<string, (path: SourcePath) => SourcePosition>;
  /** Sections whose file has mistakes: what belongs to nobody in them is told when those are gone. */
  readonly broken: Set<string>;
  /** Characters read so far. */
  chars: number;
}

function tell({ problems }: Reading, file: string, message: string): void {
  problems.push({ file, path: "", ...START, message });
}

function readSection(reading: Reading, section: FileSection): void {
  const file = SECTION_FILES[section];
  const { value, problems, warnings, locate } = readYaml(
    readText(reading, file, MAX_SECTION_BYTES) ?? "",
  );
  const schema: v.GenericSchema = SECTION_SCHEMAS[section];
  const { issues = [], output } = v.safeParse(v.nullish(schema, {}), value);
  const here = (found: readonly SourceProblem[]) => found.map((one) => ({ ...one, file }));
  const before = reading.problems.length;
  reading.problems.push(...here([...problems, ...sourceProblems(issues, locate)]));
  reading.warnings.push(...here(warnings));
  reading.locators[section] = locate;
  if (reading.problems.length > before) reading.broken.add(section);
  reading.lab[section] = isMapping(output) ? output : {};
}

function readLabText(reading: Reading, file: string, { section, name, field }: LabText): void {
  const { issues } = v.safeParse(section === "templates" ? templateName : labName, name);
  if (issues) return tell(reading, file, `${issues[0].message}, found ${JSON.stringify(name)}`);
  const text = readText(reading, file, 4 * MAX_LAB_TEXT_CHARS);
  if (text === undefined) return;
  if (text.length > MAX_LAB_TEXT_CHARS) {
    return tell(reading, file, `expected at most ${MAX_LAB_TEXT_CHARS} characters`);
  }
  if (section === "templates" || section === "health_checks") {
    Object.assign(reading.lab[section] ?? {}, { [name]: text });
    return;
  }
  const owner = reading.lab[section]?.[name];
  if (isMapping(owner)) owner[field] = text;
  else if (!reading.broken.has(section)) {
    const fields = section === "devices" ? "{device_type: TYPE, worker: WORKER}" : "{}";
    const message = `${SECTION_FILES[section]} has no ${name}: write \`${name}: ${fields}\` into it, or remove this file`;
    tell(reading, file, message);
  }
}

function checkDeviceTexts({ lab, locators, problems }: Reading): void {
  for (const [name, device] of Object.entries(lab["devices"] ?? {})) {
    if (!isMapping(device)) continue;
    const { dictionary, configuration } = device;
    if ((dictionary === undefined) !== (configuration === undefined)) continue;
    const [jinja, yaml] = (["dictionary", "configuration"] as const).map((field) =>
      fileOf("devices", name, field),
    );
    const message =
      dictionary === undefined
        ? `expected its dictionary in ${jinja}, or its configuration in ${yaml}`
        : `it has a dictionary and a configuration: remove ${jinja} or ${yaml}`;
    const at = locators["devices"]?.([name]) ?? START;
    problems.push({ file: SECTION_FILES.devices, path: name, ...at, message });
  }
}

function readText(reading: Reading, file: string, maxBytes: number): string | undefined {
  if (reading.chars > MAX_LAB_CHARS) return undefined;
  try {
    const text = readLabFile(reading.dir, file, maxBytes);
    reading.chars += text.length;
    if (reading.chars <= MAX_LAB_CHARS) return text;
    tell(reading, file, `with this file the lab has more than ${MAX_LAB_CHARS} characters`);
  } catch (error) {
    tell(reading, file, (error as Error).message);
  }
  return undefined;
}

/** `tags[0]` as a path. */
const pathIn = (field: string): (string | number)[] =>
  field
    .split(/[.[\]]/)
    .filter(Boolean)
    .map((key) => (/^\d+$/.test(key) ? Number(key) : key));

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
