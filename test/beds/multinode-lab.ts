import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { JobView, LogPage, ResultView, SubmitResponse } from "#protocol/api.ts";
import { AgentBench } from "../support/agent-bench.ts";
import { freePort } from "../support/loopback-ports.ts";
import { pumiceProgram } from "../support/pumice-program.ts";
import { root, until } from "../support/real-lab.ts";
import { workerProgram } from "../support/worker-program.ts";

export interface MultinodeLab {
  api<T>(method: string, where: string, body?: unknown, type?: string): Promise<T>;
  /** Ids of the members, in the order of their roles. */
  submit(definition: string): Promise<number[]>;
  job(id: number): Promise<JobView>;
  /** Waits until the jobs are Finished. */
  finished(ids: readonly number[]): Promise<JobView[]>;
  /** `suite name result` of each result of tests. */
  verdicts(id: number): Promise<string[]>;
  log(id: number): Promise<string>;
  /** Waits until a job's log has this text. */
  untilLogged(id: number, text: string): Promise<void>;
  killServer(): Promise<void>;
  startServer(): Promise<void>;
  close(): Promise<void>;
}

/** A control plane and workers of this tree as processes of their own; `devices` QEMU devices each, `qemu-1` ... */
export async function multinodeLab(devices: readonly number[]): Promise<MultinodeLab> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "pumice-multinode-"));
  const [pumice, worker] = await Promise.all([pumiceProgram(), workerProgram()]);
  // Where the program looks for them.
  symlinkSync(
    path.join(root, "device-templates"),
    path.join(path.dirname(pumice.file), "device-templates"),
  );
  const listen = `127.0.0.1:${await freePort()}`;
  const benches: AgentBench[] = [];
  let server: ChildProcess;

  async function startServer(): Promise<void> {
    const args = [pumice.file, "serve", "--data", dataDir, "--listen", listen];
    server = spawn(process.execPath, args, {
      stdio: ["ignore", "ignore", process.env["AGENT_LOG"] ? "inherit" : "ignore"],
    });
    await until(async () => {
      if (server.exitCode !== null) throw new Error("the control plane has ended");
      return (await fetch(`http://${listen}/healthz`).catch(() => undefined)) !== undefined;
    });
  }
  async function killServer(): Promise<void> {
    server.kill("SIGKILL");
    await once(server, "exit");
  }
  async function api<T>(
    method: string,
    where: string,
    body?: unknown,
    type = "application/json",
  ): Promise<T> {
    const token = readFileSync(path.join(dataDir, "admin-token"), "utf8").trim();
    const answer = await fetch(`http://${listen}/api/v1${where}`, {
      method,
      // A connection that is kept would be one to a server that is gone after a restart.
      headers: { authorization: `Bearer ${token}`, "content-type": type, connection: "close" },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  }
  const job = (id: number): Promise<JobView> => api("GET", `/jobs/${id}`);

  async function log(id: number): Promise<string> {
    const lines: string[] = [];
    for (;;) {
      const page = await api<LogPage>("GET", `/jobs/${id}/log?start=${lines.length}`);
      for (const { lvl, msg } of page.records) {
        lines.push(`${String(lvl)} ${typeof msg === "string" ? msg : JSON.stringify(msg)}`);
      }
      if (page.records.length === 0) return lines.join("\n");
    }
  }

  await startServer();
  const configuration = readFileSync(path.join(root, "docs/examples/qemu-device.yaml"), "utf8");
  let number = 0;
  for (const [index, count] of devices.entries()) {
    const name = `bench-${index + 1}`;
    const { token } = await api<{ token: string }>("POST", "/workers", { name });
    const bench = new AgentBench(worker.file, token);
    benches.push(bench);
    for (let n = 0; n < count; n++) {
      const device = { device_type: "qemu", worker: name, configuration };
      await api("PUT", `/devices/qemu-${++number}`, device);
    }
    bench.startProcess(`http://${listen}`);
    await until(
      async () => (await api<{ state: string }>("GET", `/workers/${name}`)).state === "Online",
    );
  }
  return {
    ...{ api, job, log, killServer, startServer },
    submit: async (definition) =>
      (await api<SubmitResponse>("POST", "/jobs", definition, "application/yaml")).job_ids,
    finished: async (ids) => {
      await until(
        async () => (await Promise.all(ids.map(job))).every(({ state }) => state === "Finished"),
        200,
      );
      return Promise.all(ids.map(job));
    },
    verdicts: async (id) =>
      (await api<{ results: ResultView[] }>("GET", `/jobs/${id}/results`)).results
        .filter(({ suite }) => suite !== "lava")
        .map(({ suite, name, result }) => `${suite} ${name} ${result}`),
    untilLogged: (id, text) => until(async () => (await log(id)).includes(text), 200),
    close: async () => {
      await Promise.all(benches.map((bench) => bench.close()));
      if (server.exitCode === null && server.signalCode === null) await killServer();
      pumice.remove();
      worker.remove();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
