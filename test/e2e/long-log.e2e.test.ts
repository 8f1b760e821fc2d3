import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { axeProblems } from "../support/axe.ts";
import { runningJob } from "../support/browser-session.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { SampleLog } from "../support/sample-log.ts";

const LINES = 500_000;
const ATTACK = `<img src=x onerror="document.title='owned'">`;
/** By 0-based line. */
const HOSTILE: Record<number, string> = {
  1101: ATTACK,
  1102: `\u001b[31m${ATTACK}\u001b]8;;https://evil.example\u0007`,
  1103: "\u001b[31mx".repeat(20_000),
  1104: "y".repeat(1_000_000),
  1105: "nul \u0000 and \u202egnp.exe",
  1106: `${"a".repeat(60)}!`,
};

/** Three actions, the second of which fails at line 400,000; each hundredth line is of level debug. Line n + 1 says `number n;`. */
function longLog(): SampleLog {
  const log = new SampleLog("2026-03-01T12:00:00Z");
  const upTo = (end: number) => {
    while (log.records.length < end) {
      const n = log.records.length;
      log.add(n % 100 === 0 ? "debug" : "target", HOSTILE[n] ?? `[ ${n}.000 ] number ${n};`);
    }
  };
  log.start("1", "deploy").start("1.1", "download");
  upTo(1000);
  log.end(1500).end();
  upTo(2000);
  log.start("2", "boot").start("2.1", "login");
  upTo(399_998);
  log.add("error", "login timed out").pass(60_000).end().end(0, "boot failed");
  upTo(450_000);
  log.start("3", "finalize");
  upTo(LINES - 1);
  return log.end(10);
}

