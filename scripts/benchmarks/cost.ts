import { parseArgs } from "node:util";
import { numberOf, readCommandLine } from "../command-line.ts";
import { startCloudPlane } from "../../test/support/aws/cloud-plane.ts";
import { listenTo, type EventListener } from "../../test/support/lambda/event-listener.ts";
import { realLab, exampleJob } from "../../test/support/real-lab.ts";
import { idleHour } from "./cost-idle.ts";
import { readUsage, resetUsage, type Counted } from "./cost-usage.ts";
import { minus, NOTHING, priceOf, PRICES, times, total, type Usage } from "./prices.ts";

const HOURS_OF_MONTH = 730;
/** SQS's longest poll; Lambda polls a queue with five at a time. */
const POLL_SECONDS = 20;
const LAMBDA_POLLERS = 5;
const IDLE_WORKERS = 10;
const SYNCS = 20;
/** API Gateway ends a connection of which nothing was heard for so long; it says of no ping that it counts. */
const SILENT_MINUTES = 10;
const CONNECTS = 10;

const { values: options } = readCommandLine("cost", () =>
  parseArgs({
    options: {
      json: { type: "boolean", default: false },
      jobs: { type: "string", default: "5" },
      help: { type: "boolean", short: "h", default: false },
    },
  }),
);
if (options.help) {
  console.log(`usage: scripts/cost [--jobs N] [--json]

What a lab in AWS costs: runs real jobs (QEMU) with the real worker on the Lambda bundle and emulators, counts every
request unit, millisecond and call, and prices them (infra/README.md has the prices and the arithmetic).
  --jobs N  how many short jobs are run and averaged; default 5
  --json    {"idle_worker_month_usd", "thousand_jobs_usd", "idle_lab_month_usd", "listener_month_usd",
            "thousand_jobs_heard_usd", ...}`);
  process.exit(0);
}
const jobs = numberOf("cost", "jobs", options.jobs, 1);

const plane = await startCloudPlane({ hasEvents: true });
const { events: gate, stream } = plane.cloud;
if (!gate || !stream) throw new Error("the lab has no event stream");
const lab = await realLab({ devices: 1, plane });
const counted: Counted = plane.cloud;
try {
  const job = exampleJob("qemu-smoke.yaml");
  // The first has cold starts and a first sync in it, which a lab that works has seldom.
  await runJob(job);
  const perJob = await averageJob(counted, job);
  const perCall = await averageCalls(counted);
  const [empty, busy] = [await idleHour(0), await idleHour(IDLE_WORKERS)];
  report(
    perJob,
    idleWorker(empty, busy, perCall.sync),
    idleLab(empty, perCall.tick),
    await listener(),
    await heardJob(job),
  );
} finally {
  await lab.close();
}

async function averageJob(all: Counted, job: string): Promise<Usage> {
  const used = await usedBy(all, async () => {
    for (let n = 0; n < jobs; n++) await runJob(job);
  });
  return times(used, 1 / jobs);
}

async function usedBy(all: Counted, work: () => Promise<void>): Promise<Usage> {
  resetUsage(all);
  const { s3Bytes, tableBytes, logBytes } = await readUsage(all);
  // Looking at the table has read it.
  resetUsage(all);
  await work();
  return minus(await readUsage(all), { ...NOTHING, s3Bytes, tableBytes, logBytes });
}

/** Somebody who hears LAVA's event stream for a month in which nothing happens, and comes again whenever they are let go. */
async function listener(): Promise<Usage> {
  const used = await usedBy(counted, async () => {
    for (let n = 0; n < CONNECTS; n++) {
      const { socket, closed } = await listen();
      socket.close();
      await closed;
    }
    const calls = () => counted.gateway.meter.read()["events"]?.invocations ?? 0;
    // The function is told of each twice.
    while (calls() < 2 * CONNECTS) await new Promise((resolve) => setTimeout(resolve, 20));
  });
  const minutes = HOURS_OF_MONTH * 60;
  return {
    ...times({ ...used, socketMessages: CONNECTS }, minutes / SILENT_MINUTES / CONNECTS),
    ...{ s3Bytes: 0, tableBytes: 0 },
    socketMinutes: minutes,
  };
}

function listen(): Promise<EventListener> {
  return listenTo(`${gate!.url}?token=${plane.adminToken}`);
}

/** What one listener who hears of everything adds to a job: messages alone, as the function is called anyway. */
async function heardJob(job: string): Promise<Usage> {
  const { socket } = await listen();
  const before = gate!.posts.length;
  await runJob(job);
  socket.terminate();
  return { ...NOTHING, socketMessages: gate!.posts.length - before };
}

