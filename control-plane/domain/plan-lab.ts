import type { Grants, LabUser } from "#protocol/people.ts";
import {
  LAB_SECTIONS,
  type LabChange,
  type LabDevice,
  type LabDeviceType,
  type LabRequest,
  type LabSection,
} from "#protocol/lab.ts";
import { DEVICE_PAPERS } from "./device-record.ts";
import { DEVICE_TYPE_DEFAULTS } from "./device-types.ts";
import { plainQuery } from "./queries/query-in-lab.ts";
import type { LabValue, WholeLab } from "./read-lab.ts";
import { without } from "./without.ts";

type Thing = LabValue<Exclude<LabSection, "settings" | "windows">>;
type Section = Readonly<Record<string, LabValue>>;

/**
 * What has to change so that a lab is as somebody wants it, and the lab that comes of it. What is made comes first in
 * the order of `LAB_SECTIONS`, what is removed last in the opposite one. Of a lab that is as wanted, nothing changes.
 * `hasTemplate`: whether Pumice brings a template.
 */
export function planLab(
  current: WholeLab,
  { lab: wanted, prune }: Pick<LabRequest, "lab" | "prune">,
  hasTemplate: (name: string) => boolean,
): { changes: LabChange[]; after: WholeLab } {
  const made: LabChange[] = [];
  const removed: LabChange[] = [];
  const after: Record<string, Section> = {};
  for (const section of LAB_SECTIONS) {
    after[section] = merged(section, current[section], wanted[section], prune);
  }
  const whole = after as WholeLab;
  whole.device_types = withTypesInUse(current, whole, (name) => {
    const file = `${name}.jinja2`;
    return Object.hasOwn(whole.templates, file) || hasTemplate(file);
  });
  for (const section of LAB_SECTIONS) {
    const [old, next]: [Section, Section] = [current[section], whole[section]];
    for (const [name, value] of Object.entries(next)) {
      const change = changeOf(section, name, ownValue(old, name), value);
      if (change) made.push(change);
    }
    const gone = Object.keys(old).filter((name) => !Object.hasOwn(next, name));
    removed.unshift(...gone.map((name) => ({ action: "remove", section, name }) as const));
  }
  return { changes: [...made, ...removed], after: whole };
}

/** A name of a lab may be `constructor`. */
export const ownValue = <T>(record: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined;

/** A section as it will be; one that is not wanted at all stays. */
function merged(
  section: LabSection,
  old: Section,
  wanted: Section | undefined,
  prune: boolean,
): Section {
  if (!wanted) return old;
  const values = Object.entries(wanted).map(([name, value]) => {
    if (section === "settings" || section === "windows") return [name, value] as const;
    return [name, normal(value as Thing, ownValue(old, name))] as const;
  });
  // People stay: jobs and the audit log name them.
  return { ...(prune && section !== "users" ? {} : old), ...Object.fromEntries(values) };
}

/** A health that nobody asks for stays as it is, and what is new is in good health; a list names things once. */
function normal(value: Thing, old: LabValue | undefined): LabValue {
  if (typeof value === "string") return value;
  if ("conditions" in value) return plainQuery(value);
  if ("worker" in value) {
    const before = old as LabDevice | undefined;
    const health = value.health ?? before?.health ?? "Good";
    const about = { health, tags: [...new Set(value.tags)], ...permissionsOf(value, before) };
    return { ...without(value, ...DEVICE_PAPERS), ...about, ...papersOf(value, before) };
  }
  if ("members" in value) return { ...value, members: [...new Set(value.members)] };
  if ("job_limit" in value) {
    const before = old as typeof value | undefined;
    const health = value.health ?? before?.health ?? "Active";
    return { ...value, health, ...permissionsOf(value, before) };
  }
  if ("health_frequency" in value) {
    return { ...value, ...permissionsOf(value, old as typeof value | undefined) };
  }
  if ("description" in value) return value;
  return { ...NEW_USER, ...(old as LabUser | undefined), ...value };
}

const NEW_USER = { admin: false, active: true, email: "", full_name: "" };

/** Owner, group and notes that nobody speaks of stay; empty ones are none. */
function papersOf(value: LabDevice, old: LabDevice | undefined): Partial<LabDevice> {
  const papers = DEVICE_PAPERS.map((field) => [field, value[field] ?? old?.[field] ?? ""] as const);
  return Object.fromEntries(papers.filter(([, text]) => text !== ""));
}

/** Permissions that nobody speaks of stay; none at all are none. */
function permissionsOf(
  { permissions }: { permissions?: Grants | undefined },
  old: { permissions?: Grants | undefined } | undefined,
): { permissions?: Grants | undefined } {
  const granted = permissions ?? old?.permissions ?? {};
  return { permissions: Object.keys(granted).length > 0 ? granted : undefined };
}

/** A type that a device has and for which there is a template needs not be named, nor is it pruned. */
function withTypesInUse(
  current: WholeLab,
  { devices, device_types, aliases }: WholeLab,
  isKnown: (name: string) => boolean,
): Record<string, LabDeviceType> {
  const types = { ...device_types };
  for (const { device_type: name } of Object.values(devices)) {
    if (Object.hasOwn(types, name) || Object.hasOwn(aliases, name) || !isKnown(name)) continue;
    types[name] = ownValue(current.device_types, name) ?? DEVICE_TYPE_DEFAULTS;
  }
  return types;
}

function changeOf(
  section: LabSection,
  name: string,
  old: LabValue | undefined,
  next: LabValue,
): LabChange | undefined {
  if (old === undefined) return { action: "create", section, name };
  const [from, to] = [fieldsOf(section, old), fieldsOf(section, next)];
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  const differ = names.filter((field) => comparable(from[field]) !== comparable(to[field]));
  if (differ.length === 0) return undefined;
  const fields = differ.map((field) => [field, { from: from[field], to: to[field] }] as const);
  return { action: "change", section, name, fields: Object.fromEntries(fields) };
}

function fieldsOf(section: LabSection, value: LabValue): Record<string, unknown> {
  if (typeof value !== "string") return value;
  return section === "aliases" ? { device_type: value } : { text: value };
}

/** The lists of a lab are sets, and mappings have no order. */
const comparable = (value: unknown): string | undefined =>
  JSON.stringify(value, (_key, part: unknown) => {
    if (Array.isArray(part)) return part.map((one) => JSON.stringify(one)).toSorted(compareText);
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => compareText(a, b)));
  });

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
