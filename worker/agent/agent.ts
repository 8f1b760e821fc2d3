import { mkdirSync, realpathSync } from "node:fs";
import { HttpClient } from "../host/http-client.ts";
import { lockWorkDir } from "../host/work-dir-lock.ts";
import { installedLayout } from "../install/layout.ts";
import type { AgentDeps } from "./agent-deps.ts";
import { agentLimits } from "./agent-limits.ts";
import { systemClock, type Clock } from "./clock.ts";
import { ControlPlane } from "./control-plane.ts";
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
  readonly log: (line: string) => void;
  readonly clock?: Clock;
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
  mkdirSync(options.workDir, { recursive: true, mode: 0o700 });
  // One name, so that the next agent finds by it what this one's runners started.
  const workDir = realpathSync(options.workDir);
  const lock = lockWorkDir(workDir);
  try {
    const controlPlane = new ControlPlane(http, token.current);
    const loop = new SyncLoop();
    const { changed } = loop;
    const swapping = new AbortController();
    const signal = AbortSignal.any([stopped, swapping.signal]);
    const restart = (): void => swapping.abort();
    const layout = installedLayout();
    const { isBusy } = options;
    const upgrader = new Upgrader({ layout, http, clock, isBusy, log, changed, restart }, signal);
    const deps: AgentDeps = {
      controlPlane,
      // Logs are read beside those of other machines.
      clock: { ...clock, wall: serverClock.wall },
      workDir,
      limits: agentLimits(),
      runnerCommand,
      cleanUpCommand,
      jobBegins,
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
        apply: (answer) => supervisor.apply(answer),
        restored: () => supervisor.retryNow(),
        refreshToken: token.refused,
        accepted: token.accepted,
        rotate: (id, current) =>
          token.rotate(id, (request) => controlPlane.registerToken(request, current)),
      },
      signal,
    );
    await supervisor.done();
  } finally {
    lock.release();
    http.close();
  }
}
