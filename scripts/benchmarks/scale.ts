import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Hono } from "hono";
import type { Deps } from "../../control-plane/domain/deps.ts";
import { tick } from "../../control-plane/domain/tick.ts";
import type { SyncResponse } from "#protocol/worker-api.ts";
import type { Env } from "../../control-plane/http/route.ts";
import { system } from "../../control-plane/node-system.ts";
import type { Blobs } from "../../control-plane/ports/blobs.ts";
import type { Operation, Table } from "../../control-plane/ports/table.ts";
import { openLab } from "../../control-plane/serve.ts";
import { startCloud } from "../../test/support/aws/cloud.ts";
import { openCloudLab } from "../../test/support/aws/cloud-lab.ts";
import { aDeviceConfiguration, aJob } from "../../test/support/builders.ts";
import {
  fillDynamoDb,
  fillTable,
  IDLE_TYPE,
  itemsOfLab,
  QUEUE_TYPE,
  type Size,
} from "./scale-lab.ts";

/** What one thing costs: calls of the table, and what they read and wrote (items in SQLite, request units in DynamoDB). */
export interface Cost {
  requests: number;
  reads: number;
  writes: number;
}

interface LabUnderLoad {
  readonly deps: Deps;
  readonly app: Hono<Env>;
  readonly adminToken: string;
  settled(): Promise<void>;
  /** Since it was asked last. */
  cost(): Cost;
}

const quiet = { ...system, log: () => {} };

/** Costs of each event in a lab of this size, on SQLite: calls, items read, items written. */
export async function scaleOnSqlite(size: Size): Promise<Record<string, Cost>> {
  const dataDir = mkdtempSync(path.join(tmpdir(), "pumice-scale-"));
  const lab = await openLab({ dataDir, system: quiet });
  try {
    await fillTable(lab.engine.table, itemsOfLab(size));
    await lab.deps.table.raiseCounter("job", size.jobs);
    const { cost } = countCalls(lab.engine.table);
    const adminToken = readFileSync(path.join(dataDir, "admin-token"), "utf8").trim();
    const settled = () => lab.engine.signals.passesDone();
    return await measure({ ...lab, adminToken, settled, cost });
  } finally {
    await lab.close();
    rmSync(dataDir, { recursive: true });
  }
}

/** The same on DynamoDB: requests and request units. */
export async function scaleOnDynamoDb(size: Size): Promise<Record<string, Cost>> {
  const cloud = await startCloud();
  const lab = await openCloudLab(cloud, cloud.place, quiet);
  try {
    await fillDynamoDb(cloud, itemsOfLab(size));
    await lab.deps.table.raiseCounter("job", size.jobs);
    const cost = (): Cost => {
      const { calls, reads, writes, indexWrites } = cloud.dynamodb.meter.read();
      cloud.dynamodb.meter.reset();
      const requests = Object.values(calls).reduce((a, b) => a + b, 0);
      return { requests, reads, writes: writes + indexWrites };
    };
    return await measure({ ...lab, cost });
  } finally {
    lab.close();
    await cloud.close();
  }
}

async function measure(lab: LabUnderLoad): Promise<Record<string, Cost>> {
  const { blobs } = lab.deps;
  const real: Blobs = { ...blobs };
  // The jobs that were filled in have no definitions of their own.
  blobs.get = async (key) => (await real.get(key)) ?? new TextEncoder().encode(aJob());
  const api = async <T>(where: string, body?: unknown, method?: string, token?: string) => {
    const answer = await lab.app.request(`/api/v1${where}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: { authorization: `Bearer ${token ?? lab.adminToken}` },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  };
  const makeWorker = async (name: string) => {
    const { token } = await api<{ token: string }>("/workers", { name });
    return (runners: object[] = []) =>
      api<Pick<SyncResponse, "start">>(
        "/worker/sync",
        { protocol: 1, version: "bench", runners, wait_seconds: 0 },
        "POST",
        token,
      );
  };
  const [idle, queue, bare] = [
    await makeWorker("bench-idle"),
    await makeWorker("bench-queue"),
    await makeWorker("bench-bare"),
  ];
  for (const sync of [idle, queue, bare]) await sync();
  const configuration = aDeviceConfiguration();
  for (const [worker, device_type] of [
    ["bench-idle", IDLE_TYPE],
    ["bench-queue", QUEUE_TYPE],
  ] as const) {
    await api(`/devices/${worker}`, { device_type, worker, configuration }, "PUT");
  }
  await lab.settled();
  const [running] = (await queue()).start;
  if (!running) throw new Error("no job of the queue was given to the worker");
  await queue([{ job_id: running.job_id, state: "running" }]);

  const costs: Record<string, Cost> = {};
  const costOf = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    await lab.settled();
    lab.cost();
    await work();
    await lab.settled();
    costs[name] = lab.cost();
  };
  await costOf("a submission that finds its device", async () => {
    await api("/jobs", aJob({ deviceType: IDLE_TYPE }));
  });
  await costOf("a submission that has to wait", async () => {
    await api("/jobs", aJob({ deviceType: QUEUE_TYPE }));
  });
  await costOf("a job's end, and the next of the queue", async () => {
    const body = { result: "pass", lines: 0 };
    await api(`/jobs/${running.job_id}/finish`, body, "POST", running.token);
  });
  await costOf("a sync of an idle worker", () => bare());
  await costOf("a page of jobs", () => api("/jobs?limit=50"));
  await costOf("a page of devices", () => api("/devices?limit=50"));
  await costOf("a page of workers", () => api("/workers?limit=10"));
  await costOf("a tick", () => tick(lab.deps));
  return costs;
}

/** Counts what goes through the table's port. */
function countCalls(table: Table): { cost: () => Cost } {
  let now: Cost = { requests: 0, reads: 0, writes: 0 };
  const real: Table = { ...table };
  const counted: Pick<Table, "get" | "query" | "transact"> = {
    async get<T>(...args: Parameters<Table["get"]>) {
      now.requests++;
      now.reads++;
      return real.get<T>(...args);
    },
    async query<T>(...args: Parameters<Table["query"]>) {
      now.requests++;
      const page = await real.query<T>(...args);
      now.reads += page.items.length;
      return page;
    },
    async transact(operations: readonly Operation[]) {
      now.requests++;
      now.writes += operations.length;
      return real.transact(operations);
    },
  };
  Object.assign(table, counted);
  return {
    cost() {
      const cost = now;
      now = { requests: 0, reads: 0, writes: 0 };
      return cost;
    },
  };
}
