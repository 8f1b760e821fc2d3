import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { axeProblems } from "../support/axe.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { listeningLab } from "../support/listening-lab.ts";

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
/** One of each kind: the front page, a walk-through, wide tables, a method. */
const KINDS = [
  "/docs",
  "/docs/add-a-uboot-device",
  "/docs/differences",
  "/docs/methods/boot-u-boot",
];
/** Long ones that are made, with nothing but what those have: looked at once. */
const LONG = ["/docs/api", "/docs/methods"];

describe.skipIf(!hasChromium())("the documentation in a real browser", () => {
  let browser: Browser;
  let lab: Awaited<ReturnType<typeof listeningLab>>;
  let page: Page;
  let errors: string[];

  beforeAll(async () => {
    browser = await launchChromium();
    lab = await listeningLab();
  });
  afterAll(async () => {
    await browser?.close();
    await lab?.close();
  });

  beforeEach(async () => {
    errors = [];
    page = await (await browser.newContext({ viewport: DESKTOP })).newPage();
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
  });
  afterEach(async () => {
    await page.context().close();
    if (errors.length > 0) throw new Error(`in the browser: ${errors.join("; ")}`);
  });

  test("is read without signing in, page after page in reading order", async () => {
    await page.goto(`${lab.url}/docs`);
    for (const next of ["first-job", "concepts", "writing-jobs"]) {
      await page.locator('.neighbours [rel="next"]').click();
      await page.waitForURL(`${lab.url}/docs/${next}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
    }
    await page.getByRole("navigation", { name: "Chapters" }).getByText("Concepts").click();
    await page.waitForURL(`${lab.url}/docs/concepts`);
  });

  test("who is signed in has the lab's sections above it, and comes here by them", async () => {
    const own = await signedInPage(browser, lab, lab.url, errors);
    await own.getByRole("navigation", { name: "Sections" }).getByText("Docs").click();
    await own.getByRole("heading", { level: 1, name: "Pumice" }).waitFor();
    const current = own.locator("#sections [aria-current]");
    expect(await current.textContent()).toBe("Docs");
    await own.context().close();
  });

  test("the search finds sections while one types, and the keyboard opens one", async () => {
    await page.goto(`${lab.url}/docs`);
    const field = page.getByRole("combobox", { name: "Search the documentation" });
    await field.fill("fair share");
    const first = page.getByRole("option").first();
    await first.getByText("Fair share").waitFor();
    expect(await axeProblems(page)).toEqual([]);
    await field.press("ArrowDown");
    expect(await first.getAttribute("aria-selected")).toBe("true");
    await field.press("Enter");
    await page.waitForURL(`${lab.url}/docs/queue#fair-share`);

    await field.fill("xyzzy");
    await page.getByText("Nothing about “xyzzy”.").waitFor();
    await field.press("Escape");
    expect(await page.locator("#found").isVisible()).toBe(false);
  });

  test("a link to a section shows it, and the sections of a page are listed beside it", async () => {
    await page.goto(`${lab.url}/docs/queue`);
    await page
      .getByRole("navigation", { name: "On this page" })
      .getByText("Fair share", { exact: true })
      .click();
    await page.waitForURL(`${lab.url}/docs/queue#fair-share`);
    const top = await page
      .locator("#fair-share")
      .evaluate((heading) => heading.getBoundingClientRect().top);
    expect(top).toBeGreaterThanOrEqual(0);
    expect(top).toBeLessThan(100);
  });

  test("a page that is not there says so", async () => {
    const answer = await page.goto(`${lab.url}/docs/no-such-page`);
    expect(answer?.status()).toBe(404);
    await page.getByText("there is no page /docs/no-such-page in the documentation").waitFor();
    // Chromium writes a 404 to its console.
    errors = [];
  });

  describe.each([
    ["desktop, light", DESKTOP, "light"],
    ["desktop, dark", DESKTOP, "dark"],
    ["phone, light", PHONE, "light"],
    ["phone, dark", PHONE, "dark"],
  ] as const)("%s", (name, viewport, colorScheme) => {
    test("axe finds nothing, and nothing but tables and code is wider than the screen", async () => {
      await page.setViewportSize(viewport);
      await page.emulateMedia({ colorScheme });
      for (const where of name === "desktop, light" ? [...KINDS, ...LONG] : KINDS) {
        await page.goto(`${lab.url}${where}`);
        expect([where, await axeProblems(page)]).toEqual([where, []]);
        const tooWide = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        expect([where, tooWide]).toEqual([where, 0]);
      }
    });
  });
});