describe.skipIf(!hasChromium())("a log of 500,000 lines", () => {
  const { records } = longLog();
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
    server = createAdaptorServer({ fetch: (request) => lab.app.fetch(request) }) as Server;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { id, token } = await runningJob(lab, worker);
    for (let from = 0; from < LINES; from += 10_000) {
      await lab.ship(id, token, from, records.slice(from, from + 10_000));
    }
    const error = { error_type: "Infrastructure", error_msg: "boot failed" } as const;
    await lab.finish(id, token, { result: "fail", lines: LINES, ...error });
    page = await signedInPage(browser, lab, url, errors);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    job = `${url}/jobs/${id}`;
    await page.goto(job);
    await page.getByText("500,000 lines", { exact: true }).waitFor();
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
  const button = (name: string) => page.getByRole("button", { name, exact: true });
  const field = () => page.getByRole("searchbox", { name: "Find in the log" });
  const count = (text: string) => page.locator("#find-count").getByText(text, { exact: true });
  const scrollTo = (part: number) =>
    page.locator("#log").evaluate((log, to) => log.scrollTo(0, log.scrollHeight * to), part);
  const isInSight = (number: number) =>
    line(number).evaluate((element) => {
      const { top, bottom } = element.getBoundingClientRect();
      const frame = document.querySelector("#log")!.getBoundingClientRect();
      return top >= frame.top && bottom <= frame.bottom;
    });
  /** The numbers of the lines in sight, when they all are there. */
  const inSight = (): Promise<number[]> =>
    page.locator("#log").evaluate((log) => {
      const { left, top, height } = log.getBoundingClientRect();
      const numbers = [];
      for (let y = 12; y < height - 12; y += 18) {
        const at = document.elementFromPoint(left + 200, top + y)?.closest(".line");
        if (!at) return [];
        numbers.push(Number(at.id.slice(1)));
      }
      return [...new Set(numbers)];
    });

  test("shows the right lines wherever one scrolls, and no more than a few at a time", async () => {
    for (const part of [0.5, 0.05, 0.93, 0.251, 0]) {
      await scrollTo(part);
      await expect.poll(inSight).not.toEqual([]);
      const [first = 0, ...rest] = await inSight();
      expect(Math.abs(first / LINES - part)).toBeLessThan(0.02);
      // Each hundredth is hidden; where an action begins is not.
      const shown = Array.from({ length: 200 }, (_, n) => first + n).filter((number) => {
        const { lvl, msg } = records[number - 1]!;
        return lvl !== "debug" || String(msg).startsWith("start: ");
      });
      expect([first, ...rest]).toEqual(shown.slice(0, rest.length + 1));
      for (const number of rest.slice(0, 5)) {
        const { msg } = records[number - 1]!;
        if (String(msg).includes("number"))
          expect(await line(number).locator("span").textContent()).toBe(msg);
      }
      expect(await page.locator("#log *").count()).toBeLessThan(3000);
    }
  });

  test("has links to lines and ranges in the middle, which are copied", async () => {
    await page.goto("about:blank");
    await page.goto(`${job}#L250010-L250012`);
    await line(250_011).waitFor();
    expect(await page.locator(".line.marked").count()).toBe(3);
    expect(await isInSight(250_010)).toBe(true);
    await page.getByText("Lines 250010–250012").waitFor();
    await line(250_015).getByRole("link").click();
    await line(250_018)
      .getByRole("link")
      .click({ modifiers: ["Shift"] });
    expect(page.url()).toBe(`${job}#L250015-L250018`);
    expect(await page.locator(".line.marked").count()).toBe(4);
    await button("Copy link").click();
    await button("Copied").waitFor();
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(page.url());
    await page.goto(`${job}#L499990`);
    await line(499_990).waitFor();
  });

  test("is searched as a whole, by text and by expression, with counts, by keys", async () => {
    await page.getByText("500,000 lines", { exact: true }).waitFor();
    await scrollTo(0);
    await page.locator("#log").focus();
    await page.keyboard.press("f");
    const matches = records.flatMap(({ lvl, msg }, n) =>
      String(msg).includes("number 4321") ? [{ number: n + 1, isShown: lvl !== "debug" }] : [],
    );
    const shown = matches.filter(({ isShown }) => isShown).map(({ number }) => number);
    const hidden = `${matches.length - shown.length} in hidden levels`;
    await field().fill("NUMBER 4321");
    await count(`${shown.length} matches, ${hidden}`).waitFor();
    await page.keyboard.press("Enter");
    await count(`1 of ${shown.length} matches, ${hidden}`).waitFor();
    expect(await isInSight(shown[0]!)).toBe(true);
    await page.keyboard.press("Shift+Enter");
    await count(`${shown.length} of ${shown.length} matches, ${hidden}`).waitFor();
    await line(shown.at(-1)!).waitFor();
    expect(await isInSight(shown.at(-1)!)).toBe(true);
    await page.locator("#log").focus();
    await page.keyboard.press("n");
    await page.keyboard.press("n");
    await count(`2 of ${shown.length} matches, ${hidden}`).waitFor();
    await page.keyboard.press("N");
    await count(`1 of ${shown.length} matches, ${hidden}`).waitFor();
    await page.getByRole("checkbox", { name: "Match upper and lower case" }).check();
    await count("0 matches").waitFor();
    await page.getByRole("checkbox", { name: "Match upper and lower case" }).uncheck();
    await page.getByRole("checkbox", { name: "Regular expression" }).check();
    await field().fill("number 49999[78];$");
    await count("2 matches").waitFor();
    await field().fill("(");
    await count("not a regular expression").waitFor();
    await field().fill("^(a+)+$");
    await count("this takes too long").waitFor();
    await page.getByRole("checkbox", { name: "Regular expression" }).uncheck();
    await field().press("Escape");
    await expect.poll(() => page.locator("#find-count").textContent()).toBe("");
  });

  test("is folded by action", async () => {
    await button("Fold all").click();
    await line(2001).waitFor();
    await line(2001)
      .getByText(/1 min 00 s, 398,\d\d\d lines, failed/)
      .waitFor();
    expect(await line(3000).count()).toBe(0);
    const fold = (number: number) => line(number).getByRole("button");
    expect(await fold(2001).getAttribute("aria-expanded")).toBe("false");
    await fold(2001).focus();
    await page.keyboard.press("Enter");
    await line(2002).waitFor();
    expect(await line(2003).count()).toBe(0);
    expect(await fold(2001).evaluate((element) => element === document.activeElement)).toBe(true);
    // Who goes to a line finds it.
    await page.goto(`${job}#L3001`);
    await line(3001).waitFor();
    await button("Fold all").click();
    await line(3001).waitFor({ state: "detached" });
    await line(2001).waitFor();
    await button("Unfold all").click();
    await scrollTo(0);
    await line(5).waitFor();
  });

  test("is filtered by level, and leads to its failure", async () => {
    await button("Jump to failure").click();
    await page.locator(".line.marked").waitFor();
    const marked = await page.locator(".line.marked").getAttribute("id");
    expect(Math.abs(Number(marked!.slice(1)) - 400_000)).toBeLessThan(10);
    await page.locator("#levels summary").click();
    const boxes = page.locator("#levels input:checked");
    while ((await boxes.count()) > 1) await boxes.first().uncheck();
    await page.getByRole("checkbox", { name: "error" }).check();
    await page.getByRole("checkbox", { name: "event" }).uncheck();
    await line(399_999).waitFor();
    await expect.poll(() => page.locator(".line.target").count()).toBe(0);
    for (const box of await page.locator("#levels input").all()) await box.check();
    await page.getByRole("checkbox", { name: "debug" }).uncheck();
    await page.keyboard.press("Escape");
    await page.getByText("Levels 9 of 10").waitFor();
  });

  test("shows hostile lines as text, and what is very long in part", async () => {
    await page.goto(`${job}#L1103`);
    await line(1103).waitFor();
    const shown = (n: number) =>
      line(n + 1)
        .locator("span")
        .textContent();
    expect(await shown(1101)).toBe(ATTACK);
    expect(await shown(1102)).toBe(ATTACK);
    expect((await shown(1104))!.length).toBe(4000);
    expect(await shown(1105)).toBe("nul \u2400 and \ufffdgnp.exe");
    expect(await page.locator("#log img, #log script").count()).toBe(0);
    expect(await page.title()).not.toContain("owned");
    const rest = line(1105).getByRole("link", { name: "996000 more characters" });
    const address = await rest.getAttribute("href");
    const whole = await page.evaluate(async (url) => (await fetch(url!)).text(), address);
    expect(whole).toMatch(/^2026-\S+Z target    y{1000000}\n$/);
  });

  test("has every control for everybody, wrapped or not, on every screen", async () => {
    await button("Wrap").click();
    await page.reload();
    await page.getByText("500,000 lines", { exact: true }).waitFor();
    expect(await button("Wrap").getAttribute("aria-pressed")).toBe("false");
    for (const width of [1280, 390]) {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.setViewportSize({ width, height: 844 });
        await page.emulateMedia({ colorScheme });
        await line(1103).waitFor();
        const problems = (await axeProblems(page)).filter((text) => /log|line|#L/i.test(text));
        expect({ width, colorScheme, problems }).toEqual({ width, colorScheme, problems: [] });
      }
    }
    await button("Wrap").click();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
  });
});
