import { realpathSync } from "node:fs";
import path from "node:path";
import { makeFolder } from "../host/make-folder.ts";
import { HttpClient } from "../host/http-client.ts";
import { lockWorkDir } from "../host/work-dir-lock.ts";
import { installedLayout } from "../install/layout.ts";
import type { AgentDeps } from "./agent-deps.ts";
import { agentLimits } from "./agent-limits.ts";
import { systemClock, type Clock } from "./clock.ts";
import { consoleRelays, type OpenDevice } from "./console-relays.ts";
import { ControlPlane, type ControlPlaneCalls } from "./control-plane.ts";
import { watchServerClock } from "./server-clock.ts";
import { Supervisor } from "./supervisor.ts";
import { SyncLoop } from "./sync-loop.ts";
import { tokenKeeper } from "./token-keeper.ts";
import { Upgrader } from "./upgrader.ts";

export interface AgentOptions {
  readonly url: string;
  /** The worker's token; read again when it was refused. */
  readonly tokenFile: string;
  readonly workDir: string;
  /** Command line of the program that runs the job of a folder. */
  readonly runnerCommand: (jobFolder: string) => [command: string, ...args: string[]];
  /** Told of each job before its runner begins. */
  readonly jobBegins?: ((ticket: { readonly job_id: number }) => void) | undefined;
  /** Command line of the program that switches off what the killed runner of a folder's job left on. */
  readonly cleanUpCommand: (jobFolder: string) => [command: string, ...args: string[]];
  /** A device is just being served by this process: an upgrade waits. */
  readonly isBusy?: (() => boolean) | undefined;
  /** Told when nothing is to be done here any more, for now. */
  readonly isIdle?: (() => void) | undefined;
  /** Opens a device's console for a person; without it this worker has no remote consoles. */
  readonly openDevice?: OpenDevice | undefined;
  /** Ends what the consoles of an agent that was killed left running: a device's port is free again. */
  readonly endLeftConsoles?: (() => void) | undefined;
  /** Another far side than a control plane of ours. */
  readonly connect?: ((around: Surroundings) => ControlPlaneCalls) | undefined;
  readonly log: (line: string) => void;
  readonly clock?: Clock;
}

/** What the far side's calls are made of. */
export interface Surroundings {
  readonly http: HttpClient;
  /** The worker's token, as it is now. */
  readonly token: () => string;
  readonly workDir: string;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** Aborted when the agent stops. */
  readonly signal: AbortSignal;
}

/**
 * The worker's agent: runs until `stopped` is aborted, or another version is to be started, and leaves its runners running then. Throws when it
 * cannot begin: no token, a URL that is none, a work folder that another agent has or nobody may write to.
 */
export async function runAgent(options: AgentOptions, stopped: AbortSignal): Promise<void> {
  const { url, runnerCommand, cleanUpCommand, jobBegins, log, clock = systemClock } = options;
  const token = tokenKeeper(options.tokenFile, log);
  const serverClock = watchServerClock(log);
  const http = new HttpClient(url, { env: process.env, onServerTime: serverClock.heard });
  makeFolder(path.resolve(options.workDir), 0o700);
  // One name, so that the next agent finds by it what this one's runners started.
  const workDir = realpathSync(options.workDir);
  const lock = lockWorkDir(workDir);
  try {
    const loop = new SyncLoop();
    const { changed } = loop;
    const swapping = new AbortController();
    const signal = AbortSignal.any([stopped, swapping.signal]);
    const restart = (): void => swapping.abort();
    const around = { http, token: token.current, workDir, clock, log, signal };
    const controlPlane = options.connect?.(around) ?? new ControlPlane(http, token.current);
    const layout = installedLayout();
    const { openDevice } = options;
    options.endLeftConsoles?.();
    const closed = (): void => supervisor.freed();
    const consoles = consoleRelays({ controlPlane, clock, log, openDevice, closed }, signal);
    const isBusy = (): boolean => consoles.isBusy() || options.isBusy?.() === true;
    const upgrader = new Upgrader({ layout, http, clock, isBusy, log, changed, restart }, signal);
    const limits = agentLimits();
    // Reading YAML takes memory itself: not without a reason.
    const guests = limits.memory && (await import("../host/guest-memory.ts"));
    const deps: AgentDeps = {
      controlPlane,
      // Logs are read beside those of other machines.
      clock: { ...clock, wall: serverClock.wall },
      workDir,
      limits,
      guestMemory: guests?.guestMemory,
      runnerCommand,
      cleanUpCommand,
      jobBegins,
      isIdle: options.isIdle,
      hasConsole: consoles.has,
      log,
      changed,
    };
    const supervisor = new Supervisor(deps, signal);
    await loop.run(
      {
        controlPlane,
        clock,
        log,
        upgrader,
        reports: () => supervisor.reports(),
        noJobs: () => supervisor.noJobs(),
        asksAnew: () => supervisor.asksAnew(),
        apply: (answer) => {
          // First: a job may begin on a device whose console was open.
          consoles.apply(answer.consoles ?? []);
          supervisor.apply(answer);
        },
        restored: () => supervisor.retryNow(),
        refreshToken: token.refused,
        accepted: token.accepted,
        rotate: (id, current) =>
          token.rotate(id, (request) => controlPlane.registerToken(request, current)),
      },
      signal,
    );
    await Promise.all([supervisor.done(), consoles.done()]);
  } finally {
    lock.release();
    http.close();
  }
}
