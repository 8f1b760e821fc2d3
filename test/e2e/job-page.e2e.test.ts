import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { axeProblems } from "../support/axe.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { sampleJobs, type SampleJobs } from "../support/sample-jobs.ts";

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const PARTS = ["", "/definition", "/plan", "/device", "/metadata", "/similar", "/results"];
/** Where to put pictures of all pages, to be looked at. */
const PICTURES = process.env["PUMICE_SCREENSHOTS"];

describe.skipIf(!hasChromium())("a job's pages in a real browser", () => {
  let browser: Browser;
  let lab: EmbeddedLab;
  let server: Server;
  let page: Page;
  let url: string;
  let jobs: SampleJobs;
  const errors: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    lab = await embeddedLab();
    jobs = await sampleJobs(lab);
    server = createAdaptorServer({ fetch: (request) => lab.app.fetch(request) }) as Server;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    page = await signedInPage(browser, lab, url, errors);
  });
  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
    await lab?.close();
  });
  afterEach(async () => {
    await page.setViewportSize(DESKTOP);
    const seen = errors.splice(0);
    if (seen.length > 0) throw new Error(`in the browser: ${seen.join("; ")}`);
  });

  const open = (id: number, part = "") => page.goto(`${url}/jobs/${id}${part}`);
  const top = async (selector: string) => (await page.locator(selector).first().boundingBox())!.y;

  test.each([DESKTOP, PHONE])(
    "no page of a job breaks a rule of WCAG, in light and dark, at $width px",
    async (size) => {
      const { failed, waiting, running, retried, member, canceled, many } = jobs;
      const paths = [
        ...PARTS.map((part) => [failed, part] as const),
        ...[waiting, running, retried, member, canceled].map((id) => [id, ""] as const),
        [running, "/cancel"] as const,
        [many, ""] as const,
      ];
      const found: string[] = [];
      await page.setViewportSize(size);
      for (const [id, part] of paths) {
        await open(id, part);
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          const where = `${size.width} ${colorScheme} ${nameOf(jobs, id)}${part}`;
          if (PICTURES !== undefined) {
            const file = `${where.replaceAll(/[ /]/g, "-")}.png`;
            await page.screenshot({ path: `${PICTURES}/${file}`, fullPage: size === PHONE });
          }
          found.push(...(await axeProblems(page)).map((problem) => `${where}: ${problem}`));
        }
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        if (width > size.width) found.push(`${size.width} ${nameOf(jobs, id)}${part}: wider`);
      }
      await page.emulateMedia({ colorScheme: "light" });
      expect(found).toEqual([]);
    },
    300_000,
  );

  test("a failed job shows the lines that tell why, each a link to its place in the log", async () => {
    await open(jobs.failed);
    const failure = page.locator("#failure");
    const sentence = "auto-login-action timed out after 120 seconds: the job’s fault";
    await failure.getByText(sentence).waitFor();
    const lines = await failure.getByRole("listitem").allTextContents();
    expect(lines.some((line) => line.includes("You are in emergency mode."))).toBe(true);
    // What the DUT printed in colour has no escape sequence left.
    expect(lines.join("")).not.toMatch(/\u001b|\[0;1/);
    await failure.locator(".shows").getByRole("link").click();
    await page.locator(".line.marked", { hasText: "auto-login-action" }).waitFor();
  });

  test("the parts of a job lead to each other", async () => {
    await open(jobs.failed);
    for (const [name, heading] of [
      ["Definition", "Definition"],
      ["Plan", "Plan"],
      ["Device", "Device qemu-01"],
      ["Metadata", "Metadata of the definition"],
      ["Similar", "Similar jobs"],
      ["Log & results", "Log"],
    ] as const) {
      const tab = page
        .getByRole("navigation", { name: "Parts of the job" })
        .getByRole("link", { name, exact: true });
      await tab.click();
      await page.getByRole("heading", { name: heading, exact: true }).waitFor();
      expect(await tab.getAttribute("aria-current")).toBe("page");
    }
  });

  test("the plan has the worker's steps with time-outs, and what each of them took", async () => {
    await open(jobs.failed, "/plan");
    const row = page.getByRole("row", { name: /auto-login-action/ });
    expect(await row.first().textContent()).toMatch(/\d+ min \d\d s/);
    const strategy = page.getByRole("row", { name: /tmpfs/ }).first();
    await strategy.waitFor();
  });

  test("the definition is marked up, and is edited and submitted again", async () => {
    await open(jobs.failed, "/definition");
    expect(await page.locator(".y-key", { hasText: "job_name" }).count()).toBe(1);
    await page.getByRole("link", { name: "Edit and submit again" }).click();
    expect(new URL(page.url()).search).toBe(`?from=${jobs.failed}`);
  });

  test("the device's configuration is that of the job's start, and says what changed since", async () => {
    await open(jobs.failed, "/device");
    await page.getByText("The dictionary has changed since.").waitFor();
    const source = page.getByRole("region", { name: "Configuration of qemu-01" });
    expect(await source.textContent()).not.toContain("changed-later");
    await open(jobs.waiting, "/device");
    await page.getByText("It has no device yet").waitFor();
  });

  test("similar jobs are those with the same description but for numbers, to be compared", async () => {
    await open(jobs.failed, "/similar");
    const rows = page.getByRole("row");
    expect(await rows.count()).toBe(1 + 1 + jobs.similar.length);
    expect(await page.locator(".runs li").count()).toBe(1 + jobs.similar.length);
    await page
      .getByRole("link", { name: /^with this/ })
      .first()
      .click();
    expect(new URL(page.url()).pathname).toBe("/compare");
    expect(await page.getByRole("heading", { level: 1 }).count()).toBe(1);
  });

  test("a job is annotated, its page shows it, and the annotation is taken back", async () => {
    await open(jobs.failed);
    await page.getByRole("link", { name: "Annotate" }).click();
    await page.getByLabel("Your annotation, plain text").fill("<b>loose</b>\ncable");
    await page.getByLabel("What was at fault").selectOption("lab");
    await page.getByRole("button", { name: "Annotate" }).click();
    const shown = page.locator("#job-header .annotation");
    await shown.getByText("at fault: the lab").waitFor();
    expect(await shown.locator(".words").textContent()).toBe("<b>loose</b>\ncable");
    await page.getByRole("link", { name: "Annotate" }).click();
    await page.getByRole("button", { name: "Remove what admin wrote" }).click();
    await page.getByText("What you found out about this job").waitFor();
    expect((await lab.job(jobs.failed)).annotations).toBeUndefined();
  });

  test("bars say what they stand for under the keyboard, and attempts are told apart", async () => {
    await open(jobs.retried);
    const again = page.locator("#timeline .again");
    expect(await again.allTextContents()).toEqual(["Attempt 2"]);
    const first = page.locator(".bar.retried").first();
    await first.focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Shift+Tab");
    const tip = first.locator(".tip");
    expect((await tip.boundingBox())!.width).toBeGreaterThan(100);
    expect((await page.locator(".bar.done .tip").first().boundingBox())!.width).toBe(1);
    const said = /^2\.1 u-boot-action: failed and was tried again, 31 s of 2 min 00 s allowed$/;
    expect(await page.getByRole("link", { name: said }).count()).toBe(1);
    await page.keyboard.press("Enter");
    await page.locator(".line.marked", { hasText: "start: 2.1" }).waitFor({ state: "attached" });
  });

  test("results can be cut down to those that did not pass; of very many there is a page of their own", async () => {
    await open(jobs.many);
    const results = page.locator("#results");
    expect(await results.locator(".suite tr:visible").count()).toBeLessThanOrEqual(310);
    expect(await results.locator(".passed").first().isVisible()).toBe(true);
    await page.getByLabel("only what did not pass").check();
    expect(await results.locator(".passed").first().isVisible()).toBe(false);
    await page.getByRole("link", { name: "Show all 2,500" }).click();
    await page.getByText("Page 1 of 3").waitFor();
    await page.getByRole("link", { name: "Next →" }).click();
    await page.getByRole("link", { name: "case-1000", exact: true }).waitFor();
    await page.getByRole("combobox", { name: "Result" }).selectOption("fail");
    await page.getByRole("button", { name: "Filter" }).click();
    expect(await page.locator(".all-results tbody tr").count()).toBe(25);
    await page.getByRole("link", { name: "case-100", exact: true }).click();
    await page.locator(".line.marked", { hasText: "case-100" }).waitFor({ state: "attached" });
  });

  test("on a phone header, failure and results come first, then the log, then the timeline", async () => {
    await page.setViewportSize(PHONE);
    await open(jobs.failed);
    const places = [];
    for (const part of ["h1", "#failure", "#results-title", "#log-title", "#timeline-title"]) {
      places.push(await top(part));
    }
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    await page.getByRole("link", { name: "Log", exact: true }).click();
    expect(await top("#log-title")).toBeLessThan(PHONE.height);
  });

  test("printed, a job has no controls and all of its width", async () => {
    await open(jobs.failed);
    await page.emulateMedia({ media: "print" });
    expect(await page.locator(".job-tabs").isVisible()).toBe(false);
    expect(await page.locator("#failure").isVisible()).toBe(true);
    await page.emulateMedia({ media: "screen" });
  });

  test("a canceled job says who canceled it and when, and leads to no failure", async () => {
    await open(jobs.canceled);
    const notice = page.locator("#canceled");
    await notice.getByText(/^Canceled by admin .*, 2026-03-0\d \d\d:\d\d:\d\d UTC/).waitFor();
    await page.getByText("9 lines", { exact: true }).waitFor();
    const jump = page.getByRole("button", { name: "Jump to failure" });
    expect(await jump.count()).toBe(0);
    // The same log of a job that failed has it.
    await open(jobs.failed);
    await jump.waitFor();
  });

  test("canceling asks once more", async () => {
    await open(jobs.waiting);
    await page.getByRole("link", { name: "Cancel job" }).click();
    await page.getByText("It leaves the queue at once").waitFor();
    await page.getByRole("link", { name: "Let it go on" }).click();
    expect((await lab.job(jobs.waiting)).state).toBe("Submitted");
    await page.getByRole("link", { name: "Cancel job" }).click();
    await page.getByRole("button", { name: "Cancel the job" }).click();
    await page.locator("#job-header .status", { hasText: "Canceled" }).waitFor();
    expect((await lab.job(jobs.waiting)).health).toBe("Canceled");
  });
});

const nameOf = (jobs: SampleJobs, id: number): string =>
  Object.entries(jobs).find(([, one]) => one === id)?.[0] ?? String(id);
