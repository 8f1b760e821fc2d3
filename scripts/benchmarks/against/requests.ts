import type { Agent } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { ask, load, type Answer, type Load } from "./client.ts";
import { localJob, PARKED_TYPE } from "./dut.ts";
import type { Figures, Name } from "./figures.ts";
import { floodJob, jobTimes, submit } from "./jobs.ts";
import { cpuSecondsOf } from "./process-tree.ts";
import type { Side } from "./sides.ts";

const PAGE_LINES = 700;
/** LAVA takes no more in a request. */
const BATCH = 1000;
const LAVA_VERSION = "2023.01";
const INTERNAL = "scheduler/internal/v1";

export interface Sizes {
  readonly runs: number;
  /** Requests a run, for each of which LAVA's server needs 20 to 150 ms. */
  readonly requests: number;
  readonly intakeLines: number;
}

type One = (agent: Agent) => Promise<Answer>;

/** Submissions, reads and pages: the same URLs for both, in turns, after as many as are in a run of one for nothing. */
export async function measureRequests(
  figures: Figures,
  sides: readonly Side[],
  { runs, requests }: Sizes,
) {
  const PARKED = JSON.stringify({ definition: localJob(["true"], PARKED_TYPE) });
  const asked = new Map<Side, Awaited<ReturnType<typeof requestsOf>>>();
  for (const side of sides) asked.set(side, await requestsOf(side));
  for (let run = -1; run < runs; run++) {
    for (const side of sides) {
      const one = asked.get(side)!;
      const measured = async (clients: number, what: One): Promise<Load & { cpuMs: number }> => {
        const before = cpuSecondsOf(side.server());
        const result = await load(requests, clients, what);
        const cpuMs = ((cpuSecondsOf(side.server()) - before) * 1000) / requests;
        return { ...result, cpuMs };
      };
      const note = (name: Name, value: number): void => {
        if (run >= 0) figures.note(name, side.name, value);
      };
      const alone = await measured(1, one.submit(PARKED));
      note("submits", alone.perSecond);
      note("submits_p99", alone.p99Ms);
      note("submits_cpu", alone.cpuMs);
      const eight = await measured(8, one.submit(PARKED));
      note("submits_8", eight.perSecond);
      note("submits_8_p99", eight.p99Ms);
      for (const name of ["list", "detail", "page"] as const) {
        const { medianMs, cpuMs } = await measured(1, one[name]);
        note(name, medianMs);
        note(`${name}_cpu`, cpuMs);
      }
    }
  }
}

async function requestsOf(side: Side) {
  const { id } = await jobTimes(side, floodJob(PAGE_LINES));
  const authorization = `Token ${side.token}`;
  const get = (where: string): One => {
    const headers = { authorization };
    return (agent) => ask(side.url + where, { agent, headers });
  };
  const { path, headers } = await pageOf(side, id);
  return {
    submit: (body: string): One => {
      const sent = { authorization, "content-type": "application/json" };
      const url = `${side.url}api/v0.2/jobs/`;
      return (agent) => ask(url, { agent, method: "POST", headers: sent, body });
    },
    list: get("api/v0.2/jobs/?limit=50&ordering=-id"),
    detail: get(`api/v0.2/jobs/${id}/`),
    page: ((agent) => ask(side.url + path, { agent, headers })) as One,
  };
}

/** LAVA shows public jobs to everybody, which costs it least; Pumice asks who it is. */
async function pageOf({ name, url, token }: Side, id: number) {
  const page = { accept: "text/html", "accept-encoding": "gzip" };
  if (name === "lava") return { path: `scheduler/job/${id}`, headers: page };
  const headers = {
    ...page,
    "sec-fetch-site": "same-origin",
    "content-type": "application/x-www-form-urlencoded",
  };
  const body = new URLSearchParams({ token }).toString();
  const answer = await ask(`${url}sign-in`, { method: "POST", headers, body });
  const cookie = (answer.headers["set-cookie"]?.[0] ?? "").split(";")[0] ?? "";
  if (cookie === "") throw new Error(`${name}: can't sign in: ${answer.status}`);
  return { path: `jobs/${id}`, headers: { ...page, cookie } };
}

/** Log lines that a worker sends as LAVA's own does, in requests of 1000, to both by the same protocol. */
export async function measureIntake(
  figures: Figures,
  sides: readonly Side[],
  { runs, intakeLines }: Sizes,
) {
  const requests = Math.ceil(intakeLines / BATCH);
  const line = {
    dt: "2026-11-21T02:25:04.667445",
    lvl: "target",
    msg: "a line of console output, about sixty characters long, or so",
  };
  const lines = Array.from({ length: BATCH }, () => `- ${JSON.stringify(line)}`).join("\n");
  const senders = new Map<Side, Sender>();
  for (const side of sides) senders.set(side, await stockWorkerJob(side));
  for (let run = -1; run < runs; run++) {
    for (const side of sides) {
      const sender = senders.get(side)!;
      const before = cpuSecondsOf(side.server());
      const { perSecond } = await load(requests, 1, (agent) => {
        const index = (sender.sent += BATCH) - BATCH;
        return sender.post(`logs/`, { lines, index: String(index) }, agent);
      });
      if (run < 0) continue;
      const cpu = cpuSecondsOf(side.server()) - before;
      figures.note("intake", side.name, perSecond * BATCH);
      figures.note("intake_cpu", side.name, (cpu / (requests * BATCH)) * 1e6);
    }
  }
  for (const sender of senders.values()) {
    await sender.post("", {
      state: "FINISHED",
      result: "pass",
      error_type: "",
      errors: "",
      description: "",
    });
  }
  for (const { rest } of sides)
    await rest("PATCH", "devices/parked-01/", { health: "Maintenance" });
}

interface Sender {
  /** Lines until now. */
  sent: number;
  post(where: string, form: Record<string, string>, agent?: Agent): Promise<Answer>;
}

/** A job that runs on a worker which is this program. */
async function stockWorkerJob({ name, rest, url }: Side): Promise<Sender> {
  const { token } = await rest<{ token: string }>("POST", "workers/", { hostname: "intake" });
  await rest("PATCH", "devices/parked-01/", { worker_host: "intake", health: "Good" });
  const id = await submit(rest, localJob(["true"], PARKED_TYPE));
  const headers = { "lava-token": token };
  let job: { id: number; token: string } | undefined;
  while (!job) {
    const answer = await ask(`${url}${INTERNAL}/workers/intake/?version=${LAVA_VERSION}`, {
      headers,
    });
    if (answer.status !== 200)
      throw new Error(`${name}: a ping was answered ${answer.status} ${answer.text}`);
    const { start } = JSON.parse(answer.text) as { start: { id: number; token: string }[] };
    job = start.find((one) => one.id === id);
    if (!job) await pause(200);
  }
  const own = { "lava-token": job.token, "content-type": "application/x-www-form-urlencoded" };
  const post: Sender["post"] = (where, form, agent) => {
    const body = new URLSearchParams(form).toString();
    const sent = { method: "POST", headers: own, body, ...(agent ? { agent } : {}) };
    return ask(`${url}${INTERNAL}/jobs/${id}/${where}`, sent);
  };
  await ask(`${url}${INTERNAL}/jobs/${id}/`, { headers: own });
  await post("", { state: "RUNNING" });
  return { sent: 0, post };
}
