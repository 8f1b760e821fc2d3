import type { JobView } from "#protocol/api.ts";
import { maySeeWorker } from "./access.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { DeviceTypeRecord } from "./device-types.ts";
import { listGroups } from "./groups.ts";
import { getJob, listJobs } from "./jobs.ts";
import { deviceKey, workerKey } from "./keys.ts";
import { namedPage } from "./named-page.ts";
import { ANONYMOUS, type Principal } from "./principal.ts";
import { listQueries } from "./queries/saved-queries.ts";
import type { UserRecord } from "./users.ts";
import { sightOf, type Sight } from "./visible.ts";
import type { WorkerRecord } from "./worker-record.ts";

/** What a search has found of the lab, each list with those whose names are what was typed first. */
export interface Found {
  /** That of the number which was typed. */
  job?: JobView;
  jobs: JobView[];
  devices: Pick<DeviceRecord, "hostname" | "device_type" | "description">[];
  deviceTypes: Pick<DeviceTypeRecord, "name" | "description">[];
  workers: Pick<WorkerRecord, "name" | "description">[];
  queries: { owner: string; name: string; description: string }[];
  /** For administrators. */
  users: Pick<UserRecord, "name" | "full_name">[];
  /** For administrators; their own for others. */
  groups: { name: string; description: string }[];
}

/** Of each kind. */
const MOST = 20;

/**
 * What whoever asks may see and fits all words that were typed. Of each kind at most the first 1,000 by name are looked at, of
 * jobs the newest 1,000: a search is a few bounded reads, however large the lab.
 */
export async function searchLab(deps: Deps, principal: Principal, text: string): Promise<Found> {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 10);
  if (words.length === 0) return NOTHING;
  const sight = await sightOf(deps, principal);
  const fits = (...texts: (string | undefined)[]): boolean => {
    const all = texts.join("\n").toLowerCase();
    return words.every((word) => all.includes(word));
  };
  const [job, { jobs }, things, people] = await Promise.all([
    jobOfNumber(deps, principal, text),
    listJobs(deps, principal, { text: words.join(" "), limit: MOST }),
    findThings(deps, sight, fits, text.trim()),
    findPeoples(deps, principal, fits),
  ]);
  const found = { jobs: jobs.filter(({ id }) => id !== job?.id), ...things, ...people };
  return exactFirst({ ...(job ? { job } : {}), ...found }, text.trim().toLowerCase());
}

type Fits = (...texts: (string | undefined)[]) => boolean;

async function findThings(deps: Deps, sight: Sight, fits: Fits, name: string) {
  const page = { limit: MOST };
  const [device, worker, devices, deviceTypes, workers] = await Promise.all([
    deps.table.get<DeviceRecord>(deviceKey(name)),
    deps.table.get<WorkerRecord>(workerKey(name)),
    namedPage<DeviceRecord>(
      deps,
      "devices",
      (device) => device.hostname,
      page,
      async (device) =>
        fits(device.hostname, device.device_type, device.description, ...device.tags) &&
        sight.device(device),
    ),
    namedPage<DeviceTypeRecord>(
      deps,
      "device-types",
      (type) => type.name,
      page,
      (type) => fits(type.name, type.description) && sight.deviceType(type),
    ),
    namedPage<WorkerRecord>(
      deps,
      "workers",
      (worker) => worker.name,
      page,
      (worker) => fits(worker.name, worker.description) && maySeeWorker(sight.access, worker),
    ),
  ]);
  // Those of exactly this name also beyond the first thousand.
  const isDevice = device !== undefined && (await sight.device(device.data));
  const isWorker = worker !== undefined && maySeeWorker(sight.access, worker.data);
  return {
    devices: withFirst(devices.records, isDevice ? device.data : undefined, "hostname"),
    deviceTypes: deviceTypes.records,
    workers: withFirst(workers.records, isWorker ? worker.data : undefined, "name"),
  };
}

const withFirst = <T extends object>(list: T[], first: T | undefined, key: keyof T): T[] =>
  first === undefined ? list : [first, ...list.filter((one) => one[key] !== first[key])];

/** What somebody who is not signed in has none of. */
async function findPeoples(deps: Deps, principal: Principal, fits: Fits) {
  if (principal.kind === ANONYMOUS) return { queries: [], users: [], groups: [] };
  const isAdmin = "admin" in principal && principal.admin;
  const [{ queries }, { groups }, users] = await Promise.all([
    listQueries(deps, principal, { limit: 500 }),
    listGroups(deps, principal),
    isAdmin
      ? namedPage<UserRecord>(
          deps,
          "users",
          (user) => user.name,
          { limit: MOST },
          (user) => fits(user.name, user.full_name, user.email),
        )
      : { records: [] },
  ]);
  const fittingQueries = queries.filter(({ owner, name, description }) =>
    fits(`${owner}/${name}`, description),
  );
  const fittingGroups = groups.filter(({ name, description }) => fits(name, description));
  return {
    queries: fittingQueries.slice(0, MOST),
    users: users.records,
    groups: fittingGroups.slice(0, MOST),
  };
}

/** `12`, `#12`: the job, unless it is not there for whoever asks. */
async function jobOfNumber(deps: Deps, principal: Principal, text: string) {
  const [, id] = /^\s*#?([1-9]\d{0,11})\s*$/.exec(text) ?? [];
  if (id === undefined) return undefined;
  try {
    return await getJob(deps, principal, Number(id));
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return undefined;
    throw error;
  }
}

/** The names that were typed in full come first. */
function exactFirst(found: Found, asked: string): Found {
  const sorted = <T>(list: T[], nameOf: (one: T) => string): T[] => {
    const isExact = (one: T) => (nameOf(one).toLowerCase() === asked ? 0 : 1);
    return list.toSorted((a, b) => isExact(a) - isExact(b));
  };
  const nameOf = ({ name }: { name: string }) => name;
  return {
    ...found,
    deviceTypes: sorted(found.deviceTypes, nameOf),
    users: sorted(found.users, nameOf),
    groups: sorted(found.groups, nameOf),
  };
}

const NOTHING: Found = {
  ...{ jobs: [], devices: [], deviceTypes: [], workers: [], queries: [], users: [], groups: [] },
};
