import { readUsers } from "./people.ts";
import type { AliasView, GroupView, TagView } from "#protocol/lab-lists.ts";
import { LAB_SECTIONS, type Lab, type LabSection } from "#protocol/lab.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { readDeviceTypes } from "./device-types.ts";
import { readSettings } from "./lab-settings.ts";
import { listNamed } from "./named-items.ts";
import { readQueries } from "./queries/query-in-lab.ts";
import { queryAll } from "./query-all.ts";
import { findText, listTexts } from "./texts.ts";
import { readWorkerSettings, type WorkerRecord } from "./worker-record.ts";
import { readWindows } from "./windows.ts";
import { without } from "./without.ts";

/** A lab with every section and, in it, every default filled in. */
export type WholeLab = { [S in LabSection]: NonNullable<Lab[S]> };
export type LabValue<S extends LabSection = LabSection> = WholeLab[S][string];

export interface ReadLab {
  lab: WholeLab;
  /** Devices that have a job, and which. */
  busy: ReadonlyMap<string, number>;
}

/** The whole lab as it is. */
export async function readLab(deps: Deps): Promise<ReadLab> {
  const busy = new Map<string, number>();
  const lab: Record<string, Record<string, LabValue>> = {};
  for (const section of LAB_SECTIONS) {
    const values: [string, LabValue][] = [];
    for await (const [name, value, job] of readSection(deps, section)) {
      values.push([name, value]);
      if (job !== undefined) busy.set(name, job);
    }
    lab[section] = Object.fromEntries(values);
  }
  return { lab: lab as WholeLab, busy };
}

/** What a section of the lab has, one by one and by name; of a device also the job that has it. */
export async function* readSection(
  deps: Deps,
  section: LabSection,
): AsyncGenerator<[name: string, value: LabValue, job?: number | undefined]> {
  switch (section) {
    case "settings":
      yield* readSettings(deps);
      return;
    case "templates":
      for await (const { name, text } of listTexts(deps, "template")) yield [name, text];
      return;
    case "health_checks":
      for await (const { name, text } of listTexts(deps, "health-check")) yield [name, text];
      return;
    case "device_types":
      for await (const type of readDeviceTypes(deps)) yield [type.name, without(type, "name")];
      return;
    case "aliases":
      for (const { name, device_type } of await listNamed<AliasView>(deps, section)) {
        yield [name, device_type];
      }
      return;
    case "tags":
      for (const tag of await listNamed<TagView>(deps, section)) {
        yield [tag.name, without(tag, "name")];
      }
      return;
    case "users":
      yield* readUsers(deps);
      return;
    case "groups":
      for (const group of await listNamed<GroupView>(deps, section)) {
        yield [group.name, without(group, "name")];
      }
      return;
    case "queries":
      yield* readQueries(deps);
      return;
    case "windows":
      for await (const window of readWindows(deps)) {
        yield [window.name, without(window, "name", "due")];
      }
      return;
    case "workers":
      for await (const { data } of queryAll<WorkerRecord>(deps, "i1", "workers")) {
        const { name, description, job_limit, health, permissions } = data;
        const settings = await readWorkerSettings(deps, name);
        const granted = permissions ? { permissions } : {};
        yield [name, { description, job_limit, health, ...granted, ...settings }];
      }
      return;
    case "devices":
      for await (const { data } of queryAll<DeviceRecord>(deps, "i1", "devices")) {
        const { device_type, worker, tags, description, health, current_job, permissions } = data;
        const { physical_owner, physical_group, notes } = data;
        const granted = {
          ...(permissions ? { permissions } : {}),
          ...(physical_owner ? { physical_owner } : {}),
          ...(physical_group ? { physical_group } : {}),
          ...(notes ? { notes } : {}),
        };
        const record = await findText(deps, "device", data.hostname);
        const { text = "", format = "configuration" } = record ?? {};
        const about = { device_type, worker, tags, description, health, ...granted };
        const fields = { ...about, [format]: text };
        yield [data.hostname, fields, current_job];
      }
  }
}
