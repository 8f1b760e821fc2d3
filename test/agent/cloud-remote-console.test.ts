import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { ConsoleOutput, ConsoleView, OpenedConsole } from "#protocol/consoles.ts";
import { system } from "../../control-plane/node-system.ts";
import { endConsolesOf } from "../../worker/services/left-consoles.ts";
import { AgentBench } from "../support/agent-bench.ts";
import { openCloudLab, type CloudLab } from "../support/aws/cloud-lab.ts";
import { startCloud, type Cloud } from "../support/aws/cloud.ts";
import { aDeviceConfiguration } from "../support/builders.ts";
import { until } from "../support/real-lab.ts";
import { workerProgram } from "../support/worker-program.ts";

let program: Awaited<ReturnType<typeof workerProgram>>;
let cloud: Cloud;
let lab: CloudLab;
let server: Server;
let bench: AgentBench;
let asked: string[];

beforeAll(async () => {
  [program, cloud] = await Promise.all([workerProgram(), startCloud()]);
});
afterAll(async () => {
  await cloud.close();
  program.remove();
});
beforeEach(async () => {
  lab = await openCloudLab(cloud, await cloud.newLab(), system, { logHoldSeconds: 0 });
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
  const connect = `sh -c 'echo ready; while read line; do echo "you said $line"; done'`;
  const commands = JSON.stringify({ connect });
  const configuration = `${aDeviceConfiguration()}commands: ${commands}\n`;
  await api("PUT", "/devices/board-01", { device_type: "qemu", worker: "bench", configuration });
  bench = new AgentBench(program.file, token);
});
afterEach(async () => {
  await bench.close();
  endConsolesOf(bench.workDir);
  server.close();
  server.closeAllConnections();
  lab.close();
});

async function api<T>(method: string, where: string, body?: unknown): Promise<T> {
  const answer = await lab.app.request(`/api/v1${where}`, {
    method,
    headers: { authorization: `Bearer ${lab.adminToken}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${where}: ${answer.status} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

/** As a window asks: what comes, and how long it is to wait until it asks again. */
async function said(id: string, text: string): Promise<ConsoleOutput[]> {
  const answers: ConsoleOutput[] = [];
  let all = "";
  await until(async () => {
    const from = answers.at(-1)?.next ?? 0;
    const answer = await api<ConsoleOutput>("GET", `/consoles/${id}/output?from=${from}&hold=20`);
    answers.push(answer);
    for (const { data } of answer.pieces) all += Buffer.from(data, "base64").toString();
    return all.includes(text);
  });
  return answers;
}

test("on AWS a worker at its queue opens a console when it is asked for, and types and tells by asking", async () => {
  const { port } = server.address() as AddressInfo;
  bench.startProcess(`http://127.0.0.1:${port}`);
  await until(() => asked.includes("worker/sync"));
  await api("POST", "/reservations", { device: "board-01", seconds: 3600 });
  const session = await api<OpenedConsole>("POST", "/consoles", { device: "board-01" });
  await said(session.id, "ready");
  const data = Buffer.from("hello\n").toString("base64");
  const input = { writer: session.writer, call: "1", data };
  await api("POST", `/consoles/${session.id}/input`, input);
  const answers = await said(session.id, "you said hello");
  const polls = answers.flatMap(({ poll_seconds }) => poll_seconds ?? []);
  // Somebody types: who waits for the echo asks more often.
  expect(new Set(polls)).toEqual(new Set(polls.length === 0 ? [] : [0.3]));
  await api("DELETE", "/reservations/board-01");
  expect(await api<ConsoleView>("GET", `/consoles/${session.id}`)).toMatchObject({
    state: "ended",
    reason: "the reservation of admin is over",
  });
});
