import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { identityOf, isAlive } from "./process-table.ts";

/**
 * Takes a work folder for this agent alone; a killed agent's lock counts for nothing. Throws when
 * another agent has it. Each agent writes a file named for itself first and looks for others then: of two
 * that start together one or both give up, never none.
 */
export function lockWorkDir(workDir: string): { release(): void } {
  const folder = path.join(workDir, "lock");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const self = identityOf(process.pid);
  if (!self) throw new Error("this process is not in /proc: is it mounted?");
  const own = `${self.pid}.${self.started}`;
  const release = (): void => rmSync(path.join(folder, own), { force: true });
  writeFileSync(path.join(folder, own), "", { mode: 0o600 });
  for (const name of readdirSync(folder)) {
    if (name === own) continue;
    const pid = holderOf(name);
    if (pid !== undefined) {
      release();
      throw new Error(
        `${workDir} is in use by another agent, process ${pid}: stop it, or choose another --work-dir`,
      );
    }
    rmSync(path.join(folder, name), { force: true });
  }
  return { release };
}

/** The process that is the agent of a work folder; undefined when there is none, or nobody may look. */
export function lockHolder(workDir: string): number | undefined {
  try {
    const names = readdirSync(path.join(workDir, "lock"));
    return names.map(holderOf).find((pid) => pid !== undefined);
  } catch {
    return undefined;
  }
}

function holderOf(name: string): number | undefined {
  const [, pid, started] = /^(\d+)\.(.+)$/.exec(name) ?? [];
  const isHeld =
    pid !== undefined && started !== undefined && isAlive({ pid: Number(pid), started });
  return isHeld ? Number(pid) : undefined;
}
