import type { Waits } from "#protocol/queue.ts";
import type { Deps } from "./deps.ts";
import type { DeviceRecord } from "./device-record.ts";
import { durationsOf, type Durations } from "./durations.ts";
import { expectStart } from "./expect-start.ts";
import { findGroup } from "./group-record.ts";
import { whyGroupWaits } from "./group-waits.ts";
import type { JobRecord } from "./job-record.ts";
import { passFacts, withWorker, type PassFacts } from "./pass-facts.ts";
import { waitingJobs } from "./queue-order.ts";
import { obstacle, suits, type Facts, type Obstacle } from "./suits.ts";

/** How many devices of its type are looked at: a job waits for the same reasons in a lab of ten thousand. */
const MOST_DEVICES = 50;
/** How many of the jobs before it are counted. */
export const MOST_AHEAD = 200;

/** Why a job is still Submitted, in a sentence and for programs; undefined for one that isn't. */
export async function howItWaits(
  deps: Deps,
  job: JobRecord,
): Promise<{ text: string; waits: Waits } | undefined> {
  if (job.state !== "Submitted") return undefined;
  const around = await lookAround(deps, job.device_type);
  const { text, reasons, choices } = await reasonsOf(around, job);
  if (job.group !== undefined) {
    const told = await whyGroupWaits(deps, job, (one) => whyOneWaits(deps, one));
    // It stands in no queue itself but waits for its host.
    if (job.host_job !== undefined) return { text: told, waits: { reasons: [WITH_ITS_HOST] } };
    return { text: told, waits: await placeOf(deps, around, job, { reasons, choices }) };
  }
  return { text, waits: await placeOf(deps, around, job, { reasons, choices }) };
}

const WITH_ITS_HOST = { code: "group", devices: 0, text: "it begins with the job of its host" };

/** The same of one job of a group, whatever the others wait for. */
async function whyOneWaits(deps: Deps, job: JobRecord): Promise<string> {
  return (await reasonsOf(await lookAround(deps, job.device_type), job)).text;
}

async function placeOf(
  deps: Deps,
  around: Around,
  job: JobRecord,
  { reasons, choices }: { reasons: Waits["reasons"]; choices: readonly Choice[] },
): Promise<Waits> {
  const { line, more } = await lineUp(deps, around, job.device_type);
  const index = line.findIndex(({ id }) => id === job.id);
  const before = index === -1 ? line : line.slice(0, index);
  const rivals = before.filter((other) => choices.some(({ device }) => suits(other, device)));
  const isHeld = reasons.some(({ devices }) => devices === 0);
  const isBeyond = index === -1 && more;
  return {
    reasons,
    ...(index === -1 && !more ? {} : { position: before.length + 1, ahead: rivals.length }),
    ...(isBeyond ? { more: true } : {}),
    ...(isHeld ? {} : await expectStart(deps, { choices, rivals, isBeyond }, around.durations)),
  };
}

/** What the jobs of a device type see of the lab; read once. */
export interface Around {
  readonly passed: PassFacts;
  readonly devices: readonly DeviceRecord[];
  /** There are devices that were not looked at. */
  readonly isPart: boolean;
  readonly durations: Durations;
  /** The quota that has not enough left for all jobs of a job's group. */
  readonly barsGroup: (job: JobRecord) => Promise<Obstacle | undefined>;
  /** What is known of a device's worker beside the facts of a job. */
  readonly workerFacts: (device: DeviceRecord) => Promise<Pick<Facts, "worker" | "jobsOfWorker">>;
}

/** Reads what the jobs of a type may wait for. */
export async function lookAround(deps: Deps, deviceType: string): Promise<Around> {
  const partition = `type-devices#${deviceType}`;
  const page = await deps.table.query<DeviceRecord>("i2", partition, { limit: MOST_DEVICES });
  const passed = passFacts(deps);
  const workers = new Map<string, ReturnType<typeof withWorker>>();
  return {
    passed,
    devices: page.items.map(({ data }) => data),
    isPart: page.cursor !== undefined,
    durations: await durationsOf(deps, deviceType),
    async barsGroup({ group, submitter }) {
      if (group === undefined || !(await passed.claims.hasQuotas())) return undefined;
      const jobs = (await findGroup(deps, group))?.data.members.length ?? 1;
      return passed.claims.barsTogether(submitter, jobs);
    },
    async workerFacts(device) {
      const known = workers.get(device.worker) ?? withWorker(deps, { now: 0 }, device);
      workers.set(device.worker, known);
      const { worker, jobsOfWorker = 0 } = (await known).facts;
      return { worker, jobsOfWorker };
    },
  };
}

/** A device that a job could have, and what keeps it from it now. */
export interface Choice {
  readonly device: DeviceRecord;
  readonly found: Obstacle | undefined;
}

/** Why a job does not begin: of the devices that could take it, how many are kept from it by what. */
export async function reasonsOf(
  { passed, devices, isPart, barsGroup, workerFacts }: Around,
  job: JobRecord,
): Promise<{ text: string; reasons: Waits["reasons"]; choices: Choice[] }> {
  const more = isPart ? ` among the first ${devices.length}` : "";
  const fitting = devices.filter((device) => suits(job, device));
  if (fitting.length === 0) {
    const text = `no device of type ${job.device_type} fits any more${more}`;
    return { text, reasons: [{ code: whyNone(job, devices), devices: 0, text }], choices: [] };
  }
  const barred = await barsGroup(job);
  if (barred) {
    const { code, text } = barred;
    return { text, reasons: [{ code, devices: 0, text }], choices: [] };
  }
  const facts = await passed.forJob(job);
  const choices: Choice[] = [];
  const counted = new Map<string, Waits["reasons"][number]>();
  for (const device of fitting) {
    const found = obstacle(job, device, { ...facts, ...(await workerFacts(device)) });
    choices.push({ device, found });
    if (found?.bars === "job") {
      const { code, text } = found;
      return { text, reasons: [{ code, devices: 0, text }], choices };
    }
    const { code = "free", text = "free" } = found ?? {};
    counted.set(text, { code, devices: (counted.get(text)?.devices ?? 0) + 1, text });
  }
  const reasons = [...counted.values()];
  const parts = reasons.map((reason) => `${reason.devices} ${reason.text}`);
  const count = `${fitting.length} fitting device${fitting.length === 1 ? "" : "s"}${more}`;
  return { text: `of ${count}: ${parts.join(", ")}`, reasons, choices };
}

/** What no device has that the job asks for. */
function whyNone(job: JobRecord, devices: readonly DeviceRecord[]): string {
  const lacks = devices.map((device) => obstacle(job, device, { now: 0 })?.code);
  return lacks.find((code) => code === "tags") ?? lacks.find((code) => code !== "type") ?? "device";
}

/** The jobs that wait for a type in the order of the next pass, as if each took as long as usual; at most so many are read. */
export async function lineUp(
  deps: Deps,
  { passed, durations }: Around,
  deviceType: string,
  most = MOST_AHEAD,
): Promise<{ line: JobRecord[]; more: boolean }> {
  const extra = new Map<string, number>();
  const { claims } = passed;
  const useOf = async (submitter: string): Promise<number> =>
    (await claims.useOf(submitter)) + (extra.get(submitter) ?? 0);
  const line: JobRecord[] = [];
  const asked = { ...passed, claims: { ...claims, useOf } };
  for await (const job of waitingJobs(deps, deviceType, asked)) {
    if (line.length === most) return { line, more: true };
    line.push(job);
    extra.set(job.submitter, (extra.get(job.submitter) ?? 0) + durations.p50);
  }
  return { line, more: false };
}
