import { readFileSync } from "node:fs";
import path from "node:path";
import { pause, startLab } from "./lab.mjs";

/**
 * Memory in MiB: RSS as `top` shows it, and PSS, in which a page shared by several processes counts
 * once in all (three Node.js processes share one binary).
 */
export async function measureMemory({ runs }) {
  const rows = {};
  const note = (name, pid) => {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    for (const kind of ["Rss", "Pss"]) {
      const kib = Number(new RegExp(`^${kind}:\\s+(\\d+)`, "m").exec(rollup)?.[1]);
      (rows[`${name}, ${kind.toUpperCase()}`] ??= []).push(kib / 1024);
    }
  };
  const lab = await startLab();
  try {
    for (let n = 0; n < runs; n++) {
      note("control plane, idle", lab.serverPid);
      note("agent, idle", lab.agentPid);
      await duringJob(lab, (pid) => note("runner, during a job", pid), note);
    }
  } finally {
    await lab.close();
  }
  return Object.entries(rows).map(([name, values]) => ({ name, unit: "MiB", values }));
}

/** Reads the processes once while the job runs, when the guest has booted. */
async function duringJob(lab, noteRunner, note) {
  const id = await lab.submit(lab.job("qemu-smoke.yaml"));
  const file = path.join(lab.workDir, "jobs", String(id), "runner.json");
  let asked = false;
  for (;;) {
    const job = await lab.api("GET", `/jobs/${id}`);
    if (job.state === "Finished") break;
    if (!asked && job.log_lines > 100) {
      // Late enough that everything the runner loads is loaded.
      const { pid } = JSON.parse(readFileSync(file, "utf8"));
      noteRunner(pid);
      note("control plane, during a job", lab.serverPid);
      note("agent, during a job", lab.agentPid);
      asked = true;
    }
    await pause(100);
  }
}
