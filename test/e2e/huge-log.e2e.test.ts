import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { runningJob } from "../support/browser-session.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

/** At 18 pixels each, half as much again as the highest element that Chromium has. */
const LINES = 3_000_000;
const PAGE = 100_000;
const NEEDLE = LINES - 40;

/** Line n + 1 of the log says `line n + 1;`. One near its end has three places to be found. */
function page(start: number): string {
  const end = Math.min(LINES, start + PAGE);
  const records = [];
  for (let n = start + 1; n <= end; n++) {
    const msg = n === NEEDLE ? `line ${n}; needle, Needle and needle` : `line ${n};`;
    records.push(`{"dt":"2026-03-01T12:00:00","lvl":"target","msg":"${msg}"}`);
  }
  const complete = end === LINES;
  return `{"start":${start},"next":${end},"complete":${complete},"records":[${records.join(",")}]}`;
}

/** The lab, but for the text of the log: to store so much would take minutes. */
function withLongLog(lab: EmbeddedLab): (request: Request) => Promise<Response> | Response {
  return (request) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname.endsWith("/log-chunks")) return new Response(null, { status: 405 });
    if (!pathname.startsWith("/api/") || !pathname.endsWith("/log")) return lab.app.fetch(request);
    const headers = { "content-type": "application/json" };
    return new Response(page(Number(searchParams.get("start") ?? 0)), { headers });
  };
}

describe.skipIf(!hasChromium())("a log of 3,000,000 lines, higher than an element can be", () => {
  const errors: string[] = [];
  let browser: Browser;
  let lab: EmbeddedLab;
  let server: Server;
  let page: Page;
  let job: string;

  beforeAll(async () => {
    browser = await launchChromium();
    lab = await embeddedLab();
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    server = createAdaptorServer({ fetch: withLongLog(lab) }) as Server;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { id, token } = await runningJob(lab, worker);
    const first = { dt: "2026-03-01T12:00:00", lvl: "target", msg: "line 1;" };
    await lab.ship(id, token, 0, [first]);
    await lab.finish(id, token, { result: "pass", lines: 1 });
    page = await signedInPage(browser, lab, url, errors);
    job = `${url}/jobs/${id}`;
    await page.goto(job);
    await page.getByText("3,000,000 lines", { exact: true }).waitFor({ timeout: 120_000 });
  });
  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
    await lab?.close();
  });
  afterEach(() => {
    const found = errors.splice(0);
    if (found.length > 0) throw new Error(`in the browser: ${found.join("; ")}`);
  });

  const line = (number: number) => page.locator(`#L${number}`);
  /** The lines in sight, from above to below, once all of them are there. */
  const inSight = (): Promise<number[]> =>
    page.locator("#log").evaluate((log) => {
      const { left, top, height } = log.getBoundingClientRect();
      const numbers = [];
      for (let y = 12; y < height - 12; y += 18) {
        const at = document.elementFromPoint(left + 200, top + y)?.closest(".line");
        if (!at || at.textContent?.includes(`line ${at.id.slice(1)};`) !== true) return [];
        numbers.push(Number(at.id.slice(1)));
      }
      return [...new Set(numbers)];
    });
  const settled = async (): Promise<number[]> => {
    await expect.poll(inSight).not.toEqual([]);
    const numbers = await inSight();
    expect(numbers).toEqual(numbers.map((_none, n) => numbers[0]! + n));
    return numbers;
  };
  /** Browsers scroll smoothly: until the log has moved from where it was, and stands for ten frames. */
  async function moved(act: () => Promise<void>): Promise<void> {
    const log = page.locator("#log");
    const before = await log.evaluate(({ scrollTop }) => scrollTop);
    await act();
    await log.evaluate(async (element, from) => {
      for (let [frames, top] = [0, from]; frames < 10; frames++) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        if (element.scrollTop !== top || top === from) [frames, top] = [0, element.scrollTop];
      }
    }, before);
  }
  const scrollTo = (part: number) =>
    page
      .locator("#log")
      .evaluate((log, to) => log.scrollTo(0, (log.scrollHeight - log.clientHeight) * to), part);

  test("is scrolled to any part of it by its bar, and to its end", async () => {
    for (const part of [0.5, 0.9, 0.3, 0.02]) {
      await scrollTo(part);
      await expect
        .poll(async () => {
          const [first = 0] = await inSight();
          return Math.abs(first / LINES - part) < 0.1;
        })
        .toBe(true);
      await settled();
    }
    await scrollTo(1);
    await expect.poll(async () => (await inSight()).at(-1)).toBe(LINES);
    await settled();
    await scrollTo(0);
    await expect.poll(async () => (await inSight())[0]).toBe(1);
  });

  test("moves by pages and lines wherever one is, by keys and wheel", async () => {
    const log = page.locator("#log");
    await log.focus();
    await page.keyboard.press("End");
    await expect.poll(async () => (await inSight()).at(-1)).toBe(LINES);
    const { length: most } = await settled();
    await moved(() => page.keyboard.press("PageUp"));
    const up = LINES - (await settled()).at(-1)!;
    expect([up > most / 2, up <= most]).toEqual([true, true]);
    await page.keyboard.press("PageDown");
    await expect.poll(async () => (await inSight()).at(-1)).toBe(LINES);
    await scrollTo(0.5);
    const [first = 0] = await settled();
    await log.hover();
    await page.mouse.wheel(0, 180);
    await expect.poll(async () => (await inSight())[0]).toBe(first + 10);
    for (let n = 0; n < 5; n++) await moved(() => page.mouse.wheel(0, -1800));
    await expect.poll(async () => (await inSight())[0]).toBe(first + 10 - 500);
    await page.keyboard.press("Home");
    await expect.poll(async () => (await inSight())[0]).toBe(1);
  });

  test("has links to lines near its end, and to the lines in its middle", async () => {
    for (const number of [LINES - 5, 1_900_000, LINES]) {
      await page.evaluate((to) => (location.hash = `#L${to}`), number);
      await line(number).and(page.locator(".marked")).waitFor();
      expect(await settled()).toContain(number);
    }
  });

  test("is searched to its end; each place is marked, and the current one stands out", async () => {
    await page.locator("#log").focus();
    await page.keyboard.press("f");
    await page.keyboard.type("needle");
    const count = (text: string) =>
      page.locator("#find-count").getByText(text, { exact: true }).waitFor({ timeout: 120_000 });
    await page.keyboard.press("Enter");
    await count("1 of 3 matches");
    await line(NEEDLE).and(page.locator(".current")).waitFor();
    expect(await settled()).toContain(NEEDLE);
    const marks = () =>
      page.evaluate(() =>
        ["found", "found-current"].map((name) =>
          [...CSS.highlights.get(name)!].map((range) => [
            (range as Range).startOffset,
            (range as Range).toString(),
          ]),
        ),
      );
    const start = `line ${NEEDLE}; `.length;
    const all = [
      [start, "needle"],
      [start + 8, "Needle"],
      [start + 19, "needle"],
    ];
    expect(await marks()).toEqual([all.slice(1), all.slice(0, 1)]);
    await page.keyboard.press("Enter");
    await count("2 of 3 matches");
    await expect.poll(marks).toEqual([[all[0], all[2]], [all[1]]]);
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.press("Shift+Enter");
    await count("3 of 3 matches");
    await expect.poll(marks).toEqual([all.slice(0, 2), all.slice(2)]);
  });
});
