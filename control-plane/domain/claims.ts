import type { LabSettings } from "#protocol/lab-settings.ts";
import type { Operation } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import { sharesFor, type Charge, type Shares } from "./fair-share.ts";
import type { JobRecord } from "./job-record.ts";
import { labSettings } from "./lab-settings.ts";
import {
  fullLimit,
  hasQuotas,
  limitsOf,
  noteHeld,
  quotaObstacle,
  takeSlots,
  tooSmall,
  type Limit,
} from "./quotas.ts";
import type { Obstacle } from "./suits.ts";
import { userAccess } from "./users.ts";

/** What some jobs of one submitter take from their share of the lab when they get devices. */
export interface Claim {
  /** For the record of each job; it replaces what the job had while it waited. */
  fieldsOf(id: number): Pick<JobRecord, "quota_slots" | "charged">;
  /** For the transaction that each job is in; after a conflict a new claim is made. */
  operationsOf(id: number): readonly Operation[];
  /** To be called after it. */
  done(): Promise<void>;
}

/** Quotas and fair share as a pass sees them: what does not change while it lasts is read once. */
export interface Claims {
  settings(): Promise<LabSettings>;
  hasQuotas(): Promise<boolean>;
  /** The quota that keeps a submitter's next job from running. */
  fullFor(job: Pick<JobRecord, "submitter" | "device_type">): Promise<Limit | undefined>;
  /** The same of as many as begin together: what keeps them from it, be it that there can never be place for them. */
  barsTogether(submitter: string, jobs: number): Promise<Obstacle | undefined>;
  /** For jobs of one submitter that begin together; or what keeps them from it. */
  claim(jobs: readonly JobRecord[]): Promise<Claim | Obstacle>;
  readonly useOf: Shares["useOf"];
}

/** Made for each pass anew. `notesHeld`: a quota that holds a job back asks for another pass once it has a place again. */
export function claimsFor(deps: Deps, notesHeld: boolean): Claims {
  let read: Promise<LabSettings> | undefined;
  let made: Shares | undefined;
  const full = new Map<string, Promise<Limit | undefined>>();
  const limits = new Map<string, Promise<Limit[]>>();
  const settings = () => (read ??= labSettings(deps));
  const shares = async () => (made ??= sharesFor(deps, (await settings()).scheduling));

  async function readLimits(submitter: string): Promise<Limit[]> {
    const { quotas } = await settings();
    if (!hasQuotas(quotas)) return [];
    return limitsOf(quotas, await userAccess(deps, submitter), "running");
  }
  const limitsFor = (submitter: string): Promise<Limit[]> => {
    const known = limits.get(submitter) ?? readLimits(submitter);
    limits.set(submitter, known);
    return known;
  };
  async function whatIsFull(held: Limit[], deviceType: string): Promise<Limit | undefined> {
    const found = await fullLimit(deps, held);
    if (!found || !notesHeld) return found;
    await noteHeld(deps, found, deviceType);
    // A job may have ended before the note was there.
    return fullLimit(deps, held);
  }
  return {
    settings,
    hasQuotas: async () => hasQuotas((await settings()).quotas),
    useOf: async (submitter) => (await shares()).useOf(submitter),
    async fullFor({ submitter, device_type }) {
      const held = await limitsFor(submitter);
      if (held.length === 0) return undefined;
      const known = full.get(submitter) ?? whatIsFull(held, device_type);
      full.set(submitter, known);
      return known;
    },
    async barsTogether(submitter, jobs) {
      const held = await limitsFor(submitter);
      const limit = tooSmall(held, jobs) ?? (await fullLimit(deps, held, jobs));
      return limit && quotaObstacle(limit, jobs);
    },
    async claim(jobs) {
      const [first] = jobs;
      if (!first || first.health_check) return NOTHING;
      const { submitter } = first;
      const ids = jobs.map(({ id }) => id);
      const held = await limitsFor(submitter);
      let taken = await takeSlots(deps, held, ids);
      if ("full" in taken && notesHeld) {
        await noteHeld(deps, taken.full, first.device_type);
        // A job may have ended before the note was there.
        taken = await takeSlots(deps, held, ids);
      }
      if ("full" in taken) {
        full.delete(submitter);
        return quotaObstacle(taken.full, jobs.length);
      }
      const { chargeFor, charge } = await shares();
      const charges = new Map<number, Charge>();
      for (const job of jobs) {
        const charged = await chargeFor(job);
        if (charged) charges.set(job.id, charged);
      }
      const { slots: slotsOf, operationsOf } = taken;
      return {
        operationsOf,
        fieldsOf(id) {
          const [slots = [], charged] = [slotsOf.get(id), charges.get(id)];
          return {
            ...(slots.length === 0 ? {} : { quota_slots: [...slots] }),
            ...(charged ? { charged } : {}),
          };
        },
        async done() {
          full.delete(submitter);
          for (const charged of charges.values()) await charge(charged);
        },
      };
    },
  };
}

const NOTHING: Claim = { fieldsOf: () => ({}), operationsOf: () => [], done: async () => {} };
