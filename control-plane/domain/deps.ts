import type { Blobs } from "../ports/blobs.ts";
import type { Outbound } from "../ports/outbound.ts";
import type { Planner } from "../ports/planner.ts";
import type { Signals } from "../ports/signals.ts";
import type { System } from "../ports/system.ts";
import type { Table } from "../ports/table.ts";
import type { Loader } from "../templates/frame.ts";

/** All that the rules need from outside: the ports, Pumice's own templates, and what the operator may set. */
export interface Deps {
  readonly table: Table;
  readonly blobs: Blobs;
  readonly signals: Signals;
  readonly system: System;
  /** Webhooks, callbacks and mails. */
  readonly outbound: Outbound;
  /** What a worker would do for a job. */
  readonly planner: Planner;
  /** Device types and families that Pumice brings. */
  readonly templates: Loader;
  readonly settings: Settings;
}

export interface Settings {
  /** Secret of this lab, from which job tokens are derived. */
  readonly secret: string;
  /** Name of the engine, for people. */
  readonly engine: string;
  /** A job whose worker is silent this long is taken back. */
  readonly jobLeaseSeconds: number;
  /** A worker that is silent this long, beyond its long poll, is Offline (SCHEDULER.md 1.3). */
  readonly workerSilentSeconds: number;
  /** How often a worker that waits elsewhere (`Signals.grantWait`) gives a sign of life, at least. */
  readonly idleSyncSeconds: number;
  /** Days that a job is kept after its end, with its log and results; 0: for ever. */
  readonly retentionDays: number;
  /** Longest time that an answer about a log is held back for news; 0: followers ask again. */
  readonly logHoldSeconds: number;
  /** Secrets of sign-in providers that the operator's environment has. */
  readonly signInSecret?: (provider: string) => string | undefined;
  /** The lab is only read: no jobs, no workers, no ticks. */
  readonly archive?: boolean;
  /** It has a coordinator for the runners of stock workers: they get jobs of multinode groups. */
  readonly coordinator?: boolean;
  /** Where browsers fetch blobs, as `https://HOST`; undefined where that is the lab's own address. */
  readonly blobOrigin?: string;
  /** Where LAVA's event stream is, as `https://HOST/ws`; undefined where this process has it itself. */
  readonly eventsUrl?: string;
}

export const DEFAULT_SETTINGS = {
  jobLeaseSeconds: 30 * 60,
  workerSilentSeconds: 60,
  idleSyncSeconds: 5 * 60,
  retentionDays: 0,
  logHoldSeconds: 60,
} satisfies Partial<Settings>;
