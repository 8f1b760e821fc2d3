import { readFileSync } from "node:fs";
import path from "node:path";
import { exampleJob, realLab, until, type RealLab } from "../../test/support/real-lab.ts";
import type { Row } from "./main.ts";

/**
 * Memory in MiB: RSS as `top` shows it, and PSS, in which a page shared by several processes counts
 * once in all (three Node.js processes share one binary).
 */
export async function measureMemory({ runs }: { runs: number }): Promise<Row[]> {
  const figures = new Map<string, number[]>();
  const note = (name: string, pid: number | undefined): void => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    for (const kind of ["Rss", "Pss"]) {
      const kib = Number(new RegExp(`^${kind}:\\s+(\\d+)`, "m").exec(rollup)?.[1]);
      const key = `${name}, ${kind.toUpperCase()}`;
      figures.set(key, [...(figures.get(key) ?? []), kib / 1024]);
    }
  };
  const lab = await realLab();
  try {
    for (let n = 0; n < runs; n++) {
      note("control plane, idle", lab.server.pid);
      note("agent, idle", lab.agent.pid);
      await duringJob(lab, note);
    }
  } finally {
    await lab.close();
  }
  return [...figures].map(([name, values]) => ({ name, unit: "MiB", values }));
}

/** Reads the processes once while the job runs, when the guest has booted and tests run. */
async function duringJob(
  lab: RealLab,
  note: (name: string, pid: number | undefined) => void,
): Promise<void> {
  const id = await lab.submit(exampleJob("qemu-smoke.yaml"));
  await lab.follow(id, ({ msg }) => /^start: \S+ lava-test-shell /.test(String(msg)));
  const runner = path.join(lab.workDir, "jobs", String(id), "runner.json");
  note("runner, during a job", (JSON.parse(readFileSync(runner, "utf8")) as { pid: number }).pid);
  note("control plane, during a job", lab.server.pid);
  note("agent, during a job", lab.agent.pid);
  await lab.finished(id);
  await until(
    async () => (await lab.api<{ state: string }>("GET", "/devices/qemu-01")).state === "Idle",
  );
}
