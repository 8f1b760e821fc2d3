import { spawn, type ChildProcess } from "node:child_process";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { LAUNCHER } from "../../worker/install/launcher.ts";
import { layoutOf, type Layout } from "../../worker/install/layout.ts";

export interface InstalledWorker {
  readonly layout: Layout;
  readonly log: string[];
  /** Ends the agent, its launcher's watchdog, and the service. */
  close(): Promise<void>;
}

/** A worker as `pumice-worker install` leaves it, and a service manager that starts its launcher again whenever it ends. */
export function installedWorker(
  dir: string,
  { version, file }: { version: string; file: string },
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  through: readonly string[] = [],
): InstalledWorker {
  const layout = layoutOf(dir);
  const target = path.join(dir, layout.fileOf(version));
  mkdirSync(path.dirname(target), { recursive: true });
  copyFileSync(file, target);
  symlinkSync(layout.fileOf(version), layout.current);
  writeFileSync(layout.launch, LAUNCHER, { mode: 0o755 });
  return startInstalled(dir, args, { env, through });
}

/** What is installed in this folder, started as a service manager does; by the program `through`, where there is one. */
export function startInstalled(
  dir: string,
  args: readonly string[],
  {
    env,
    through = [],
    ...user
  }: { env: NodeJS.ProcessEnv; through?: readonly string[]; uid?: number; gid?: number },
): InstalledWorker {
  const layout = layoutOf(dir);
  const log: string[] = [];
  let isClosed = false;
  let child: ChildProcess | undefined;
  let ended = Promise.resolve();

  function start(): void {
    const [program = layout.launch, ...rest] = [...through, layout.launch, ...args];
    const one = spawn(program, rest, {
      env: { ...process.env, ...env },
      ...user,
      stdio: ["ignore", "ignore", "pipe"],
    });
    child = one;
    one.stderr.on("data", (data: Buffer) => log.push(data.toString()));
    ended = new Promise((resolve) => {
      one.on("exit", () => {
        resolve();
        if (!isClosed) setTimeout(() => isClosed || start(), 100);
      });
    });
  }
  start();
  return {
    layout,
    log,
    async close() {
      isClosed = true;
      child?.kill("SIGTERM");
      await ended;
      for (const pid of ofInstallation(dir)) process.kill(pid, "SIGKILL");
    },
  };
}

/** Processes that the launcher has named its folder to: agents, runners, watchdogs. */
function ofInstallation(dir: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
        return environment.split("\0").includes(`PUMICE_INSTALL_DIR=${dir}`);
      } catch {
        return false;
      }
    });
}
