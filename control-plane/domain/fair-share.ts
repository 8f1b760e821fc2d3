import type { LabSettings } from "#protocol/lab-settings.ts";
import type { NewItem } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { durationsOf, secondsOf } from "./durations.ts";
import type { JobRecord } from "./job-record.ts";
import { useKey } from "./keys.ts";
import { retrying } from "./retrying.ts";
import { userAccess } from "./users.ts";

/*
 * How much of the lab somebody has used of late, in seconds of devices: what is used counts half after the half-life. A job is
 * charged what jobs of its type usually take when it gets its device, so that what runs counts at once, and at its end the
 * difference to what it took. This is a record beside the jobs, not part of their transactions: a crash may lose one charge.
 */
export interface UseRecord {
  /** `user/NAME` or `group/NAME` */
  account: string;
  seconds: number;
  /** When they were that many, in ms since 1970. */
  at: number;
  half_life_hours: number;
}

/** What a job was charged when it got its device. */
export interface Charge {
  readonly account: string;
  readonly seconds: number;
}

/** Uses as a pass knows them. */
export interface Shares {
  /** Seconds that the account of a submitter has used. */
  readonly useOf: (submitter: string) => Promise<number>;
  /** What a job is to be charged; for its record. */
  readonly chargeFor: (job: JobRecord) => Promise<Charge | undefined>;
  /** Notes the charge of a job that got its device. */
  readonly charge: (charge: Charge) => Promise<void>;
}

/** For a pass; with fair share off nobody is charged. */
export function sharesFor(deps: Deps, scheduling: LabSettings["scheduling"]): Shares {
  const { fair_share: mode, fair_share_half_life_hours: hours } = scheduling;
  const accounts = new Map<string, Promise<string>>();
  const uses = new Map<string, Promise<number>>();
  const accountOf = (submitter: string): Promise<string> => {
    const account = accounts.get(submitter) ?? findAccount(deps, mode, submitter);
    accounts.set(submitter, account);
    return account;
  };
  const usedBy = (account: string): Promise<number> => {
    const use = uses.get(account) ?? readUse(deps, account);
    uses.set(account, use);
    return use;
  };
  return {
    useOf: async (submitter) => usedBy(await accountOf(submitter)),
    async chargeFor({ submitter, device_type }) {
      if (mode === "off") return undefined;
      const { p50 } = await durationsOf(deps, device_type);
      return { account: await accountOf(submitter), seconds: p50 };
    },
    async charge({ account, seconds }) {
      uses.set(account, Promise.resolve((await usedBy(account)) + seconds));
      await addUse(deps, account, seconds, hours);
    },
  };
}

/** At the end of a job, or of an attempt: what it took in place of what it was charged. */
export async function settleCharge(deps: Deps, job: JobRecord): Promise<void> {
  const { charged } = job;
  if (!charged) return;
  await addUse(deps, charged.account, (secondsOf(job) ?? 0) - charged.seconds);
}

/** A person's group for fair share is the first by name of those that they are in; who is in none stands for themselves. */
async function findAccount(
  deps: Deps,
  mode: LabSettings["scheduling"]["fair_share"],
  submitter: string,
): Promise<string> {
  if (mode !== "group") return `user/${submitter}`;
  const [group] = [...(await userAccess(deps, submitter)).groups].toSorted();
  return group === undefined ? `user/${submitter}` : `group/${group}`;
}

async function readUse({ table, system }: Deps, account: string): Promise<number> {
  const use = (await table.get<UseRecord>(useKey(account)))?.data;
  return use ? usedAt(use, system.now()) : 0;
}

/** What is left of a use after some time. */
export function usedAt({ seconds, at, half_life_hours }: UseRecord, now: number): number {
  const halves = Math.max(0, now - at) / (half_life_hours * 3_600_000);
  return seconds * 0.5 ** halves;
}

async function addUse(
  deps: Deps,
  account: string,
  seconds: number,
  halfLifeHours?: number,
): Promise<void> {
  try {
    await retrying(async () => {
      const item = await deps.table.get<UseRecord>(useKey(account));
      const now = deps.system.now();
      const half_life_hours = halfLifeHours ?? item?.data.half_life_hours ?? 24;
      const before = item ? usedAt(item.data, now) : 0;
      const use = { account, seconds: Math.max(0, before + seconds), at: now, half_life_hours };
      const when = item ? { version: item.version } : "absent";
      await deps.table.transact([{ put: useItem(use), when }]);
    });
  } catch (error) {
    // Too many at the same time: one charge less.
    if (!(error instanceof AppError)) throw error;
  }
}

export const useItem = (data: UseRecord): NewItem => ({ key: useKey(data.account), data });
