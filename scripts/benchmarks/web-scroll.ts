import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Page } from "playwright-core";
import { runningJob } from "../../test/support/browser-session.ts";
import { launchChromium, signedInPage } from "../../test/support/chromium.ts";
import { embeddedLab, type EmbeddedLab } from "../../test/support/embedded-lab.ts";
import { SampleLog } from "../../test/support/sample-log.ts";
import type { Row } from "./main.ts";

const LINES = 500_000;
const CHUNK_LINES = 10_000;
const FRAMES = 300;
/** As fast as a wheel that is spun: a screen takes seven frames. */
const PIXELS = 120;

/** How a log of 500,000 lines scrolls in a real browser. */
export async function measureScroll({ runs }: { runs: number }): Promise<Row[]> {
  const lab = await embeddedLab();
  const browser = await launchChromium();
  const server = createAdaptorServer({ fetch: (request) => lab.app.fetch(request) });
  try {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const id = await longJob(lab);
    const page = await signedInPage(browser, lab, url, []);
    return await scrollFigures(page, `${url}/jobs/${id}`, runs);
  } finally {
    await browser.close();
    server.close();
    await lab.close();
  }
}

async function longJob(lab: EmbeddedLab): Promise<number> {
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  const { id, token } = await runningJob(lab, worker);
  for (let first = 0; first < LINES; first += CHUNK_LINES) {
    const log = new SampleLog("2026-03-01T12:00:00Z");
    for (let n = 0; n < CHUNK_LINES; n++) {
      const text = n % 7 === 0 ? "long enough to be wrapped; ".repeat(8) : "what a kernel says";
      log.add(
        n % 50 === 0 ? "debug" : "target",
        `[ ${first + n}.000 ] \u001b[32mOK\u001b[0m ${text}`,
      );
    }
    await lab.ship(id, token, first, log.records);
  }
  await lab.finish(id, token, { result: "pass", lines: LINES });
  return id;
}

async function scrollFigures(page: Page, url: string, runs: number): Promise<Row[]> {
  const began = performance.now();
  await page.goto(url);
  await page.waitForFunction(
    () => document.getElementById("log-status")?.textContent === "500,000 lines",
  );
  const read = performance.now() - began;
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
  const busyMs = async () => {
    const { metrics } = await devtools.send("Performance.getMetrics");
    return 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0);
  };
  const [frames, busy]: [number[], number[]] = [[], []];
  for (let run = 0; run < runs; run++) {
    const before = await busyMs();
    const ms = await page.evaluate(scrollLog, { frames: FRAMES, pixels: PIXELS, part: run / runs });
    frames.push((1000 * FRAMES) / ms);
    busy.push(((await busyMs()) - before) / FRAMES);
  }
  const name = `log of ${LINES} lines`;
  return [
    { name: `${name}: opened, all of it read`, unit: "ms", values: [read] },
    { name: `${name}: frames while it scrolls`, unit: "frames/s", values: frames },
    { name: `${name}: CPU of the page's thread for a frame`, unit: "ms", values: busy },
  ];
}

/** In the browser: scrolls a bit each frame, beginning at a part of the log; milliseconds that it took. */
async function scrollLog({
  frames,
  pixels,
  part,
}: {
  frames: number;
  pixels: number;
  part: number;
}): Promise<number> {
  const log = document.getElementById("log");
  if (!log) throw new Error("the page has no log");
  const frame = () => new Promise<number>((resolve) => requestAnimationFrame(resolve));
  log.scrollTop = part * log.scrollHeight;
  for (let n = 0; n < 20; n++) await frame();
  const start = await frame();
  let end = start;
  for (let n = 0; n < frames; n++) {
    log.scrollTop += pixels;
    end = await frame();
  }
  return end - start;
}
