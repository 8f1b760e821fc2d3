import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Settings } from "../../control-plane/domain/deps.ts";
import { runningJob } from "../support/browser-session.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { SampleLog } from "../support/sample-log.ts";

const START = "2026-03-01T12:00:00Z";

type Fetch = (request: Request) => Response | Promise<Response>;

describe.skipIf(!hasChromium())("a log in a real browser", () => {
  let browser: Browser;
  let page: Page;
  let lab: EmbeddedLab;
  let url: string;
  const servers: Server[] = [];
  const errors: string[] = [];
  /** Paths that the page asked for since it was opened, with the host when it was not the lab's. */
  let asked: string[];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    await page.context().close();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    await lab.close();
    const found = errors.splice(0);
    if (found.length > 0) throw new Error(`in the browser: ${found.join("; ")}`);
  });

  async function listen(fetch: Fetch): Promise<string> {
    const server = createAdaptorServer({ fetch }) as Server;
    servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  /** A running job of a new lab, its page opened. */
  async function open(settings: Partial<Settings>, prepare = () => {}, lines: string[] = []) {
    lab = await embeddedLab(settings);
    url = await listen((request) => lab.app.fetch(request));
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    const job = await runningJob(lab, worker, { lines });
    prepare();
    page = await signedInPage(browser, lab, url, errors);
    asked = [];
    page.on("request", (request) => asked.push(request.url().replace(url, "")));
    await page.goto(`${url}/jobs/${job.id}`);
    return job;
  }

  const line = (number: number) => page.locator(`#L${number}`);
  const ofLog = (count: number) => {
    const log = new SampleLog(START);
    for (let n = 1; n <= count; n++) log.add("target", `number ${n};`);
    return log.records;
  };
  const askedFor = (part: string) => asked.filter((path) => path.includes(part));

  test("is followed, and read back, by its chunks alone", async () => {
    const { id, token } = await open({});
    const records = ofLog(27_000);
    for (let from = 0; from < records.length; from += 9000) {
      await lab.ship(id, token, from, records.slice(from, from + 9000));
    }
    await line(27_000).waitFor();
    await page.reload();
    await line(27_000).waitFor();
    await lab.finish(id, token, { result: "pass", lines: records.length });
    await page.getByText("27,000 lines", { exact: true }).waitFor();
    expect(askedFor("/log?")).toEqual([]);
    expect(askedFor("/blobs/").length).toBeGreaterThanOrEqual(6);
  });

  /** Blobs at an address of their own, as S3 has them, which says who may read them there. */
  async function blobsElsewhere(): Promise<{ origin: string; sign: () => void }> {
    const origin = await listen(async (request) => {
      const answer = await lab.app.fetch(request);
      answer.headers.set("access-control-allow-origin", "*");
      return answer;
    });
    const sign = () => {
      const { blobs } = lab.deps;
      const signGet = blobs.signGet.bind(blobs);
      blobs.signGet = async (...args) => {
        const signed = await signGet(...args);
        return { ...signed, url: new URL(signed.url, origin).href };
      };
    };
    return { origin, sign };
  }

  test("comes from where the blobs are, by questions that nobody holds back", async () => {
    const { origin, sign } = await blobsElsewhere();
    const opened = performance.now();
    const { id, token } = await open({ logHoldSeconds: 0, blobOrigin: origin }, sign);
    await page.getByText("0 lines, live").waitFor();
    await lab.ship(id, token, 0, ofLog(50));
    await line(50).waitFor();
    await lab.ship(id, token, 50, ofLog(60).slice(50));
    await line(60).waitFor();
    await lab.finish(id, token, { result: "pass", lines: 60 });
    await page.getByText("60 lines", { exact: true }).waitFor();
    expect(askedFor("/log?")).toEqual([]);
    expect(askedFor(`${origin}/blobs/`)).toHaveLength(2);
    // However slow this is: two pieces of news, the end, and a question a second in between.
    const seconds = (performance.now() - opened) / 1000;
    expect(askedFor("/log-chunks").length).toBeLessThanOrEqual(4 + seconds);
  });

  test("comes from the lab when the browser may not go to where the blobs are", async () => {
    const { sign } = await blobsElsewhere();
    const { id, token } = await open({ logHoldSeconds: 0 }, sign);
    await page.getByText("0 lines, live").waitFor();
    await lab.ship(id, token, 0, ofLog(50));
    await line(50).waitFor();
    await lab.ship(id, token, 50, ofLog(60).slice(50));
    await line(60).waitFor();
    await lab.finish(id, token, { result: "pass", lines: 60 });
    await page.getByText("60 lines", { exact: true }).waitFor();
    expect(askedFor("/log?").length).toBeGreaterThan(0);
    expect(await page.locator(".line").count()).toBe(60);
  });

  test("of a job that fails while it is open has the line that shows it", async () => {
    const { id, token } = await open({});
    await page.getByText("Nothing has been logged.").waitFor();
    const log = new SampleLog(START).start("1", "boot").add("target", ...Array(400).fill("up"));
    log.add("target", "Kernel panic").add("debug", "more;").end(9, "no prompt");
    const lines = log.records.length;
    await lab.ship(id, token, 0, log.records);
    await line(lines - 1).waitFor();
    expect(await page.getByText("Nothing has been logged.").isVisible()).toBe(false);
    const failure = { error_type: "Job", error_msg: "no prompt", evidence: { line: 401 } } as const;
    await lab.finish(id, token, { result: "fail", ...failure, lines });
    await page.locator("#failure .shows", { hasText: "Kernel panic" }).waitFor();
    await page.getByRole("button", { name: "Jump to failure" }).click();
    await page.locator("#L402.marked", { hasText: "Kernel panic" }).waitFor();
  });

  test("keeps its address when the job goes back to the queue", async () => {
    const { id, token } = await open({}, undefined, ["retry_on: infrastructure"]);
    await lab.ship(id, token, 0, ofLog(30));
    await line(30).waitFor();
    const fault = { result: "fail", error_type: "Infrastructure", error_msg: "no power" } as const;
    await lab.finish(id, token, { ...fault, lines: 30 });
    await page.getByText("This is attempt 1 of the job.").waitFor();
    await line(7).getByRole("link").click();
    expect(page.url()).toBe(`${url}/jobs/${id}?attempt=1#L7`);
    await page.reload();
    await page.locator("#L7.marked", { hasText: "number 7;" }).waitFor();
  });

  test("has no line twice, also while all are drawn anew", async () => {
    const { id, token } = await open({});
    await lab.ship(id, token, 0, ofLog(900));
    await lab.finish(id, token, { result: "pass", lines: 900 });
    await page.goto(`${url}/jobs/${id}#L450`);
    await page.getByText("900 lines", { exact: true }).waitFor();
    const log = page.locator("#log");
    await log.evaluate((frame) => {
      new MutationObserver(() => {
        const ids = [...frame.querySelectorAll(".line[id]")].map((line) => line.id);
        if (new Set(ids).size < ids.length) frame.dataset["twice"] = "true";
        // Of those that go, which are below, some are there beside new ones: else nothing is seen here.
        const isMixed = frame.querySelector(".stale .line") && ids.length > 0;
        if (isMixed && frame.querySelector(".log-block:not(.stale) .line"))
          frame.dataset["mixed"] = "true";
      }).observe(frame, { childList: true, subtree: true });
    });
    await page.setViewportSize({ width: 700, height: 844 });
    await page.locator("#log[data-mixed]").waitFor();
    await expect.poll(() => page.locator("#log .stale").count()).toBe(0);
    await line(450).waitFor();
    expect(await log.getAttribute("data-twice")).toBe(null);
  });

  test("stands as the server has made it until the script has read it", async () => {
    const { id, token } = await open({});
    await lab.ship(id, token, 0, ofLog(900));
    await lab.finish(id, token, { result: "pass", lines: 900 });
    let goOn = () => {};
    const waiting = new Promise<void>((resolve) => (goOn = resolve));
    await page.route("**/log-chunks*", async (route) => {
      await waiting;
      await route.continue();
    });
    await page.goto(`${url}/jobs/${id}`);
    await page.locator("#log-find").waitFor();
    expect(await page.locator("#log").evaluate((log) => log.scrollTop)).toBe(0);
    await page.setViewportSize({ width: 1000, height: 700 });
    await line(250).scrollIntoViewIfNeeded();
    const top = async () => Math.round((await line(250).boundingBox())!.y);
    const before = await top();
    const below = async () => (await page.locator("#newer").boundingBox())!.y;
    expect(await below()).toBeGreaterThan((await line(500).boundingBox())!.y);
    goOn();
    await page.getByText("900 lines", { exact: true }).waitFor();
    await expect.poll(() => page.locator(".log-block").count()).toBeGreaterThan(1);
    await expect.poll(top).toBe(before);
    await line(500).waitFor({ state: "detached" });
  });
});
