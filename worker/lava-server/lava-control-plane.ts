import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type {
  FinishRequest,
  LogCommitRequest,
  LogUploadRequest,
  LogUploadResponse,
  SyncRequest,
  SyncResponse,
  Ticket,
} from "#protocol/worker-api.ts";
import { Bell } from "../agent/bell.ts";
import type { Clock } from "../agent/clock.ts";
import type { ControlPlaneCalls, JobAccess } from "../agent/control-plane.ts";
import { HttpError } from "../host/http-client.ts";
import type { AllNotes, JobNotes } from "./job-notes.ts";
import { versionWanted, type LavaCalls, type ListedJob, type WorkList } from "./lava-calls.ts";
import { lavaLog, type LavaLog } from "./lava-log.ts";
import { isMultinode, refusalLines } from "./refuse-job.ts";
import { ticketOf } from "./ticket-of.ts";

const unpack = promisify(gunzip);

export interface LavaControlPlaneOptions {
  readonly calls: LavaCalls;
  readonly notes: AllNotes;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** The worker's, as the server has it. */
  readonly name: string;
  /** That the server shall hear; its own when absent. */
  readonly version?: string | undefined;
  readonly pingSeconds: number;
}

/** At most one request with log lines of a job in this time. */
const LOG_GAP_MS = 2000;

/**
 * A stock LAVA server in the place of a control plane: says in its protocol (API.md 1) what the agent says in ours. What it has no word for
 * (upgrades, consoles, tokens that change) it never asks for.
 */
export class LavaControlPlane implements ControlPlaneCalls {
  readonly #options: LavaControlPlaneOptions;
  readonly #log: LavaLog;
  readonly #bell = new Bell();
  /** What has been put down of logs and not yet committed, by job and first line. */
  readonly #bodies = new Map<string, Uint8Array>();
  readonly #sentAt = new Map<number, number>();
  #version: string | undefined;
  #pingedAt = -Infinity;

  constructor(options: LavaControlPlaneOptions) {
    this.#options = options;
    this.#log = lavaLog(options.calls, options.notes);
    this.#version = options.version;
  }

  /** There may be news: the next ping is due. */
  readonly ring = (): void => this.#bell.ring();

  /** Held back until the next ping is due, if nothing is new. */
  async sync(request: SyncRequest, signal: AbortSignal): Promise<SyncResponse> {
    await this.#tellRunning(request, signal);
    if (request.seen !== undefined) await this.#untilDue(signal);
    const { notes } = this.#options;
    const ended = new Set(notes.ended().map(({ id }) => id));
    const list = await this.#ping(signal);
    this.#pingedAt = this.#options.clock.now();
    const listed = [...list.start, ...list.running, ...list.cancel];
    for (const { id, token } of listed) {
      const known = notes.get(id);
      if (known && ended.has(id)) await this.#options.calls.tell(known, known.end ?? {}, signal);
      // The log of one that begins now is empty.
      else if (!known) notes.save({ id, token, ...(isIn(list.start, id) ? { lines: 0 } : {}) });
    }
    for (const id of ended) if (!isIn(listed, id)) notes.remove(id);
    return this.#answer(request, list, signal);
  }

  async logTail(job: JobAccess, signal: AbortSignal): Promise<number> {
    return this.#log.tail(this.#notesOf(job), signal);
  }

  logBodyBytes(): number {
    return 0;
  }

  logUpload({ id }: JobAccess, { first_line }: LogUploadRequest): Promise<LogUploadResponse> {
    return Promise.resolve({ url: placeOf(id, first_line), method: "PUT", headers: {} });
  }

  put({ url }: LogUploadResponse, bytes: Uint8Array): Promise<void> {
    this.#bodies.set(url, bytes);
    return Promise.resolve();
  }

  async logCommit(job: JobAccess, commit: LogCommitRequest, signal: AbortSignal): Promise<number> {
    const notes = this.#notesOf(job);
    const tail = await this.#log.tail(notes, signal);
    if (tail !== commit.first_line) {
      const body = { next_line: tail };
      throw new HttpError(`the LAVA server has ${tail} lines`, { status: 409, body });
    }
    const { clock } = this.#options;
    const wait = (this.#sentAt.get(job.id) ?? -Infinity) + LOG_GAP_MS - clock.now();
    if (wait > 0) await clock.sleep(wait, signal);
    signal.throwIfAborted();
    const place = placeOf(job.id, commit.first_line);
    const text = await unpack(this.#bodies.get(place) ?? new Uint8Array());
    const next = await this.#log.send(notes, text.toString("utf8"), signal);
    this.#bodies.delete(place);
    this.#sentAt.set(job.id, clock.now());
    return next;
  }

  async finish(job: JobAccess, request: FinishRequest, signal: AbortSignal): Promise<void> {
    const { result, error_type: type = "", error_msg: message = "" } = request;
    // Stock workers give a reason only where the job process broke.
    const errors = type === "Bug" || type === "Infrastructure" ? message : "";
    await this.#end(this.#notesOf(job), { result, error_type: type, errors }, signal);
    this.#drop(job.id);
  }

  registerToken = notOfLava;
  askQueue = notOfLava;
  consoleOutput = notOfLava;
  consoleInput = notOfLava;

  async #ping(signal: AbortSignal): Promise<WorkList> {
    const { calls, name, version, log } = this.#options;
    this.#version ??= await calls.version(signal);
    try {
      return await calls.ping(name, this.#version ?? "unknown", signal);
    } catch (error) {
      const wanted = versionWanted(error);
      if (wanted === undefined || version !== undefined) throw error;
      log(`the LAVA server serves workers of version ${wanted}: this worker says that it is one`);
      this.#version = wanted;
      return calls.ping(name, wanted, signal);
    }
  }

  async #untilDue(signal: AbortSignal): Promise<void> {
    const { clock, pingSeconds } = this.#options;
    const left = this.#pingedAt + pingSeconds * 1000 - clock.now();
    const ring = (): void => this.#bell.ring();
    signal.addEventListener("abort", ring, { once: true });
    if (left > 0 && !signal.aborted) await this.#bell.wait(clock, left);
    signal.removeEventListener("abort", ring);
    signal.throwIfAborted();
  }

  /** What began since the last time. */
  async #tellRunning({ runners }: SyncRequest, signal: AbortSignal): Promise<void> {
    for (const { job_id } of runners) {
      const notes = this.#options.notes.get(job_id);
      if (notes && !notes.isRunning && !notes.end) await this.#begin(notes, signal);
    }
  }

