import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { axeProblems } from "../support/axe.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { testedLab } from "../support/tested-lab.ts";

/** Of the last job, which runs `suspend and resume`. */
const LAST = 36;
const PAGES = [
  "/",
  "/?text=ltp&health=Complete&submitter=admin",
  "/queries",
  "/queries/new",
  "/queries/admin/qemu?case=boot-time&group_by=branch",
  "/queries/admin/qemu/edit",
  "/tests",
  "/tests?show=flaky",
  "/tests/latest",
  `/jobs/${LAST}/suites`,
  `/jobs/${LAST}/suites/0_suspend`,
  `/jobs/${LAST}/suites/1_boot/boot-time`,
  `/compare?before=1,5,9&after=${LAST}`,
  "/reports?days=30",
];

describe.skipIf(!hasChromium())("the pages of results in a real browser", () => {
  let browser: Browser;
  let lab: EmbeddedLab;
  let server: Server;
  let page: Page;
  let url: string;
  const errors: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    lab = await embeddedLab();
    await testedLab(lab, LAST);
    const body = { conditions: "requested_device_type__qemu", description: "All on QEMU" };
    await lab.api("/queries/admin/qemu", { method: "PUT", body });
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
    if (errors.length > 0) throw new Error(`in the browser: ${errors.join("; ")}`);
  });
  beforeEach(() => page.setViewportSize({ width: 1280, height: 800 }));

  test.each(PAGES)(
    "%s is accessible and fits, on a desk and a phone, light and dark",
    async (path) => {
      for (const [width, height] of [
        [1280, 800],
        [390, 844],
      ] as const) {
        await page.setViewportSize({ width, height });
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          expect((await page.goto(url + path))?.status()).toBe(200);
          expect(await axeProblems(page)).toEqual([]);
          const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          expect(over).toBeLessThanOrEqual(0);
        }
      }
    },
  );

  test("the first page is less than 60 kB with all that it loads, as it is sent", async () => {
    const context = await browser.newContext();
    const [first] = await page.context().cookies();
    await context.addCookies([first!]);
    const fresh = await context.newPage();
    const sizes = new Map<string, number>();
    const told: Promise<void>[] = [];
    fresh.on("requestfinished", (request) => {
      told.push(
        request.sizes().then(({ responseBodySize, responseHeadersSize }) => {
          sizes.set(request.url(), responseBodySize + responseHeadersSize);
        }),
      );
    });
    await fresh.goto(url, { waitUntil: "networkidle" });
    expect(await fresh.locator("table.jobs tbody tr").count()).toBe(LAST);
    await Promise.all(told);
    await context.close();
    const names = [...sizes.keys()].join(" ");
    expect(names).toMatch(/style-.*\.css/);
    expect(names).toMatch(/icon-.*\.svg/);
    const sum = [...sizes.values()].reduce((all, size) => all + size, 0);
    expect(sum).toBeGreaterThan(5000);
    expect(sum).toBeLessThan(60_000);
  });

  test("a filter becomes a view, by keyboard alone, and goes again", async () => {
    await page.goto(url);
    await page.getByLabel("Text", { exact: true }).focus();
    await page.keyboard.type("suspend");
    await page.keyboard.press("Enter");
    await page.waitForURL(/text=suspend/);
    await page.getByLabel("Keep this filter as a view").focus();
    await page.keyboard.type("Suspend");
    await page.keyboard.press("Enter");
    const tab = page.getByRole("navigation", { name: "Views of the jobs" }).getByText("Suspend");
    await tab.waitFor();
    expect(await tab.getAttribute("aria-current")).toBe("page");
    await page.getByRole("button", { name: "Remove view “Suspend”" }).click();
    await page.waitForURL(`${url}/`);
    expect(await tab.count()).toBe(0);
  });

  test("a chart is walked job by job with the arrow keys, and Enter opens one", async () => {
    await page.goto(`${url}/queries/admin/qemu?case=boot-time`);
    const chart = page.getByRole("slider", { name: "boot-time, job by job" });
    await chart.locator("canvas").waitFor();
    await chart.focus();
    await page.keyboard.press("Home");
    const told = () => chart.getAttribute("aria-valuetext");
    expect(await told()).toMatch(/^#1 · .* s/);
    await page.keyboard.press("ArrowRight");
    expect(await told()).toMatch(/^#2 /);
    expect(await page.locator("figure.chart .point a").nth(1).textContent()).toBe(await told());
    await page.keyboard.press("End");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/jobs\/3\d$/);
  });

  test("a point under the pointer is told and opened by a click", async () => {
    await page.goto(`${url}/queries/admin/qemu`);
    const over = page.locator(".chart .u-over");
    await over.hover({ position: { x: 5, y: 60 } });
    await page.locator(".point", { hasText: "#1 ·" }).waitFor();
    await over.click({ position: { x: 5, y: 60 } });
    await page.waitForURL(`${url}/jobs/1`);
  });

  test("a query is made by form and draws without a script", async () => {
    await page.goto(`${url}/queries`);
    await page.getByRole("link", { name: "New query" }).click();
    await page.getByLabel("Name").fill("slow");
    await page.getByLabel("Field of condition 1").fill("health_check");
    await page.getByLabel("Value of condition 1").fill("perhaps");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText("expected true or false").waitFor();
    await page.getByLabel("Value of condition 1").fill("false");
    await page.getByRole("button", { name: "Save" }).click();
    await page.waitForURL(/\/queries\/admin\/slow$/);
    const plain = await browser.newContext({ javaScriptEnabled: false });
    await plain.addCookies(await page.context().cookies());
    const reader = await plain.newPage();
    await reader.goto(`${url}/queries/admin/slow`);
    expect(await reader.locator("figure.chart svg circle").count()).toBeGreaterThan(20);
    await reader.getByText("The same as a table").click();
    await reader.getByRole("link", { name: "#1", exact: true }).click();
    await reader.waitForURL(`${url}/jobs/1`);
    await plain.close();
  });

  test("from the matrix to a failed case, its history and a comparison", async () => {
    await page.goto(`${url}/tests?name=suspend&show=changed`);
    await page.locator(".matrix").getByRole("link", { name: "fail" }).first().click();
    await page.getByRole("heading", { name: /In the newest jobs/ }).waitFor();
    await page.getByRole("link", { name: "compare" }).first().click();
    await page.getByRole("heading", { name: /^Compare \d+ with \d+$/ }).waitFor();
  });

  test("the report leads to the jobs of a day", async () => {
    await page.goto(`${url}/reports`);
    await page.getByText("The same as a table").click();
    await page.locator("figure.days").getByRole("link").first().click();
    await page.waitForURL(/since=.*until=/);
    expect(await page.getByRole("heading", { name: "Jobs" }).count()).toBe(1);
  });
});
