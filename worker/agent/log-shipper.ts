import { open, type FileHandle } from "node:fs/promises";
import { MAX_CHUNK_RECORDS } from "#protocol/worker-api.ts";
import { HttpError } from "../host/http-client.ts";
import type { AgentDeps } from "./agent-deps.ts";
import { Backoff, isAboutJob } from "./backoff.ts";
import { Bell } from "./bell.ts";
import { expectedLine, type JobAccess } from "./control-plane.ts";
import {
  MAX_TEXT_BYTES,
  readChunk,
  replacement,
  type LogChunk,
  type LogPosition,
} from "./log-chunk.ts";
import { seekLine } from "./log-file.ts";

/** How long new lines may lie about before they are shipped: each chunk is three requests. */
const WATCHED_PATIENCE_MS = 50;
/** While nobody watches; doubles with every chunk up to the longest. */
const FIRST_PATIENCE_MS = 10_000;
const LONGEST_PATIENCE_MS = 60_000;
/** Between looks at a file whose changes nobody announced. */
const FALLBACK_MS = 1000;
/** Between looks whether it is enough. */
const COLLECT_MS = 500;

export interface ShippedLog extends JobAccess {
  readonly file: string;
  /** What the control plane calls the first line of the file. */
  readonly firstLine: number;
}

/**
 * Brings one job's log to the control plane, each line once and in order, however often either side
 * is killed: the control plane alone knows how far it is, and is asked after every surprise.
 */
export class LogShipper {
  readonly #deps: AgentDeps;
  readonly #log: ShippedLog;
  readonly #growth = new Bell();
  readonly #retry: Bell;
  readonly #backoff: Backoff;
  #position: LogPosition | undefined;
  /** Lines are looked for: a change of the file from now on is news. */
  #isLooking = false;
  #isWatched = false;
  #patienceMs = FIRST_PATIENCE_MS;
  #isWhole = false;
  #maxRecords = MAX_CHUNK_RECORDS;
  #refusals = 0;
  #lastError = "";

  /**
   * `isNew`: nothing of this log can have been shipped before. `retry` is rung when there is reason not
   * to wait out the delay after a failure.
   */
  constructor(deps: AgentDeps, log: ShippedLog, isNew: boolean, retry: Bell) {
    this.#deps = deps;
    this.#log = log;
    this.#retry = retry;
    this.#backoff = new Backoff(deps.clock);
    if (isNew) this.#position = { line: log.firstLine, offset: 0 };
  }

  /** The file may have grown. Costs nothing while lines are being collected anyway. */
  poke = (): void => {
    if (this.#isLooking) this.#growth.ring();
  };

  /** While somebody watches, lines go out one by one as they come, not in large chunks. */
  set isWatched(watched: boolean) {
    if (watched && !this.#isWatched) this.#growth.ring();
    this.#isWatched = watched;
  }

  /** Nothing is appended any more: what is left goes out at once. */
  end(): void {
    this.#isWhole = true;
    this.#growth.ring();
  }

  /** Ask the control plane how far the log is before shipping more. */
  locateAgain(): void {
    this.#position = undefined;
  }

  /**
   * Ships until the log has ended and all of it has arrived; returns its number of lines. Retries for
   * ever; returns undefined only when `signal` is aborted. May be called again afterwards.
   */
  async run(signal: AbortSignal): Promise<number | undefined> {
    const wake = (): void => [this.#growth, this.#retry].forEach((bell) => bell.ring());
    signal.addEventListener("abort", wake);
    let file: FileHandle | undefined;
    try {
      while (!signal.aborted) {
        try {
          file ??= await open(this.#log.file, "a+", 0o600);
          const done = await this.#step(file, signal);
          if (done !== undefined) return done;
        } catch (error) {
          if (!signal.aborted) await this.#afterFailure(error);
        }
      }
      return undefined;
    } finally {
      signal.removeEventListener("abort", wake);
      await file?.close();
    }
  }

  async #step(file: FileHandle, signal: AbortSignal): Promise<number | undefined> {
    this.#position ??= await this.#locate(file, signal);
    const isWhole = await this.#untilDue(file, this.#position.offset, signal);
    if (signal.aborted) return undefined;
    this.#isLooking = true;
    const chunk = await readChunk(file, this.#position, this.#maxRecords);
    if (chunk) {
      this.#isLooking = false;
      await this.#ship(file, chunk, signal);
      return undefined;
    }
    if (isWhole) return this.#position.line;
    await this.#untilPoked();
    return undefined;
  }

  async #locate(file: FileHandle, signal: AbortSignal): Promise<LogPosition> {
    const line = await this.#deps.controlPlane.logTail(this.#log, signal);
    return this.#seek(file, line);
  }

  /** A line that the file doesn't have (a disk that forgot after a power cut) stands at its end. */
  async #seek(file: FileHandle, line: number): Promise<LogPosition> {
    const { firstLine, id } = this.#log;
    const found = await seekLine(file, line - firstLine);
    if (found.line + firstLine < line) {
      this.#deps.log(
        `job ${id}: the control plane has ${line} lines of its log, the disk has fewer`,
      );
    }
    return { line, offset: found.offset };
  }

  /** Waits until there is enough, or for long enough. True when the log had ended before it looked. */
  async #untilDue(file: FileHandle, offset: number, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#deps;
    let since: number | undefined;
    while (!signal.aborted && !this.#isWhole) {
      this.#isLooking = true;
      const pending = (await file.stat()).size - offset;
      if (pending <= 0) {
        await this.#untilPoked();
        continue;
      }
      this.#isLooking = false;
      since ??= clock.now();
      const patience = this.#isWatched ? WATCHED_PATIENCE_MS : this.#patienceMs;
      const left = since + patience - clock.now();
      if (left <= 0 || pending >= MAX_TEXT_BYTES) break;
      await this.#growth.wait(clock, Math.min(left, COLLECT_MS));
    }
    return this.#isWhole;
  }

