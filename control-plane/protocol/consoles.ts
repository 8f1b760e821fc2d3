import * as v from "valibot";
import type { ConsoleInputItem } from "./console-requests.ts";

/**
 * The console of a device that a person has reserved, or of a job that waits for one, relayed by its worker: `/api/v1/consoles`
 * (docs/remote-console.md).
 */

/** Longest time that an answer is held back. */
export const MAX_CONSOLE_HOLD_SECONDS = 20;
/** Of what a device says, or a person types, in one piece. */
export const MAX_PIECE_BYTES = 32 * 1024;
/** Of all that a device says in a session, which ends then. */
export const MAX_CONSOLE_BYTES = 32 * 1024 * 1024;
/** Pieces that are typed, and power commands, in a session. */
export const MAX_INPUTS = 100_000;
/** Sessions that one worker serves at a time. */
export const MAX_CONSOLES_OF_WORKER = 50;

export interface ConsoleView {
  id: string;
  device: string;
  worker: string;
  holder: string;
  /** It is in a pause of this job. */
  job?: number;
  /** The worker switches the device off when the session ends, if it can. */
  off_at_end?: true;
  /** `starting`: the worker has not opened the connection yet. */
  state: "starting" | "open" | "ended";
  created: string;
  /** The end of the reservation; in a job's pause a day at most. */
  until: string;
  /** When it ends unless somebody types. */
  idle_ends?: string;
  ended?: string;
  /** Why it ended. */
  reason?: string;
}
export type OpenedConsole = ConsoleView & { writer: string };
export interface ConsoleList {
  consoles: ConsoleView[];
}

/** `GET /api/v1/consoles/ID/output?from=&hold=`. `from`: 0, or `next` of an answer before; `end`: only what comes from now on. */
export interface ConsoleOutput {
  /** `data`: base64. */
  pieces: { from: number; time: string; data: string }[];
  next: number;
  state: ConsoleView["state"];
  reason?: string;
  /** Ask again after this time: answers are not held back here. */
  poll_seconds?: number;
}

/** `GET /api/v1/consoles/ID/input?from=`: what was typed, for whoever may change the device. */
export interface ConsoleInputs {
  inputs: ConsoleInputItem[];
  next: number;
}

/** What sync tells a worker of a session that is to be open. */
export const consoleTicketSchema = v.object({
  id: v.string(),
  device_hostname: v.string(),
  /** The device's configuration, YAML. */
  device: v.string(),
  /** The runner of this job has the console, and waits for a person. */
  job_id: v.optional(v.number()),
  /** The device is to be switched off when the session is over. */
  off_at_end: v.optional(v.literal(true)),
  /** Who types, for the job's log. */
  holder: v.optional(v.string()),
  /** The environment that the lab gives to programs of this worker's jobs, YAML. */
  env: v.optional(v.string()),
});
export type ConsoleTicket = v.InferOutput<typeof consoleTicketSchema>;
