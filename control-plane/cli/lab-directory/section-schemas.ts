import { groupName, labUserSchema, userName } from "#protocol/people.ts";
import * as v from "valibot";
import {
  labDeviceEntries,
  labDeviceTypeSchema,
  labGroupSchema,
  labName,
  labWorkerSchema,
  tagName,
} from "#protocol/lab.ts";
import { SETTINGS_SECTIONS } from "#protocol/lab-settings.ts";
import { windowEntries, windowProblem, type MaintenanceWindow } from "#protocol/windows.ts";
import { putQuerySchema, queryPath } from "#protocol/saved-query.ts";
import { mapOf, strict } from "#protocol/schema-parts.ts";

/** `qemu:` with nothing after it has every default. */
const fields = <E extends v.ObjectEntries>(entries: E) => v.nullish(strict(entries), {});

const worker = v.omit(labWorkerSchema, ["dispatcher", "env", "env_dut"]).entries;
const device = v.omit(v.object(labDeviceEntries), ["dictionary", "configuration", "notes"]).entries;
const tag = v.pick(labGroupSchema, ["description"]).entries;

const settings = Object.fromEntries(
  Object.entries(SETTINGS_SECTIONS).map(([name, { entries }]) => [
    name,
    v.optional(v.nullable(strict<v.ObjectEntries>(entries), {})),
  ]),
);

const windowRule = v.rawCheck<MaintenanceWindow>(({ dataset, addIssue }) => {
  const problem = dataset.typed ? windowProblem(dataset.value) : undefined;
  if (problem !== undefined) addIssue({ message: problem });
});

/** What stands in the YAML file of each section; texts have files of their own. */
export const SECTION_SCHEMAS = {
  settings: strict(settings),
  device_types: mapOf(fields(labDeviceTypeSchema.entries), labName),
  aliases: mapOf(labName, labName),
  tags: mapOf(fields(tag), tagName),
  users: mapOf(fields(labUserSchema.entries), userName),
  groups: mapOf(fields(labGroupSchema.entries), groupName),
  workers: mapOf(fields(worker), labName),
  devices: mapOf(strict(device), labName),
  queries: mapOf(fields(putQuerySchema.entries), queryPath),
  windows: mapOf(v.pipe(strict(windowEntries), windowRule), labName),
};
