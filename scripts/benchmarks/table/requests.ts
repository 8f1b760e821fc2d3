import { setTimeout as pause } from "node:timers/promises";
import { ask, load, type Answer, type HowLong } from "./client.ts";
import type { Connection } from "./connection.ts";
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
  /** Submissions before each measurement, s: both have compilers and caches, and have stood still while the other was measured. */
  readonly warmUpSeconds: number;
  /** How long submissions are measured, s. */
  readonly seconds: number;
  /** Jobs that both have when they are listed, beside those of other parts. */
  readonly listed: number;
  /** Of lists, of jobs, of pages. */
  readonly reads: Readonly<Record<Side["name"], number>>;
}

type One = (connection: Connection) => Promise<Answer>;

/** Submissions, reads and pages: the same URLs for both, in turns. */
export async function measureRequests(figures: Figures, sides: readonly Side[], sizes: Sizes) {
  const asked = new Map<Side, Requests>();
  for (const side of sides) {
    const one = await requestsOf(side);
    asked.set(side, one);
    await load({ requests: sizes.listed }, 1, side.url, one.submit);
    const requests = sizes.reads[side.name];
    for (const name of READS) await load({ requests }, 1, side.url, one[name]);
  }
  // Reads first, as long as both have as many jobs.
  for (const measure of [measureReads, measureSubmissions]) {
    for (let run = 0; run < sizes.runs; run++) {
      for (const side of sides) {
        const startOthers = stopOthers(side, sides);
        try {
          await measure(figures, side, asked.get(side)!, sizes);
        } finally {
          startOthers();
        }
      }
    }
  }
}

type Requests = Awaited<ReturnType<typeof requestsOf>>;

async function measured(side: Side, howLong: HowLong, clients: number, what: One) {
  const before = cpuSecondsOf(side.server());
  const result = await load(howLong, clients, side.url, what);
  const cpuMs = ((cpuSecondsOf(side.server()) - before) * 1000) / result.count;
  return { ...result, cpuMs };
}

async function measureReads(figures: Figures, side: Side, one: Requests, { reads }: Sizes) {
  for (const name of READS) {
    const requests = reads[side.name];
    const { medianMs, cpuMs } = await measured(side, { requests }, 1, one[name]);
    figures.note(name, side.name, medianMs);
    figures.note(`${name}_cpu`, side.name, cpuMs);
  }
}

async function measureSubmissions(
  figures: Figures,
  side: Side,
  one: Requests,
  { warmUpSeconds, seconds }: Sizes,
) {
  const submitted = async (clients: number, what: One) => {
    await load({ seconds: warmUpSeconds }, clients, side.url, what);
    return measured(side, { seconds }, clients, what);
  };
  const note = (name: Name, value: number): void => figures.note(name, side.name, value);
  const alone = await submitted(1, one.submit);
  note("submits", alone.perSecond);
  note("submits_p99", alone.p99Ms);
  note("submits_cpu", alone.cpuMs);
  const eight = await submitted(8, one.submit);
  note("submits_8", eight.perSecond);
  note("submits_8_p99", eight.p99Ms);
  const byXmlRpc = await submitted(1, one.submitByXmlRpc);
  note("submits_xmlrpc", byXmlRpc.perSecond);
  note("submits_xmlrpc_p99", byXmlRpc.p99Ms);
}

const READS = ["list", "detail", "page"] as const;

/** The other lab is stopped meanwhile: LAVA's services go through their queue every second, and the two share the cores. Starts it again. */
function stopOthers(side: Side, sides: readonly Side[]): () => void {
  const others = sides.filter((one) => one !== side);
  const pids = others.flatMap((one) => [...one.server(), ...one.bench()]).map(({ pid }) => pid);
  sendAll(pids, "SIGSTOP");
  return () => sendAll(pids, "SIGCONT");
}

function sendAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  }
}

async function requestsOf(side: Side) {
  const { id } = await jobTimes(side, floodJob(PAGE_LINES));
  const authorization = `Token ${side.token}`;
  const base = new URL(side.url).pathname;
  const get = (where: string): One => {
    const headers = { authorization };
    return (connection) => connection.ask(base + where, { headers });
  };
  const post =
    (where: string, headers: Record<string, string>, body: (definition: string) => string): One =>
    async (connection) => {
      const sent = { method: "POST", headers, body: body(nextDefinition()) };
      const answer = await connection.ask(base + where, sent);
      // XML-RPC refuses with 200.
      return answer.text.includes("<fault>") ? { ...answer, status: 400 } : answer;
    };
  // Each another: nobody has read it before.
  let submitted = 0;
  const definition = localJob(["true"], PARKED_TYPE);
  const nextDefinition = (): string =>
    definition.replace(/(?<=^job_name: ).*/m, (name) => `${name} ${(submitted += 1)}`);
  const json = (text: string): string => JSON.stringify({ definition: text });
  const basic = `Basic ${Buffer.from(`admin:${side.token}`).toString("base64")}`;
  const xml = (text: string): string =>
    `<?xml version="1.0"?><methodCall><methodName>scheduler.submit_job</methodName><params><param><value><string>${escapeXml(text)}</string></value></param></params></methodCall>`;
  const { path, headers } = await pageOf(side, id);
  return {
    submit: post("api/v0.2/jobs/", { authorization, "content-type": "application/json" }, json),
    submitByXmlRpc: post("RPC2", { authorization: basic, "content-type": "text/xml" }, xml),
    list: get("api/v0.2/jobs/?limit=50&ordering=-id"),
    detail: get(`api/v0.2/jobs/${id}/`),
    page: ((connection) => connection.ask(base + path, { headers })) as One,
  };
}

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

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
  runs: number,
  count: Readonly<Record<Side["name"], number>>,
) {
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
      const requests = Math.ceil(count[side.name] / BATCH);
      const before = cpuSecondsOf(side.server());
      const { perSecond } = await load({ requests }, 1, side.url, (connection) => {
        const index = (sender.sent += BATCH) - BATCH;
        return sender.post(`logs/`, { lines, index: String(index) }, connection);
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
  post(where: string, form: Record<string, string>, connection?: Connection): Promise<Answer>;
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
  const post: Sender["post"] = (where, form, connection) => {
    const sent = { method: "POST", headers: own, body: new URLSearchParams(form).toString() };
    const address = new URL(`${url}${INTERNAL}/jobs/${id}/${where}`);
    return connection ? connection.ask(address.pathname, sent) : ask(address.href, sent);
  };
  await ask(`${url}${INTERNAL}/jobs/${id}/`, { headers: own });
  await post("", { state: "RUNNING" });
  return { sent: 0, post };
}