  async #begin(notes: JobNotes, signal: AbortSignal): Promise<void> {
    await this.#options.calls.tell(notes, { state: "RUNNING" }, signal);
    notes.isRunning = true;
    this.#options.notes.save(notes);
  }

  /** On the disk once the server knows it: what it lists from before is not taken for a job that was lost. */
  async #end(notes: JobNotes, how: Record<string, string>, signal: AbortSignal): Promise<void> {
    if (!notes.isRunning) await this.#begin(notes, signal);
    const end = { state: "FINISHED", description: "", ...how };
    await this.#options.calls.tell(notes, end, signal);
    this.#options.notes.save({ ...notes, end });
  }

  async #answer(
    { runners, no_jobs: noJobs }: SyncRequest,
    { start, running, cancel }: WorkList,
    signal: AbortSignal,
  ): Promise<SyncResponse> {
    const { notes } = this.#options;
    const known = new Set(runners.map(({ job_id }) => job_id));
    const isOpen = ({ id }: ListedJob): boolean => notes.get(id)?.end === undefined;
    const isNew = (job: ListedJob): boolean => isOpen(job) && !known.has(job.id);
    const tickets: Ticket[] = [];
    for (const job of start.filter(isNew)) {
      const ticket = await this.#ticket(job, signal);
      if (ticket) tickets.push(ticket);
    }
    const lost: SyncResponse["lost"] = [];
    for (const job of [...running, ...cancel].filter(isNew)) {
      const isBegun = running.includes(job) || notes.get(job.id)?.isRunning;
      if (isBegun) lost.push(await this.#lost(job, signal));
      else await this.#end(notes.get(job.id)!, CANCELED, signal);
    }
    const listed = new Set([...start, ...running, ...cancel].map(({ id }) => id));
    const canceled = cancel.filter(({ id }) => known.has(id)).map(({ id }) => id);
    const forget = [...known].filter((id) => !listed.has(id));
    for (const id of forget) {
      notes.remove(id);
      this.#drop(id);
    }
    const watched = [...known].filter((id) => listed.has(id));
    const held = noJobs === undefined ? {} : { held: tickets.map(({ job_id }) => job_id) };
    // Each answer is of a ping of its own: none is held back for what it says.
    return { start: tickets, lost, cancel: canceled, ...held, forget, watched, seen: "ping" };
  }

  /** Undefined when this worker can't run the job, and has told the server so. */
  async #ticket(job: ListedJob, signal: AbortSignal): Promise<Ticket | undefined> {
    const { calls, notes, log } = this.#options;
    const files = await calls.job(job, signal);
    if (!isMultinode(files.definition)) {
      return ticketOf(job, files, await calls.deviceOf(job.id, signal));
    }
    log(`job ${job.id}: refused, it is of a multinode group`);
    const own: JobNotes = { ...notes.get(job.id), ...job, lines: 0 };
    const { text, end } = refusalLines(new Date(this.#options.clock.wall()));
    await this.#begin(own, signal);
    await this.#log.send(own, text, signal);
    await this.#end(own, end, signal);
    return undefined;
  }

  /** With its ticket, by which its device is switched off. */
  async #lost(job: ListedJob, signal: AbortSignal): Promise<SyncResponse["lost"][number]> {
    const { calls, notes } = this.#options;
    notes.save({ ...job, ...notes.get(job.id), isRunning: true });
    const files = await calls.job(job, signal);
    const ticket = ticketOf(job, files, await calls.deviceOf(job.id, signal));
    return { job_id: job.id, token: job.token, ticket };
  }

  #drop(id: number): void {
    this.#sentAt.delete(id);
    for (const place of this.#bodies.keys()) {
      if (place.startsWith(placeOf(id, ""))) this.#bodies.delete(place);
    }
  }

  #notesOf({ id, token }: JobAccess): JobNotes {
    const { notes } = this.#options;
    const known = notes.get(id) ?? { id, token };
    if (!notes.get(id)) notes.save(known);
    return known;
  }
}

const placeOf = (id: number, line: number | ""): string => `${id}/${line}`;

const isIn = (jobs: readonly ListedJob[], id: number): boolean => jobs.some((job) => job.id === id);

/** As the stock worker says of a job that it doesn't know. */
const CANCELED = { result: "fail", error_type: "Canceled", errors: "" };

const notOfLava = (): Promise<never> =>
  Promise.reject(new Error("a LAVA server has no such thing"));