  /** A change since the look that found nothing has rung already. */
  async #untilPoked(): Promise<void> {
    await this.#growth.wait(this.#deps.clock, FALLBACK_MS);
    this.#isLooking = false;
  }

  async #ship(file: FileHandle, chunk: LogChunk, signal: AbortSignal): Promise<void> {
    const { first_line, count } = chunk.commit;
    try {
      const next = await this.#send(file, chunk, signal);
      this.#position = next === chunk.next.line ? chunk.next : await this.#seek(file, next);
      this.#maxRecords = MAX_CHUNK_RECORDS;
      if (!this.#isWatched) {
        this.#patienceMs = Math.min(LONGEST_PATIENCE_MS, this.#patienceMs * 2);
      }
    } catch (error) {
      const expected = expectedLine(error);
      if (expected !== undefined && expected !== first_line) {
        this.#position = await this.#seek(file, expected);
      } else if (!isUnacceptable(error) || ++this.#refusals === 1) {
        throw error;
      } else if (count > 1) {
        this.#maxRecords = Math.ceil(count / 2);
        return;
      } else {
        await this.#shipReplacement(file, chunk, error, signal);
      }
    }
    this.#worked();
  }

  /** What the control plane has the disk keeps too: lines are counted from there after a power cut. */
  async #send(file: FileHandle, chunk: LogChunk, signal: AbortSignal): Promise<number> {
    const { commit, body } = chunk;
    const { controlPlane } = this.#deps;
    const { first_line, bytes, sha256 } = commit;
    const place = await controlPlane.logUpload(this.#log, { first_line, bytes, sha256 }, signal);
    await Promise.all([controlPlane.put(place, body, signal), file.datasync()]);
    return controlPlane.logCommit(this.#log, commit, signal);
  }

  async #shipReplacement(
    file: FileHandle,
    refused: LogChunk,
    error: HttpError,
    signal: AbortSignal,
  ): Promise<void> {
    const line = refused.commit.first_line;
    this.#deps.log(`job ${this.#log.id}: line ${line} of its log is refused: ${error.message}`);
    const other = await replacement(refused, this.#deps.clock.now(), error.message);
    await this.#send(file, other, signal);
    this.#position = other.next;
  }

  #worked(): void {
    if (this.#lastError) this.#deps.log(`job ${this.#log.id}: its log is shipped again`);
    this.#lastError = "";
    this.#refusals = 0;
    this.#backoff.reset();
  }

  async #afterFailure(error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    const kind = error instanceof HttpError ? `status ${error.status}` : message;
    if (kind !== this.#lastError) {
      this.#deps.log(`job ${this.#log.id}: its log cannot be shipped, trying on: ${message}`);
    }
    this.#lastError = kind;
    if (error instanceof HttpError && error.status === 409) this.#position = undefined;
    if (isAboutJob(error)) this.#deps.changed();
    await this.#retry.wait(this.#deps.clock, this.#backoff.next(error));
  }
}

/** The content is at fault, if it is said twice: a server that lost an upload says it once. */
const isUnacceptable = (error: unknown): error is HttpError =>
  error instanceof HttpError && [400, 413, 422].includes(error.status);
