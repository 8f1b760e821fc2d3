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
  async function open(settings: Partial<Settings>, prepare: () => void = () => {}) {
    lab = await embeddedLab(settings);
    url = await listen((request) => lab.app.fetch(request));
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    const job = await runningJob(lab, worker);
    prepare();
    page = await signedInPage(browser, lab, url, errors);
    asked = [];
    page.on("request", (request) => asked.push(request.url().replace(url, "")));
    await page.goto(`${url}/jobs/${job.id}`);
    return job;
  }

  const line = (number: number) => page.locator(`#L${number}`);
  const ofLog = (count: number) => {
    const log = new SampleLog("2026-03-01T12:00:00Z");
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
});
