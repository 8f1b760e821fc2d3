import * as v from "valibot";
import { labName, labWorkerSchema, type Lab, type LabSectionOf } from "#protocol/lab.ts";
import { WORKER_HEALTHS } from "#protocol/states.ts";
import { asking, type Asking, type ImportWarning } from "./asking.ts";
import { healthOf, kept } from "./kept.ts";
import type { LavaCall, LavaRead } from "./lava-client.ts";
import { readDeviceTypes, readHealthChecks, withTemplatesInUse } from "./lava-device-types.ts";
import { readDevices } from "./lava-devices.ts";
import { addPermissions } from "./lava-permissions.ts";
import { lavaAlias, lavaNames, lavaTagList, lavaWorker } from "./lava-schemas.ts";

export interface LavaAsLab {
  lab: Lab;
  warnings: ImportWarning[];
}

/**
 * What a running LAVA has, as a lab; what can't be brought over is a warning each. Of templates only those that
 * its admin wrote: `stock` gives Pumice's own by file name. Throws ClientError when LAVA can't be reached.
 */
export async function readLava(
  { call, read }: { call: LavaCall; read: LavaRead },
  stock: (name: string) => string | undefined,
  progress?: (text: string) => void,
): Promise<LavaAsLab> {
  const warnings: ImportWarning[] = [];
  const lava = asking(call, warnings, progress);
  const devices = await readDevices(lava);
  const types = await readDeviceTypes(lava, Object.values(devices), stock);
  const templates = await withTemplatesInUse(lava, types.templates, devices, stock);
  const lab: Lab = {
    templates,
    health_checks: await readHealthChecks(lava, types.names, devices),
    device_types: types.device_types,
    aliases: await readAliases(lava, types.device_types),
    tags: await readTags(lava),
    workers: await readWorkers(lava),
    devices,
  };
  await addPermissions(lava, read, lab);
  return { lab, warnings };
}

async function readAliases(
  lava: Asking,
  types: LabSectionOf<"device_types">,
): Promise<LabSectionOf<"aliases">> {
  const section = "aliases";
  const about = { section, what: "the list" } as const;
  const names = (await lava.ask(lavaNames, about, "scheduler.aliases.list")) ?? [];
  const read = await lava.each("aliases", names, async (name) => {
    const where = { section, name, what: "it" } as const;
    const alias = await lava.ask(lavaAlias, where, "scheduler.aliases.show", name);
    if (!alias) return [];
    if (Object.hasOwn(types, alias.device_type)) {
      return kept(lava, section, name, labName, alias.device_type);
    }
    lava.warn(section, name, `left out: its device type ${alias.device_type} was not brought over`);
    return [];
  });
  return Object.fromEntries(read.flat());
}

async function readTags(lava: Asking): Promise<LabSectionOf<"tags">> {
  const about = { section: "tags", what: "the list" } as const;
  const list = (await lava.ask(lavaTagList, about, "scheduler.tags.list")) ?? [];
  const description = v.object({ description: v.string() });
  const read = list.flatMap(({ name, ...tag }) => kept(lava, "tags", name, description, tag));
  return Object.fromEntries(read);
}

async function readWorkers(lava: Asking): Promise<LabSectionOf<"workers">> {
  const section = "workers";
  const about = { section, what: "the list" } as const;
  const names = (await lava.ask(lavaNames, about, "scheduler.workers.list")) ?? [];
  const read = await lava.each("workers", names, async (name) => {
    const where = { section, name, what: "it" } as const;
    const worker = await lava.ask(lavaWorker, where, "scheduler.workers.show", name);
    if (!worker) return [];
    const health = healthOf(WORKER_HEALTHS, worker.health);
    const file = async (isUsual: boolean, what: string, method: string) =>
      isUsual
        ? ""
        : ((await lava.askFile({ ...where, what }, `scheduler.workers.${method}`, name)) ?? "");
    return kept(lava, section, name, labWorkerSchema, {
      description: worker.description,
      job_limit: worker.job_limit,
      ...(health === undefined || health === "Active" ? {} : { health }),
      dispatcher: await file(worker.default_config, "dispatcher.yaml", "get_config"),
      env: await file(worker.default_env, "env.yaml", "get_env"),
      env_dut: await file(worker.default_env_dut, "env-dut.yaml", "get_env_dut"),
    });
  });
  return Object.fromEntries(read.flat());
}
