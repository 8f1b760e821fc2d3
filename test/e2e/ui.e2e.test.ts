import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runningJob } from "../support/browser-session.ts";
import { aJob } from "../support/builders.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { sampleLog, SampleLog } from "../support/sample-log.ts";

const START = "2026-03-01T12:00:00Z";

describe.skipIf(!hasChromium())("the pages in a real browser", () => {
  let browser: Browser;
  let lab: EmbeddedLab;
  let server: Server;
  let page: Page;
  let url: string;
  let worker: string;
  let errors: string[];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    lab = await embeddedLab();
    worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    server = createAdaptorServer({ fetch: (request) => lab.app.fetch(request) }) as Server;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    errors = [];
    page = await signedInPage(browser, lab, url, errors);
  });
  afterEach(async () => {
    await page.context().close();
    server.closeAllConnections();
    server.close();
    await lab.close();
    if (errors.length > 0) throw new Error(`in the browser: ${errors.join("; ")}`);
  });

  const line = (number: number) => page.locator(`#L${number}`);
  const isAtEnd = () =>
    page
      .locator("#log")
      .evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 40);

  test("a job's log, timeline, results and state arrive while it runs", async () => {
    const { id, token } = await runningJob(lab, worker);
    const records = sampleLog(START);
    await page.goto(`${url}/jobs/${id}`);
    await page.getByText("0 lines, live").waitFor();
    const half = Math.floor(records.length / 2);
    await lab.ship(id, token, 0, records.slice(0, half));
    await line(half).waitFor({ state: "attached" });
    expect(await isAtEnd()).toBe(true);
    await page.locator(".bar.running").first().waitFor();

    await lab.ship(id, token, half, records.slice(half));
    await line(records.length).waitFor({ state: "visible" });
    expect(await isAtEnd()).toBe(true);
    await page.locator("#results").getByRole("link", { name: "systemd-running" }).waitFor();

    await lab.finish(id, token, { result: "pass", lines: records.length });
    await page.locator("#job-header .status", { hasText: "Complete" }).waitFor();
    expect(await page.locator("#announce").textContent()).toBe("The job has ended: Complete");
    await page.getByText(`${records.length} lines`, { exact: true }).waitFor();
    expect(await page.locator(".bar.running").count()).toBe(0);
    await page.locator("#levels summary").click();
    await page.getByRole("checkbox", { name: "debug" }).check();
    // Its lines come with the next frame.
    const gaps = async () => {
      const numbers = (await page.locator(".line > a").allTextContents()).map(Number);
      return numbers.filter((number, n) => n > 0 && number !== numbers[n - 1]! + 1);
    };
    await expect.poll(gaps).toEqual([]);
    await line(records.length).waitFor();
  });

  test("the reader's place in the log is left alone, until they go to the end", async () => {
    const { id, token } = await runningJob(lab, worker);
    const log = new SampleLog(START);
    for (let n = 1; n <= 600; n++) log.add("target", `number ${n};`);
    await lab.ship(id, token, 0, log.records.slice(0, 300));
    await page.goto(`${url}/jobs/${id}`);
    await line(300).waitFor({ state: "visible" });
    await page.locator("#log").hover();
    await page.mouse.wheel(0, -20_000);
    await page.getByRole("button", { name: "End" }).waitFor();
    await lab.ship(id, token, 300, log.records.slice(300, 500));
    await page.getByText("500 lines, live").waitFor();
    expect(await page.locator("#log").evaluate((element) => element.scrollTop)).toBe(0);
    expect(await line(1).isVisible()).toBe(true);
    await page.getByRole("button", { name: "End" }).click();
    await expect.poll(isAtEnd).toBe(true);
    await lab.ship(id, token, 500, log.records.slice(500));
    await line(600).waitFor({ state: "visible" });
    expect(await isAtEnd()).toBe(true);
  });

  test("levels can be shown and hidden, debug is hidden at first", async () => {
    const { id, token } = await runningJob(lab, worker);
    await lab.ship(id, token, 0, new SampleLog(START).add("debug", "d").add("target", "t").records);
    await page.goto(`${url}/jobs/${id}`);
    await line(2).waitFor();
    expect(await line(1).isVisible()).toBe(false);
    await page.locator("#levels summary").click();
    await page.getByRole("checkbox", { name: "debug" }).check();
    await line(1).waitFor();
    await page.getByRole("checkbox", { name: "target" }).uncheck();
    await line(2).waitFor({ state: "detached" });
    await page.keyboard.press("Escape");
    await page.getByText("Levels 9 of 10").waitFor();
    expect(await page.getByRole("checkbox", { name: "debug" }).isVisible()).toBe(false);
  });

  test("the log goes on after the lab was away", async () => {
    const { id, token } = await runningJob(lab, worker);
    const { records } = new SampleLog(START).add("target", "one", "two");
    await page.goto(`${url}/jobs/${id}`);
    await page.getByText("0 lines, live").waitFor();
    const { port } = server.address() as AddressInfo;
    server.closeAllConnections();
    server.close();
    await once(server, "close");
    await page.getByText("No answer from the lab").waitFor();
    await lab.ship(id, token, 0, records);
    server.listen(port, "127.0.0.1");
    await line(2).waitFor();
    await page.getByText("2 lines, live").waitFor();
    expect(await page.locator(".line").count()).toBe(2);
  });

  test("results and bars lead to their lines, lines have links", async () => {
    const { id, token } = await runningJob(lab, worker);
    const records = sampleLog(START, {});
    await lab.ship(id, token, 0, records);
    await lab.finish(id, token, { result: "pass", lines: records.length });
    await page.goto(`${url}/jobs/${id}`);
    await page.getByRole("link", { name: "dns-resolves" }).click();
    await page.locator(".line.marked", { hasText: "dns-resolves" }).waitFor();
    expect(new URL(page.url()).hash).toMatch(/^#L\d+$/);
    await page.locator(".bar", { hasText: "2.2 auto-login-action" }).click();
    await page.locator(".line.marked", { hasText: "start: 2.2" }).waitFor();
    await page.getByRole("link", { name: "dns-resolves" }).click();
    await page.locator("#log").evaluate((log) => log.scrollTo(0, 0));
    await line(5).getByRole("link").click();
    expect(page.url()).toBe(`${url}/jobs/${id}#L5`);
  });

  test("hostile output does nothing", async () => {
    const { id, token } = await runningJob(lab, worker);
    await page.goto(`${url}/jobs/${id}`);
    await page.getByText("0 lines, live").waitFor();
    const attack = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`;
    const { records } = new SampleLog(START).add("target", attack, `\u001b[31m${attack}`);
    await lab.ship(id, token, 0, records);
    await line(2).waitFor();
    expect(await line(1).locator("span").textContent()).toBe(attack);
    expect(await page.locator("#log img, #log script").count()).toBe(0);
    expect(await page.title()).not.toBe("owned");
  });

  test("a job is submitted and canceled", async () => {
    await page.getByRole("link", { name: "Submit", exact: true }).click();
    await page.locator("#editor").waitFor();
    await page.getByRole("textbox", { name: "Job definition, YAML" }).fill(aJob());
    await page.getByRole("button", { name: "Submit" }).click();
    await page.getByRole("link", { name: "Cancel job" }).click();
    await page.getByRole("button", { name: "Cancel the job" }).click();
    await page.locator("#job-header .status", { hasText: "Canceled" }).waitFor();
    expect((await lab.job(1)).health).toBe("Canceled");
  });

  test("the list of jobs keeps itself fresh", async () => {
    await page.getByText("No job has been submitted yet").waitFor();
    await lab.submit(aJob({ name: "new one" }));
    await page.getByRole("link", { name: "new one" }).waitFor();
    expect(await page.getByText("No job has been submitted yet").count()).toBe(0);
  });

  test("the keyboard reaches everything, and every control has a name", async () => {
    const { id, token } = await runningJob(lab, worker);
    await lab.ship(id, token, 0, sampleLog(START));
    for (const path of [
      "/",
      `/jobs/${id}`,
      "/devices",
      "/devices/qemu-01",
      "/workers",
      "/submit",
    ]) {
      await page.goto(`${url}${path}`);
      const landmarks = {
        main: await page.getByRole("main").count(),
        title: await page.getByRole("heading", { level: 1 }).count(),
      };
      expect({ path, ...landmarks }).toEqual({ path, main: 1, title: 1 });
      const nameless = await page
        .locator("a[href], button, input:not([type=hidden]), select, textarea")
        .evaluateAll((controls) =>
          controls
            .filter((control) => {
              const labels = (control as HTMLInputElement).labels;
              const name = control.getAttribute("aria-label") ?? labels?.[0]?.textContent;
              return !(name ?? control.textContent).trim();
            })
            .map((control) => control.outerHTML),
        );
      expect({ path, nameless }).toEqual({ path, nameless: [] });
      await page.keyboard.press("Tab");
      const skip = page.getByRole("link", { name: "Skip to content" });
      const isFirst = await skip.evaluate((link) => link === document.activeElement);
      expect({ path, isFirst }).toEqual({ path, isFirst: true });
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        const faint = await page.evaluate(lowContrast);
        expect({ path, colorScheme, faint }).toEqual({ path, colorScheme, faint: [] });
      }
    }
  });

  test("no page is wider than a phone", async () => {
    const { id, token } = await runningJob(lab, worker, { name: `a-${"long".repeat(30)}-name` });
    await lab.ship(id, token, 0, sampleLog(START));
    await page.setViewportSize({ width: 390, height: 844 });
    for (const path of [
      "/",
      `/jobs/${id}`,
      `/jobs/${id}/definition`,
      "/devices",
      "/workers",
      "/submit",
    ]) {
      await page.goto(`${url}${path}`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect({ path, isWider: width > 390 }).toEqual({ path, isWider: false });
    }
  });
});

/** Texts whose contrast is below WCAG's 4.5:1, in the page's own colours. */
function lowContrast(): string[] {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
  const rgb = (colour: string): number[] => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (colour: number[]): number => {
    const [r = 0, g = 0, b = 0] = colour.slice(0, 3).map((channel) => {
      const part = channel / 255;
      return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element: Element | null): number[] => {
    const colour = element ? rgb(getComputedStyle(element).backgroundColor) : [255, 255, 255, 255];
    return colour[3] === 255 ? colour : background(element!.parentElement);
  };
  return [...document.querySelectorAll("body *")]
    .filter((element) =>
      [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim()),
    )
    .filter((element) => element.checkVisibility())
    .filter((element) => {
      const [a, b] = [rgb(getComputedStyle(element).color), background(element)].map(luminance);
      return (Math.max(a!, b!) + 0.05) / (Math.min(a!, b!) + 0.05) < 4.5;
    })
    .map((element) => element.outerHTML.slice(0, 120));
}
