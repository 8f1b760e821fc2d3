import type { FileHandle } from "node:fs/promises";
import { MAX_CHUNK_RECORDS } from "#protocol/worker-api.ts";
import { HttpError } from "../host/http-client.ts";
import type { AgentDeps } from "./agent-deps.ts";
import { Backoff, isAboutJob } from "./backoff.ts";
import { Bell } from "./bell.ts";
import { ChunkAhead, type ReadyChunk } from "./chunk-ahead.ts";
import { expectedLine, type JobAccess } from "./control-plane.ts";
import {
  fillers,
  MAX_TEXT_BYTES,
  readChunk,
  replacement,
  type LogChunk,
  type LogPosition,
} from "./log-chunk.ts";
import { LogFiles } from "./log-files.ts";
import { sendChunk, uploadChunk, type ChunkRoute } from "./send-chunk.ts";

/** How long new lines may lie about before they are shipped: each chunk is a request, a larger one three. */
const WATCHED_PATIENCE_MS = 50;
/** While somebody watches and more and more comes: what is read goes by too fast for shorter steps. Doubles up to here. */
const LONGEST_WATCHED_PATIENCE_MS = 400;
/** After so long without a new line the next one is urgent again. */
const CALM_MS = 1000;
/** While nobody watches; doubles with every chunk up to the longest. */
const FIRST_PATIENCE_MS = 10_000;
const LONGEST_PATIENCE_MS = 60_000;
/** Between looks at a file whose changes nobody announced. */
const FALLBACK_MS = 1000;
/** Between looks whether it is enough: so long, or so many changes, which of a flood are soon there; most runners say when it is. */
const COLLECT_MS = 2000;
const COLLECT_CHANGES = 8;

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
  /** Lines from the position on that are on no disk any more. */
  #missing = 0;
  /** Lines are looked for: a change of the file from now on is news. */
  #isLooking = false;
  #changes = 0;
  readonly #ahead = new ChunkAhead();
  #isWatched = false;
  #patienceMs = FIRST_PATIENCE_MS;
  #watchedPatienceMs = WATCHED_PATIENCE_MS;
  #shippedAt = -Infinity;
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

  /** The file may have grown. Costs next to nothing while lines are being collected anyway. */
  poke = (): void => {
    if (this.#isLooking || ++this.#changes % COLLECT_CHANGES === 0) this.#growth.ring();
  };

  /** The file may have grown by much. */
  look = (): void => this.#growth.ring();

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
    let files: LogFiles | undefined;
    try {
      while (!signal.aborted) {
        try {
          files ??= await this.#open();
          const done = await this.#step(files, signal);
          if (done !== undefined) return done;
        } catch (error) {
          if (!signal.aborted) await this.#afterFailure(error);
        }
      }
      return undefined;
    } finally {
      signal.removeEventListener("abort", wake);
      await this.#ahead.drop();
      await files?.close();
    }
  }

  /** A place was known in the file that was read last. */
  async #open(): Promise<LogFiles> {
    const files = await LogFiles.open(this.#log.file);
    if (this.#position) this.#position = await this.#seek(files, this.#position.line);
    return files;
  }

  async #step(files: LogFiles, signal: AbortSignal): Promise<number | undefined> {
    this.#position ??= await this.#locate(files, signal);
    if (this.#missing > 0) {
      await this.#shipFillers(files, this.#position, signal);
      return undefined;
    }
    const isWhole = await this.#untilDue(files, this.#position, signal);
    if (signal.aborted) return undefined;
    this.#isLooking = true;
    const ready = await this.#nextChunk(files, this.#position);
    if (ready) {
      this.#isLooking = false;
      await this.#ship(files, ready, signal);
      return undefined;
    }
    const { line } = this.#position;
    if (await files.next(line - this.#log.firstLine)) {
      this.#position = { line, offset: 0 };
      this.#trim(files);
      return undefined;
    }
    if (isWhole) return line;
    await this.#untilPoked();
    return undefined;
  }

  async #locate(files: LogFiles, signal: AbortSignal): Promise<LogPosition> {
    const line = await this.#deps.controlPlane.logTail(this.#log, signal);
    return this.#seek(files, line);
  }

  /**
   * A line that the disk doesn't have any more stands at the first that it has; one that it doesn't have yet (a disk
   * that forgot after a power cut) at its end.
   */
  async #seek(files: LogFiles, line: number): Promise<LogPosition> {
    const { firstLine, id } = this.#log;
    await this.#ahead.drop();
    const found = await files.goTo(line - firstLine);
    const difference = found.line + firstLine - line;
    this.#missing = Math.max(0, difference);
    this.#trim(files);
    if (difference !== 0) {
      const has =
        difference < 0 ? "the disk has fewer" : `the disk has them from ${line + difference} on`;
      this.#deps.log(`job ${id}: the control plane has ${line} lines of its log, ${has}`);
    }
    return { line, offset: found.offset };
  }

  #trim(files: LogFiles): void {
    const { keepBytes, minFreeBytes } = this.#deps.limits;
    files.trim(keepBytes, minFreeBytes);
  }

  async #shipFillers(files: LogFiles, from: LogPosition, signal: AbortSignal): Promise<void> {
    const count = Math.min(this.#missing, MAX_CHUNK_RECORDS);
    const chunk = await fillers(from, count, this.#deps.clock.wall());
    const next = await this.#send(files, chunk, signal);
    if (next !== chunk.next.line)
      throw new Error(`line ${next} is the next of the log, not ${chunk.next.line}`);
    this.#position = chunk.next;
    this.#missing -= count;
    this.#worked();
  }

  /** Waits until there is enough, or for long enough. True when the log had ended before it looked. */
  async #untilDue(files: LogFiles, from: LogPosition, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#deps;
    let since: number | undefined;
    while (!signal.aborted && !this.#isWhole) {
      this.#isLooking = true;
      const pending = files.pendingBytes(from.offset, MAX_TEXT_BYTES);
      if (pending <= 0) {
        await this.#untilPoked();
        continue;
      }
      this.#isLooking = false;
      since ??= clock.now();
      if (since - this.#shippedAt > CALM_MS) this.#watchedPatienceMs = WATCHED_PATIENCE_MS;
      const patience = this.#isWatched ? this.#watchedPatienceMs : this.#patienceMs;
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

  async #ship(
    files: LogFiles,
    { chunk, uploaded }: ReadyChunk,
    signal: AbortSignal,
  ): Promise<void> {
    const { first_line, count } = chunk.commit;
    try {
      this.#lookAhead(files, chunk.next, signal);
      const next = await this.#send(files, chunk, signal, uploaded);
      this.#position = next === chunk.next.line ? chunk.next : await this.#seek(files, next);
      this.#maxRecords = MAX_CHUNK_RECORDS;
      this.#grewPatient();
    } catch (error) {
      const expected = expectedLine(error);
      if (expected !== undefined && expected !== first_line) {
        this.#position = await this.#seek(files, expected);
      } else if (!isUnacceptable(error) || ++this.#refusals === 1) {
        throw error;
      } else if (count > 1) {
        this.#maxRecords = Math.ceil(count / 2);
        return;
      } else {
        await this.#shipReplacement(files, chunk, error, signal);
      }
    }
    this.#worked();
  }

  /** Each chunk is a request or three, and a write that the disk must not put off. */
  #grewPatient(): void {
    this.#shippedAt = this.#deps.clock.now();
    if (this.#isWatched) {
      this.#watchedPatienceMs = Math.min(LONGEST_WATCHED_PATIENCE_MS, this.#watchedPatienceMs * 2);
    } else {
      this.#patienceMs = Math.min(LONGEST_PATIENCE_MS, this.#patienceMs * 2);
    }
  }

  async #nextChunk(files: LogFiles, from: LogPosition): Promise<ReadyChunk | undefined> {
    const ahead = await this.#ahead.take(files.handle, from);
    if (ahead) return ahead;
    const chunk = await readChunk(files.handle, from, this.#maxRecords);
    return chunk && { chunk };
  }

  /** Begins with the chunk behind one that is being sent, if it is to be sent at once. */
  #lookAhead(files: LogFiles, from: LogPosition, signal: AbortSignal): void {
    if (this.#maxRecords < MAX_CHUNK_RECORDS) return;
    const { handle } = files;
    const read = async (): Promise<LogChunk | undefined> => {
      const pending = files.pendingBytes(from.offset, MAX_TEXT_BYTES);
      if (pending < MAX_TEXT_BYTES && !this.#isWhole) return undefined;
      return readChunk(handle, from);
    };
    this.#ahead.begin(from, handle, read, async (chunk) => {
      if (this.#isSentWhole(chunk)) return false;
      await uploadChunk(this.#route(handle, signal), chunk);
      return true;
    });
  }

  async #send(
    files: LogFiles,
    chunk: LogChunk,
    signal: AbortSignal,
    uploaded?: Promise<boolean>,
  ): Promise<number> {
    const route = this.#route(files.handle, signal);
    const isUploaded = await uploaded;
    if (!isUploaded && this.#isSentWhole(chunk)) return sendChunk(route, chunk);
    if (!isUploaded) await uploadChunk(route, chunk);
    return this.#deps.controlPlane.logCommit(this.#log, chunk.commit, signal);
  }

  #route(file: FileHandle, signal: AbortSignal): ChunkRoute {
    return { controlPlane: this.#deps.controlPlane, job: this.#log, file, signal };
  }

  /** Not after a refusal: a server of before, put back since the last sync, looks for an upload. */
  #isSentWhole({ body }: LogChunk): boolean {
    return this.#refusals === 0 && body.length <= this.#deps.controlPlane.logBodyBytes();
  }

  async #shipReplacement(
    files: LogFiles,
    refused: LogChunk,
    error: HttpError,
    signal: AbortSignal,
  ): Promise<void> {
    const line = refused.commit.first_line;
    this.#deps.log(`job ${this.#log.id}: line ${line} of its log is refused: ${error.message}`);
    const other = await replacement(refused, this.#deps.clock.wall(), error.message);
    await this.#send(files, other, signal);
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
