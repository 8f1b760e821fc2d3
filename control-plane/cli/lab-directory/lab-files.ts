import type { Lab, LabSection } from "#protocol/lab.ts";
import { LAB_SECTIONS } from "#protocol/lab.ts";
import { isSettingsSection, settingsDefaults } from "#protocol/lab-settings.ts";
import { fileOf, SECTION_FILES } from "./layout.ts";

type Fields = Readonly<Record<string, unknown>>;

/**
 * The files that a lab is, by path: the same lab gives the same bytes, so that git shows only what changed. Names are
 * sorted, and what has its default is left out.
 */
export function labFiles(lab: Lab): Map<string, string> {
  const files = new Map<string, string>();
  for (const section of LAB_SECTIONS) {
    const items = lab[section];
    if (items === undefined) continue;
    const named = Object.entries<string | Fields>(items).toSorted(([a], [b]) => compare(a, b));
    for (const [name, value] of named) {
      for (const [field, text] of textsOf(section, value)) {
        files.set(fileOf(section, name, field), text);
      }
    }
    if (section === "templates" || section === "health_checks") continue;
    const entries = named.map(([name, value]) =>
      section === "settings"
        ? settingsEntry(name, value)
        : section === "windows"
          ? unusual(name, value, { drain: true, reason: "" })
          : entry(name, value),
    );
    files.set(SECTION_FILES[section], entries.length === 0 ? "{}\n" : entries.join(""));
  }
  return files;
}

/** What has a file of its own. A worker's text that is empty is one that isn't there. */
function textsOf(section: LabSection, value: string | Fields): [field: string, text: string][] {
  if (typeof value === "string") return section === "aliases" ? [] : [["text", value]];
  const texts = Object.entries(value).filter(
    (one): one is [string, string] => TEXT_FIELDS.has(one[0]) && typeof one[1] === "string",
  );
  return section === "workers" ? texts.filter(([, text]) => text !== "") : texts;
}

const TEXT_FIELDS = new Set([
  ...["dictionary", "configuration", "notes"],
  ...["dispatcher", "env", "env_dut"],
]);

/** Fields in this order; a value that is the default is not written. */
const FIELDS: Readonly<Record<string, unknown>> = {
  device_type: undefined,
  worker: undefined,
  health: undefined,
  tags: [],
  members: [],
  job_limit: 0,
  display: true,
  health_frequency: 24,
  health_denominator: "hours",
  health_disabled: false,
  health_check: undefined,
  retry_on: undefined,
  admin: false,
  active: true,
  full_name: "",
  email: "",
  physical_owner: "",
  physical_group: "",
  entity: "testjob",
  conditions: "",
  limit: 200,
  published: false,
  group: undefined,
  description: "",
  permissions: {},
};

function entry(name: string, value: string | Fields): string {
  if (typeof value === "string") return `${scalar(name)}: ${scalar(value)}\n`;
  const lines = Object.entries(FIELDS)
    .filter(([field, usual]) => value[field] !== undefined && !isUsual(value[field], usual))
    .map(([field]) => fieldLine(field, value[field], "  "));
  return `${scalar(name)}:${lines.length === 0 ? " {}" : ""}\n${lines.join("")}`;
}

function settingsEntry(name: string, value: string | Fields): string {
  return unusual(name, value, isSettingsSection(name) ? settingsDefaults(name) : {});
}

function unusual(name: string, value: string | Fields, usual: Fields): string {
  const fields = Object.entries(value as Fields).filter(
    ([field, is]) => is !== undefined && !isUsual(is, usual[field]),
  );
  return mapping(name, Object.fromEntries(fields), "");
}

function mapping(name: string, fields: Fields, indent: string): string {
  const sorted = Object.entries(fields).toSorted(([a], [b]) => compare(a, b));
  const lines = sorted.map(([field, value]) => fieldLine(field, value, `${indent}  `));
  return `${indent}${scalar(name)}:${lines.length === 0 ? " {}" : ""}\n${lines.join("")}`;
}

const fieldLine = (field: string, value: unknown, indent: string): string =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? mapping(field, value as Fields, indent)
    : `${indent}${scalar(field)}: ${yaml(value)}\n`;

const isUsual = (value: unknown, usual: unknown): boolean =>
  JSON.stringify(value) === JSON.stringify(usual);

/** The lists of a lab are sets. */
const yaml = (value: unknown): string =>
  Array.isArray(value)
    ? `[${value
        .map((one) => [String(typeof one === "object" ? JSON.stringify(one) : one), one] as const)
        .toSorted(([a], [b]) => compare(a, b))
        .map(([, one]) => scalar(one))
        .join(", ")}]`
    : scalar(value);

/** As it is when no reader of YAML could take it for anything but text, else quoted as JSON, which YAML includes. */
function scalar(value: unknown): string {
  if (typeof value !== "string") return json(value);
  const isPlain =
    /^[A-Za-z][\w.,;()@/+'-]*( [\w.,;()@/+'-]+)*$/.test(value) && !RESERVED.test(value);
  return isPlain ? value : json(value);
}

const RESERVED = /^(y|n|yes|no|on|off|true|false|null)$/i;

/** JSON leaves some characters as they are which YAML does not allow in a file. */
const json = (value: unknown): string =>
  JSON.stringify(value).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