/** Nobody watches: the functions' log says when the job has ended. */
async function runJob(job: string): Promise<void> {
  const { gateway } = counted;
  const id = await lab.submit(job);
  const ended = (): boolean =>
    gateway.lines.some((line) => line.includes('"job finished"') && line.includes(`"job":${id},`));
  while (!ended()) await new Promise((resolve) => setTimeout(resolve, 100));
  await gateway.settled();
  await stream!.settled();
}

/** What one sync and one tick take of Lambda, without the table. */
async function averageCalls({ gateway }: Counted): Promise<Record<"sync" | "tick", Usage>> {
  const worker = await lab.api<{ token: string }>("POST", "/workers", { name: "idle" });
  const sync = async (): Promise<void> => {
    const answer = await fetch(`${lab.url}/api/v1/worker/sync`, {
      method: "POST",
      headers: { authorization: `Bearer ${worker.token}`, "content-type": "application/json" },
      body: JSON.stringify({
        protocol: 1,
        version: "idle",
        runners: [],
        wait_seconds: 50,
        waits: ["queue"],
      }),
    });
    if (!answer.ok) throw new Error(`sync: ${answer.status} ${await answer.text()}`);
    await answer.arrayBuffer();
  };
  const measured = async (work: () => Promise<void>): Promise<Usage> => {
    await work();
    const used = await usedBy(counted, async () => {
      for (let n = 0; n < SYNCS; n++) await work();
    });
    const { lambdaRequests, lambdaGbSeconds, httpRequests, logBytes } = used;
    return times(
      { ...NOTHING, lambdaRequests, lambdaGbSeconds, httpRequests, logBytes },
      1 / SYNCS,
    );
  };
  return { sync: await measured(sync), tick: await measured(() => gateway.tick()) };
}

function idleWorker(empty: Hour, busy: Hour, sync: Usage): Usage {
  const perHour: Usage = {
    ...times(sync, busy.syncs / IDLE_WORKERS),
    readUnits: (busy.readUnits - empty.readUnits) / IDLE_WORKERS,
    writeUnits: (busy.writeUnits - empty.writeUnits) / IDLE_WORKERS,
    sqsRequests: 3600 / POLL_SECONDS,
  };
  return times(perHour, HOURS_OF_MONTH);
}
type Hour = Awaited<ReturnType<typeof idleHour>>;

function idleLab(empty: Hour, tick: Usage): Usage {
  const perHour = {
    ...times(tick, 60),
    readUnits: empty.readUnits,
    writeUnits: empty.writeUnits,
    sqsFifoRequests: (LAMBDA_POLLERS * 3600) / POLL_SECONDS,
  };
  return times(perHour, HOURS_OF_MONTH);
}

function report(perJob: Usage, worker: Usage, base: Usage, listening: Usage, heard: Usage): void {
  const thousand = priceOf(times(perJob, 1000));
  const [workerPrice, basePrice] = [priceOf(worker), priceOf(base)];
  const [listenerPrice, heardPrice] = [priceOf(listening), priceOf(times(heard, 1000))];
  if (options.json) {
    const figures = {
      idle_worker_month_usd: total(workerPrice),
      thousand_jobs_usd: total(thousand),
      idle_lab_month_usd: total(basePrice),
      listener_month_usd: total(listenerPrice),
      thousand_jobs_heard_usd: total(heardPrice),
      prices: PRICES,
      per_job: perJob,
      per_idle_worker_month: worker,
      per_idle_lab_month: base,
      per_listener_month: listening,
      per_job_heard: heard,
    };
    console.log(JSON.stringify(figures, undefined, 2));
    return;
  }
  console.log(
    `USD, prices of ${PRICES.date} (us-east-1, on demand, free tiers left out, from memory)\n`,
  );
  const columns = [thousand, workerPrice, basePrice, listenerPrice];
  const head = [
    ...["", "1,000 short jobs", "idle worker, month", "lab itself, month"],
    "listener, month",
  ];
  console.log(head.map((text, n) => (n === 0 ? text.padEnd(20) : text.padStart(20))).join(""));
  for (const name of Object.keys(thousand)) {
    const cells = columns.map((one) => (one[name] ?? 0).toFixed(4));
    console.log(name.padEnd(20) + cells.map((cell) => cell.padStart(20)).join(""));
  }
  const sums = columns.map((one) => total(one).toFixed(4));
  console.log("total".padEnd(20) + sums.map((cell) => cell.padStart(20)).join(""));
  console.log(`\nA job: ${describe(perJob)}\nAn idle worker, a month: ${describe(worker)}`);
  const each = total(heardPrice).toFixed(4);
  console.log(
    `A listener, a month: ${describe(listening)}\nand of 1,000 jobs that it hears: ${each}`,
  );
}

function describe(usage: Usage): string {
  const figure = (n: number): string =>
    n < 10 ? n.toFixed(2) : Math.round(n).toLocaleString("en");
  return Object.entries(usage)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name} ${figure(value)}`)
    .join(", ");
}
