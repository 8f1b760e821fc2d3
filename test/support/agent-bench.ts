import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { runAgent } from "../../worker/agent/agent.ts";
import { systemClock, type Clock } from "../../worker/agent/clock.ts";
import { jobDirectory } from "../../worker/host/job-directory.ts";
import { findDescendants } from "../../worker/host/process-table.ts";

export interface AgentHandle {
  readonly log: string[];
  /** Ends the agent as SIGTERM does. */
  stop(): Promise<void>;
}

/** A worker's machine: a work folder, agents to start on it, and runners to let go on. */
export class AgentBench {
  readonly dir = mkdtempSync(path.join(tmpdir(), "pumice-agent-"));
  readonly workDir = path.join(this.dir, "work");
  readonly tokenFile = path.join(this.dir, "token");
  readonly #program: string;
  readonly #agents: AgentHandle[] = [];
  readonly #processes: ChildProcess[] = [];

  constructor(program: string, token: string) {
    this.#program = program;
    writeFileSync(this.tokenFile, token, { mode: 0o600 });
  }

  /** An agent in this process; its runners are real ones. */
  start(
    url: string,
    clock: Clock = systemClock,
    command: string = process.execPath,
  ): AgentHandle & { ended: Promise<void> } {
    const stop = new AbortController();
    const log: string[] = [];
    const program = (name: string) => {
      return (folder: string): [string, ...string[]] => [command, this.#program, name, folder];
    };
    const commands = { runnerCommand: program("runner"), cleanUpCommand: program("clean-up") };
    const { tokenFile, workDir } = this;
    const ended = runAgent(
      { url, tokenFile, workDir, ...commands, log: (line) => log.push(line), clock },
      stop.signal,
    );
    const handle = {
      log,
      ended,
      stop: async () => {
        stop.abort();
        await ended;
      },
    };
    this.#agents.push(handle);
    return handle;
  }

  /** The program itself as a process of its own, to be killed. `PUMICE_TEST_RUNTIME` names another runtime for it. */
  startProcess(
    url: string,
    runtime = process.env["PUMICE_TEST_RUNTIME"] ?? process.execPath,
    env: Readonly<Record<string, string>> = {},
  ): ChildProcess {
    const args = ["start", "--url", url, "--token-file", this.tokenFile, "--work-dir"];
    const child = spawn(runtime, [this.#program, ...args, this.workDir], {
      stdio: ["ignore", "ignore", process.env["AGENT_LOG"] ? "inherit" : "ignore"],
      env: { ...process.env, ...env },
    });
    this.#processes.push(child);
    return child;
  }

  /** Lets a runner go on that waits for `name`. */
  go(jobId: number, name: string): void {
    writeFileSync(path.join(this.#folder(jobId), `go-${name}`), "");
  }

  /** Processes of a job: its runner and what that started. */
  processesOf(jobId: number): number[] {
    return findDescendants("PUMICE_JOB_DIR", this.#folder(jobId), undefined);
  }

  /** Resolves when the condition on the work folder's jobs holds. */
  async untilJobs(condition: (names: string[]) => boolean): Promise<void> {
    const folder = path.join(this.workDir, "jobs");
    const watcher = watch(folder);
    try {
      while (!condition(readdirSync(folder))) await once(watcher, "change");
    } finally {
      watcher.close();
    }
  }

  /** Resolves when the file of a job's folder is there. */
  async untilFile(jobId: number, name: "runner" | "result"): Promise<void> {
    const folder = this.#folder(jobId);
    const file = jobDirectory(this.workDir, jobId)[name];
    const watcher = watch(folder);
    try {
      while (!existsSync(file)) await once(watcher, "change");
    } finally {
      watcher.close();
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#agents.map((agent) => agent.stop()));
    await Promise.all(this.#processes.map(kill));
    for (const name of existsSync(path.join(this.workDir, "jobs"))
      ? readdirSync(path.join(this.workDir, "jobs"))
      : []) {
      for (const pid of this.processesOf(Number(name))) process.kill(pid, "SIGKILL");
    }
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 });
  }

  #folder(jobId: number): string {
    return jobDirectory(this.workDir, jobId).root;
  }
}

export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}
