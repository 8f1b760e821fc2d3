import type { Page } from "playwright-core";
import { jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import { browserSession, runningJob } from "../../test/support/browser-session.ts";
import { launchChromium, signedInPage } from "../../test/support/chromium.ts";
import { embeddedLab } from "../../test/support/embedded-lab.ts";
import { realLab } from "../../test/support/real-lab.ts";
import { sampleLog, SampleLog } from "../../test/support/sample-log.ts";
import { withSteps } from "../../test/support/smoke-jobs.ts";
import type { Row } from "./main.ts";
import { fillTable } from "./scale-lab.ts";
import { measureScroll } from "./web-scroll.ts";

const REQUESTS = 100;
const JOBS = 10_000;
const LOG_LINES = 700;
const TICKS = 200;
/** Ten lines a second. */
const COUNTING = `i=0; while [ "$i" -lt ${TICKS} ]; do i=$((i+1)); echo "count-$i"; sleep 0.1; done`;

/** What pages cost the server, and how soon a line of the DUT is seen in a real browser. */
export async function measureWeb({ runs }: { runs: number }): Promise<Row[]> {
  return [
    ...(await measurePages(runs)),
    ...(await measureLive()),
    ...(await measureScroll({ runs })),
  ];
}

/** CPU of the process for a page, answered as to a browser (compressed), a value a run of 100 requests. */
async function measurePages(runs: number): Promise<Row[]> {
  const lab = await embeddedLab();
  try {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    const { id, token } = await runningJob(lab, worker);
    const records = longLog();
    await lab.ship(id, token, 0, records);
    await lab.finish(id, token, { result: "pass", lines: records.length });
    await fillTable(lab.deps.table, manyJobs(id + 1));
    const browser = await browserSession(lab);
    const cpu = async (path: string): Promise<number[]> => {
      const values: number[] = [];
      for (let run = -1; run < runs; run++) {
        const before = process.cpuUsage();
        for (let n = 0; n < REQUESTS; n++) {
          const answer = await browser.get(path, { "accept-encoding": "gzip" });
          if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
          await answer.arrayBuffer();
        }
        const { user, system } = process.cpuUsage(before);
        // The first is for the compiler.
        if (run >= 0) values.push((user + system) / 1000 / REQUESTS);
      }
      return values;
    };
    return [
      {
        name: `job page, log of ${LOG_LINES} lines: CPU`,
        unit: "ms",
        values: await cpu(`/jobs/${id}`),
      },
      { name: `jobs list, ${JOBS} jobs: CPU`, unit: "ms", values: await cpu("/") },
    ];
  } finally {
    await lab.close();
  }
}

/** The log of a job that boots and tests, with as many lines of its DUT as are wanted. */
function longLog() {
  const records = sampleLog("2026-03-01T12:00:00Z");
  const more = new SampleLog("2026-03-01T12:00:00Z");
  for (let n = records.length; n < LOG_LINES; n++) {
    more.add(
      "target",
      `[   ${(n / 100).toFixed(6)}] usb 1-1: new high-speed USB device number ${n}`,
    );
  }
  return [...records.slice(0, -1), ...more.records, ...records.slice(-1)];
}

function* manyJobs(first: number) {
  const HEALTHS = ["Complete", "Complete", "Complete", "Incomplete", "Canceled"] as const;
  for (let n = 0; n < JOBS; n++) {
    const submitted = Date.parse("2026-02-01T00:00:00Z") + n * 60_000;
    const at = (seconds: number) => new Date(submitted + seconds * 1000).toISOString();
    const job: JobRecord = {
      id: first + n,
      state: "Finished",
      health: HEALTHS[n % HEALTHS.length]!,
      description: `linux-next boot and smoke tests, build ${n}`,
      device_type: `type-${n % 12}`,
      device: `board-${n % 60}`,
      worker: "bench",
      submitter: `person-${n % 20}`,
      priority: 50,
      tags: [],
      submit_time: at(0),
      start_time: at(20),
      end_time: at(300),
      log_lines: LOG_LINES,
    };
    yield jobItem(job);
  }
}

/** From the moment when the worker read a line from its DUT to the one when it is in the page, for each of 200 lines. */
async function measureLive(): Promise<Row[]> {
  const lab = await realLab();
  const browser = await launchChromium();
  try {
    const api = <T>(where: string, { method = "GET" } = {}): Promise<T> =>
      lab.api<T>(method, where);
    const page = await signedInPage(browser, { api }, lab.url, []);
    const id = await lab.submit(withSteps([COUNTING]));
    await page.goto(`${lab.url}/jobs/${id}`);
    await noteArrivals(page);
    const { health } = await lab.finished(id);
    if (health !== "Complete") throw new Error(`job ${id} is ${health}`);
    const records = await lab.follow(id);
    const seen = await page.evaluate(
      () => (globalThis as unknown as { seen: Record<string, number> }).seen,
    );
    const delays = records.flatMap(({ dt, msg }) => {
      const tick = /^count-(\d+)\s*$/.exec(String(msg))?.[1];
      const at = tick === undefined ? undefined : seen[tick];
      return at === undefined ? [] : [at - Date.parse(String(dt))];
    });
    if (delays.length < TICKS) throw new Error(`only ${delays.length} of ${TICKS} lines were seen`);
    const sorted = delays.toSorted((a, b) => a - b);
    const at = (part: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!;
    return [
      { name: "line of the DUT to visible: median", unit: "ms", values: [at(0.5)] },
      { name: "line of the DUT to visible: 95th percentile", unit: "ms", values: [at(0.95)] },
    ];
  } finally {
    await browser.close();
    await lab.close();
  }
}

/** When each `count-N` came into the page, by the page's own clock. */
async function noteArrivals(page: Page): Promise<void> {
  await page.evaluate(() => {
    const seen: Record<string, number> = {};
    Object.assign(globalThis, { seen });
    const look = () => {
      for (const line of document.querySelectorAll("#lines .line")) {
        const tick = /count-(\d+)\s*$/.exec(line.textContent ?? "")?.[1];
        if (tick !== undefined) seen[tick] ??= Date.now();
      }
    };
    new MutationObserver(look).observe(document.querySelector("#lines")!, {
      childList: true,
      subtree: true,
    });
  });
}
