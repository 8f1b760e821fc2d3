import * as v from "valibot";
import { MAX_CONSOLE_HOLD_SECONDS, MAX_PIECE_BYTES } from "./consoles.ts";
import { labName } from "./lab.ts";

/** What is asked of consoles.ts' API, and what its worker asks. A module of its own: most requests are others. */

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const hold = v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(MAX_CONSOLE_HOLD_SECONDS)), 0);
const MAX_PIECE_CHARS = Math.ceil(MAX_PIECE_BYTES / 3) * 4;
const piece = v.pipe(v.string(), v.maxLength(MAX_PIECE_CHARS), v.base64("expected base64"));
const reason = v.pipe(v.string(), v.maxLength(1000));

export const powerSchema = v.picklist(["on", "off", "reset"], "expected on, off or reset");
export type Power = v.InferOutput<typeof powerSchema>;

/** `POST /api/v1/consoles`, 201 with the session and its `writer`: the holder's window that types from now on. */
export const openConsoleSchema = v.pipe(
  v.object({
    device: v.optional(labName),
    /** A job that waits for a person. */
    job: v.optional(v.pipe(v.number("expected a job's number"), v.integer(), v.minValue(1))),
    /** The device is switched off when the session ends. */
    off_at_end: v.optional(v.boolean(), false),
  }),
  v.check(
    ({ device, job }) => (device === undefined) !== (job === undefined),
    "expected either device or job",
  ),
  v.check(
    ({ job, off_at_end }) => job === undefined || !off_at_end,
    "off_at_end: a job that goes on needs its device",
  ),
);
export type OpenConsole = v.InferOutput<typeof openConsoleSchema>;

/** `POST /api/v1/consoles/ID/input`, 204. `call`: another one for each piece; a piece that comes again is not typed again. */
export const consoleInputSchema = v.object({
  writer: v.pipe(v.string(), v.maxLength(100)),
  call: v.pipe(v.string(), v.minLength(1), v.maxLength(100)),
  data: piece,
});
/** `POST /api/v1/consoles/ID/power`, 204. */
export const consolePowerSchema = v.object({ power: powerSchema });

export const consoleInputItemSchema = v.object({
  seq: count,
  time: v.string(),
  who: v.string(),
  data: v.optional(v.string()),
  power: v.optional(powerSchema),
  /** The job goes on. */
  go_on: v.optional(v.literal(true)),
});
export type ConsoleInputItem = v.InferOutput<typeof consoleInputItemSchema>;

/**
 * `POST /api/v1/worker/consoles/ID/output` (worker token): what the device said, from this byte of the session on. Answered with
 * the byte expected next, which tells whether it was taken; `ended`: the session is over for the worker, and why.
 */
export const relayOutputSchema = v.object({
  from: count,
  data: piece,
  ended: v.optional(reason),
});
export type RelayOutput = v.InferOutput<typeof relayOutputSchema>;
export const relayOutputReplySchema = v.object({ next: count, ended: v.optional(v.string()) });
export type RelayOutputReply = v.InferOutput<typeof relayOutputReplySchema>;

/** `POST /api/v1/worker/consoles/ID/input`: what is to be typed. Without `from`: nothing of what was typed before now. */
export const relayInputSchema = v.object({ from: v.optional(count), hold_seconds: hold });
export type RelayInput = v.InferOutput<typeof relayInputSchema>;
export const relayInputReplySchema = v.object({
  inputs: v.array(consoleInputItemSchema),
  next: count,
  ended: v.optional(v.string()),
  poll_seconds: v.optional(v.number()),
});
export type RelayInputReply = v.InferOutput<typeof relayInputReplySchema>;
