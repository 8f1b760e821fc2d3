import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import path from "node:path";
import type { RunnerReport, SyncResponse, Ticket } from "#protocol/worker-api.ts";
import { readJsonFile, syncFolder, writeFileAtomic } from "../host/atomic-file.ts";
import { jobDirectory } from "../host/job-directory.ts";
import { sizeOfLog } from "../host/log-segments.ts";
import { mountsIn } from "../host/remove-tree.ts";
import { claimForNobody, isClaimed } from "../host/runner-claim.ts";
import type { AgentDeps } from "./agent-deps.ts";
import { Backoff } from "./backoff.ts";
import { JobKeeper } from "./job-keeper.ts";
import { RUNNER_BYTES } from "./memory-budget.ts";
import { Readiness } from "./readiness.ts";

/** What the agent itself reads of a ticket. The folder of a lost job has no more than this. */
interface AgentTicket {
  readonly job_id: number;
  readonly token: string;
  /** Lines that the control plane had before this folder's log began. */
  readonly first_line?: number;
  readonly device?: string;
  readonly device_hostname?: string;
  readonly definition?: string;
}

type LostJob = SyncResponse["lost"][number];

/** Keeps all jobs of this worker: does what sync says, and takes over what an earlier agent left. */
export class Supervisor {
  readonly #deps: AgentDeps;
  readonly #signal: AbortSignal;
  readonly #keepers = new Map<number, JobKeeper>();
  readonly #running = new Map<number, Promise<void>>();
  /** Jobs that ran, by their folders, but whose tickets a disk has spoilt: the control plane may send those again. */
  readonly #withoutTicket = new Set<number>();
  /** Somebody waits for a device that a job of before still has. */
  #isPutOff = false;
  /** A device is free since somebody was put off. */
  #hasFreed = false;

  readonly #readiness: Readiness;

  /** Adopts the jobs whose folders it finds. When `signal` is aborted, runners go on without us. */
  constructor(deps: AgentDeps, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
    this.#readiness = new Readiness(deps, this.#keepers);
    mkdirSync(path.join(deps.workDir, "jobs"), { recursive: true, mode: 0o700 });
    this.#adopt();
    void this.#readiness.watch(signal);
  }

  /** Why no other job can begin here now, for the control plane; undefined when one can. */
  noJobs(): string | undefined {
    return this.#readiness.tell();
  }

  /** Whether the answer is wanted even if it is the one that we know: who was put off may begin now. */
  asksAnew(): boolean {
    return this.#hasFreed || this.#readiness.hasRoomAgain;
  }

