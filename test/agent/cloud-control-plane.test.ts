import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { system } from "../../control-plane/node-system.ts";
import { AgentBench } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { openCloudLab, type CloudLab } from "../support/aws/cloud-lab.ts";
import { startCloud, type Cloud } from "../support/aws/cloud.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { until } from "../support/real-lab.ts";

let program: Awaited<ReturnType<typeof agentProgram>>;
let cloud: Cloud;
let lab: CloudLab;
let server: Server;
let bench: AgentBench;
let asked: string[];

beforeAll(async () => {
  [program, cloud] = await Promise.all([agentProgram(), startCloud()]);
});
afterAll(async () => {
  await cloud.close();
  program.remove();
});
beforeEach(async () => {
  lab = await openCloudLab(cloud, await cloud.newLab(), system);
  asked = [];
  server = createAdaptorServer({
    fetch: (request: Request) => {
      asked.push(new URL(request.url).pathname.split("/").slice(3).join("/"));
      return lab.app.fetch(request);
    },
  }) as Server;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { token } = await api<{ token: string }>("POST", "/workers", { name: "bench" });
  const configuration = aDeviceConfiguration();
  await api("PUT", "/devices/qemu-01", { device_type: "qemu", worker: "bench", configuration });
  bench = new AgentBench(program.file, token);
});
afterEach(async () => {
  await bench.close();
  server.close();
  server.closeAllConnections();
  lab.close();
});

async function api<T>(method: string, where: string, body?: unknown): Promise<T> {
  const answer = await lab.app.request(`/api/v1${where}`, {
    method,
    headers: { authorization: `Bearer ${lab.adminToken}` },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as T;
}

async function submit(): Promise<number> {
  const { job_ids } = await api<{ job_ids: [number] }>("POST", "/jobs", aJob());
  await lab.settled();
  return job_ids[0];
}

test("a worker at its queue starts a job when it is submitted, and nobody waits at the control plane", async () => {
  const { port } = server.address() as AddressInfo;
  const agent = bench.start(`http://127.0.0.1:${port}`);
  await until(() => agent.log.includes("connected to the control plane"));
  for (const round of [1, 2]) {
    const id = await submit();
    await until(
      async () => (await api<{ state: string }>("GET", `/jobs/${id}`)).state === "Running",
    );
    await bench.untilFile(id, "runner");
    bench.go(id, "on");
    await bench.untilJobs((names) => names.length === 0);
    expect(await api(`GET`, `/jobs/${id}`)).toMatchObject({
      state: "Finished",
      health: "Complete",
    });
    expect(asked.slice(1).filter((what) => what === "worker/sync")).toHaveLength(2 * round);
  }
  expect(asked).toHaveLength(1 + 2 * 4);
  expect(agent.log.join("\n")).not.toMatch(/cannot/);
});
