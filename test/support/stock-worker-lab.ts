import { expect } from "vitest";
import type { DeviceView, LogPage, ResultView, WorkerView } from "#protocol/api.ts";
import type { Settings } from "../../control-plane/domain/deps.ts";
import { aJob } from "./builders.ts";
import { embeddedLab, type EmbeddedLab } from "./embedded-lab.ts";

export const BASE = "/scheduler/internal/v1";
export const RETRIED = aJob({ lines: ["retry_on: infrastructure"] });
const DT = "2026-11-21T02:29:58.117170";

export interface Told {
  id: number;
  token: string;
}
interface Plan {
  cancel: Told[];
  running: Told[];
  start: Told[];
}

/** Those of the test that runs. */
let lab: EmbeddedLab;
let worker: string;

/** A lab with a device of worker `bench`, whose token it answers; all below speaks to it, as a stock worker does. Close it after the test. */
export async function stockWorkerLab(
  settings: Partial<Settings> = {},
): Promise<{ lab: EmbeddedLab; worker: string }> {
  lab = await embeddedLab({ jobLeaseSeconds: 600, ...settings });
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  return { lab, worker };
}

export const ask = async (
  where: string,
  token?: string,
  form?: Record<string, string>,
  address?: string,
): Promise<Response> =>
  lab.app.request(
    BASE + where,
    {
      method: form ? "POST" : "GET",
      headers: token === undefined ? {} : { "lava-token": token },
      ...(form ? { body: new URLSearchParams(form) } : {}),
    },
    ...(address === undefined ? [] : [{ address }]),
  );
export const told = async (answer: Promise<Response>) => {
  const response = await answer;
  return [response.status, await response.json()] as const;
};
export const ping = async (version = "2023.01"): Promise<Plan> => {
  const answer = await ask(`/workers/bench/?version=${version}`, worker);
  if (!answer.ok) throw new Error(await answer.text());
  await lab.settled();
  return (await answer.json()) as Plan;
};
/** Submits a job and has the worker begin it. */
export const begin = async (definition = aJob()): Promise<Told> => {
  await ping();
  await lab.submit(definition);
  const [job] = (await ping()).start;
  if (!job) throw new Error("no job to start");
  expect((await ask(`/jobs/${job.id}/`, job.token)).status).toBe(200);
  await ask(`/jobs/${job.id}/`, job.token, { state: "RUNNING" });
  return job;
};
export const record = (msg: unknown, lvl = "info") => `- ${JSON.stringify({ dt: DT, lvl, msg })}`;
export const result = (name: string) =>
  record({ definition: "0_smoke", case: name, result: "pass" }, "results");
export const ship = ({ id, token }: Told, lines: string[], index = 0) =>
  told(ask(`/jobs/${id}/logs/`, token, { lines: lines.join("\n"), index: String(index) }));
export const end = async ({ id, token }: Told, form: Record<string, string> = {}) => {
  const all = { state: "FINISHED", result: "pass", error_type: "", errors: "", description: "" };
  const answer = await told(ask(`/jobs/${id}/`, token, { ...all, ...form }));
  await lab.settled();
  return answer;
};
export const logOf = async (id: number) => (await lab.api<LogPage>(`/jobs/${id}/log`)).records;
export const casesOf = async (id: number) =>
  (await lab.api<{ results: ResultView[] }>(`/jobs/${id}/results`)).results.map(({ name }) => name);
export const device = () => lab.api<DeviceView>("/devices/qemu-01");
export const bench = () => lab.api<WorkerView>("/workers/bench");