  reports(): RunnerReport[] {
    return [...this.#keepers.values()].map((keeper) => keeper.report);
  }

  /** Does what an answer of sync says. Doing it twice changes nothing. */
  apply(answer: SyncResponse): void {
    this.#isPutOff = false;
    this.#hasFreed = false;
    this.#readiness.answered(answer.held);
    for (const id of answer.forget) this.#keepers.get(id)?.forget();
    for (const id of answer.cancel) this.#keepers.get(id)?.cancel();
    for (const ticket of answer.start) this.#start(ticket);
    for (const job of answer.lost) this.#reportLost(job);
    this.#discardUnwanted(answer);
    const watched = new Set(answer.watched);
    for (const [id, keeper] of this.#keepers) {
      keeper.isWatched = watched.has(id);
      // Adopted tickets whose runner never began wait for a first answer that doesn't object, and for memory.
      if (!keeper.isWaiting || this.#admit(id, keeper)) this.#keep(id, keeper);
    }
    this.#readiness.look();
    this.#rest();
  }

  /** The control plane answers again. */
  retryNow(): void {
    for (const keeper of this.#keepers.values()) keeper.retryNow();
  }

  /** Resolves when every job is out of our hands. */
  async done(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  #adopt(): void {
    for (const name of readdirSync(path.join(this.#deps.workDir, "jobs"))) {
      const id = Number(name);
      const dir = jobDirectory(this.#deps.workDir, id);
      const ticket = readJsonFile(dir.ticket) as AgentTicket | undefined;
      if (String(id) !== name || ticket?.job_id !== id || !ticket.token) {
        if (String(id) === name && isClaimed(dir.runner)) this.#withoutTicket.add(id);
        else this.#discard(path.join(this.#deps.workDir, "jobs", name));
        continue;
      }
      const keeper = this.#add(ticket, false);
      this.#deps.log(`job ${id}: adopted, ${keeper.report.state}`);
      if (!keeper.isUnclaimed) this.#keep(id, keeper);
    }
  }

  /** Nobody wants what has no ticket, unless the control plane has said so by now. */
  #discardUnwanted({ start, lost }: SyncResponse): void {
    const wanted = new Set([...start, ...lost].map(({ job_id }) => job_id));
    for (const id of this.#withoutTicket) {
      if (!wanted.has(id)) this.#discard(jobDirectory(this.#deps.workDir, id).root);
    }
    this.#withoutTicket.clear();
  }

  /** What is mounted there is not ours to empty; nor what a container of a killed job wrote as root. */
  #discard(folder: string): void {
    const [mount] = mountsIn(folder);
    if (mount !== undefined) {
      return this.#deps.log(`${mount} is still mounted, so ${folder} stays: unmount it by hand`);
    }
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      this.#deps.log(`${folder} stays: ${(error as Error).message}; remove it by hand`);
    }
  }

  #start(ticket: Ticket): void {
    if (this.#keepers.has(ticket.job_id)) return;
    // It is offered again once there is room.
    if (this.#readiness.reason !== undefined) return;
    const { device_hostname: device } = ticket;
    const isHeld = [...this.#keepers.values()].some((keeper) => keeper.holds(device));
    if (isHeld || this.#deps.hasConsole?.(device)) {
      if (!this.#isPutOff) this.#deps.log(`job ${ticket.job_id}: waits until ${device} is free`);
      this.#isPutOff = true;
      return;
    }
    const needBytes = this.#needOf(ticket);
    const refusal = this.#readiness.refusal(needBytes);
    if (refusal === undefined && !this.#hasMemoryFor(ticket.job_id, needBytes)) return;
    try {
      this.#writeTicket(ticket);
    } catch (error) {
      this.#deps.log(`job ${ticket.job_id}: cannot be started, trying on: ${String(error)}`);
      return;
    }
    const keeper = this.#add(ticket, true);
    if (refusal !== undefined) return keeper.kill(refusal);
    this.#deps.log(`job ${ticket.job_id}: starting${device === "" ? "" : ` on ${device}`}`);
    keeper.mayBegin = true;
  }

  /** Lets a job that was adopted before it had begun begin, if it finds the memory. */
  #admit(id: number, keeper: JobKeeper): boolean {
    const { needBytes } = keeper;
    const refusal = this.#readiness.refusal(needBytes);
    if (refusal !== undefined) keeper.kill(refusal);
    const mayBegin = refusal !== undefined || this.#hasMemoryFor(id, needBytes);
    return (keeper.mayBegin = mayBegin);
  }

  #hasMemoryFor(id: number, needBytes: number): boolean {
    if (this.#readiness.hasMemoryFor(id, needBytes)) return true;
    this.#deps.log(`job ${id}: waits until there is memory for it`);
    this.#isPutOff = true;
    return false;
  }

  #needOf(ticket: AgentTicket): number {
    return RUNNER_BYTES + (this.#deps.guestMemory?.(ticket) ?? 0);
  }

  #writeTicket(ticket: AgentTicket): void {
    const dir = jobDirectory(this.#deps.workDir, ticket.job_id);
    mkdirSync(dir.root, { recursive: true, mode: 0o700 });
    writeFileAtomic(dir.ticket, JSON.stringify(ticket));
    syncFolder(path.dirname(dir.root));
  }

  #add(ticket: AgentTicket, isNew: boolean): JobKeeper {
    const { job_id: id, token, first_line: firstLine = 0 } = ticket;
    const { device, device_hostname: hostname } = ticket;
    const dir = jobDirectory(this.#deps.workDir, id);
    this.#deps.jobBegins?.(ticket);
    const needBytes = this.#needOf(ticket);
    const job = { id, token, dir, firstLine, device, hostname, needBytes };
    const keeper = new JobKeeper(this.#deps, job, isNew, () => this.freed());
    this.#keepers.set(id, keeper);
    return keeper;
  }

  #keep(id: number, keeper: JobKeeper): void {
    if (this.#running.has(id)) return;
    const kept = this.#keepOn(id, keeper).finally(() => {
      this.#keepers.delete(id);
      this.#running.delete(id);
      if (!keeper.isDelivered) this.#deps.changed();
      this.#rest();
    });
    this.#running.set(id, kept);
  }

  #rest(): void {
    if (this.#keepers.size === 0) this.#deps.isIdle?.();
  }

  /** A device may be free now. */
  freed(): void {
    if (!this.#isPutOff) return this.#readiness.look();
    this.#hasFreed = true;
    this.#deps.changed();
  }

  /** A disk that is full or broken may be mended; what it holds of the job is all there is. */
  async #keepOn(id: number, keeper: JobKeeper): Promise<void> {
    const backoff = new Backoff(this.#deps.clock);
    while (!this.#signal.aborted) {
      try {
        return await keeper.keep(this.#signal);
      } catch (error) {
        this.#deps.log(`job ${id}: trying on after: ${String(error)}`);
        await this.#deps.clock.sleep(backoff.next(error), this.#signal);
      }
    }
  }

  #reportLost(lost: LostJob): void {
    const { job_id: id } = lost;
    if (this.#keepers.has(id) || this.#running.has(id)) return;
    this.#deps.log(`job ${id}: the control plane takes it for running, it is reported as lost`);
    const reported = this.#makeLostFolder(lost).finally(() => {
      this.#running.delete(id);
      const keeper = this.#keepers.get(id);
      if (keeper) this.#keep(id, keeper);
      this.#deps.changed();
    });
    this.#running.set(id, reported);
  }

  /**
   * Makes the folder of a job whose runner is gone: the rest is as for any other. A log that is there still is the job's; the
   * lines of one that isn't begin where the control plane's end.
   */
  async #makeLostFolder({ job_id: id, token, ticket }: LostJob): Promise<void> {
    const backoff = new Backoff(this.#deps.clock);
    const dir = jobDirectory(this.#deps.workDir, id);
    while (!this.#signal.aborted) {
      try {
        mkdirSync(dir.root, { recursive: true, mode: 0o700 });
        // Its first part may be gone, delivered.
        const hasLog = sizeOfLog(dir.log) > 0;
        const first_line = hasLog
          ? 0
          : await this.#deps.controlPlane.logTail({ id, token }, this.#signal);
        if (!existsSync(dir.runner)) claimForNobody(dir.runner);
        const known = { ...ticket, job_id: id, token, first_line };
        this.#writeTicket(known);
        this.#add(known, false);
        return;
      } catch (error) {
        if (this.#signal.aborted) return;
        this.#deps.log(`job ${id}: cannot be reported as lost, trying on: ${String(error)}`);
        await this.#deps.clock.sleep(backoff.next(error), this.#signal);
      }
    }
  }
}
