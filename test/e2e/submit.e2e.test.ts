import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { axeProblems } from "../support/axe.ts";
import { aJob } from "../support/builders.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

describe.skipIf(!hasChromium())("the submit page in a real browser", () => {
  let browser: Browser;
  let lab: EmbeddedLab;
  let server: Server;
  let page: Page;
  let url: string;
  let errors: string[];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  beforeEach(async () => {
    lab = await embeddedLab();
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01", { tags: ["hdmi"] });
    await lab.addDevice("qemu-02", { health: "Bad" });
    await lab.sync(worker);
    server = createAdaptorServer({ fetch: (request) => lab.app.fetch(request) }) as Server;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    errors = [];
    page = await signedInPage(browser, lab, url, errors);
    await page.goto(`${url}/submit`);
  });
  afterEach(async () => {
    await page.context().close();
    server.closeAllConnections();
    server.close();
    await lab.close();
    if (errors.length > 0) throw new Error(`in the browser: ${errors.join("; ")}`);
  });

  const editor = () => page.getByRole("textbox", { name: "Job definition, YAML" });
  const proposals = () => page.getByRole("listbox").getByRole("option");
  const text = () =>
    editor().evaluate((content) =>
      [...content.querySelectorAll(".cm-line")].map((line) => line.textContent).join("\n"),
    );
  /** As one who clears it first: what is typed over a marked word, Chromium styles as that was. */
  async function write(definition: string): Promise<void> {
    await editor().focus();
    await page.keyboard.press("Control+a");
    await page.keyboard.press("Delete");
    await page.keyboard.insertText(definition);
  }

  test("proposes keys, words, and what this lab has", async () => {
    await editor().focus();
    await page.keyboard.type("timeo");
    await proposals().filter({ hasText: "timeouts" }).waitFor();
    await page.getByText("How long the job and the parts of it may take").waitFor();
    await page.keyboard.press("Enter");
    expect(await text()).toBe("timeouts:\n  ");

    await write("device_type: ");
    await page.keyboard.press("Control+Space");
    await proposals().filter({ hasText: "qemu" }).waitFor();

    await write("actions:\n- deploy:\n    to: tmpfs\n    ima");
    await page.keyboard.press("Control+Space");
    await proposals().filter({ hasText: "images" }).waitFor();

    await write("actions:\n- boot:\n    method: u-b");
    await page.keyboard.press("Control+Space");
    await proposals().filter({ hasText: "u-boot" }).waitFor();
    await page.keyboard.press("Escape");
  });

  test("says while one types what is wrong, where, and mends it", async () => {
    await write(aJob().replace("minutes: 10", "minuets: 10"));
    const found = page.getByRole("list", { name: "Problems" });
    await found.getByText('unknown key "minuets"; did you mean minutes?').waitFor();
    await page.getByRole("status").filter({ hasText: "One problem" }).waitFor();
    expect(await page.locator(".cm-lintRange-error").textContent()).toBe("minuets");
    await found.getByRole("link", { name: "Line 6, column 9" }).click();
    expect(await page.locator(".cm-activeLine").textContent()).toBe("  job: {minuets: 10}");
    await page.locator(".cm-lintRange-error").hover();
    await page.getByRole("button", { name: "Change to minutes" }).click();
    await page.getByRole("status").filter({ hasText: "No problems" }).waitFor();
    expect(await text()).toContain("job: {minutes: 10}");
  });

  test("starts from a template, and back by undo", async () => {
    await write("job_name: mine");
    await page.getByText("Templates").click();
    await page.getByRole("link", { name: /^Multinode/ }).click();
    await page.locator(".cm-line", { hasText: "job_name: two nodes" }).waitFor();
    await page.keyboard.press("Control+z");
    expect(await text()).toBe("job_name: mine");
  });

  test("a dry run shows the devices and the plan, and submits nothing", async () => {
    await write(aJob({ lines: ["tags: [hdmi]"] }));
    await page.getByRole("button", { name: "Dry run" }).click();
    await page.getByRole("heading", { name: "Dry run: it would be accepted" }).waitFor();
    const row = (name: string) => page.getByRole("row", { name: new RegExp(`^${name} `) });
    expect(await row("qemu-01").textContent()).toContain("free");
    expect(await row("qemu-02").textContent()).toContain("without tag hdmi");
    await page.getByText("The plan on qemu-01: 25 steps").waitFor();
    expect(await row("1.3.1").textContent()).toContain("http-download");
    expect(await lab.api("/jobs")).toEqual({ jobs: [] });
    const stale = page.getByText("The text has changed since this dry run");
    expect(await stale.isVisible()).toBe(false);
    await editor().press("Control+End");
    await page.keyboard.type("#");
    await stale.waitFor();
    for (const { width, height } of [
      { width: 1280, height: 800 },
      { width: 390, height: 844 },
    ]) {
      await page.setViewportSize({ width, height });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(wide).toBeLessThanOrEqual(width);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect({ width, colorScheme, axe: await axeProblems(page) }).toEqual({
          ...{ width, colorScheme, axe: [] },
        });
      }
    }
  });

  test("submits by the keyboard, and a refusal keeps the text", async () => {
    await write(aJob({ deviceType: "none" }));
    await page.keyboard.press("Control+Enter");
    const alert = page.getByRole("alert");
    await alert.getByText('unknown device type "none"; known are qemu').waitFor();
    await alert.getByRole("link", { name: "Line 2, column 1" }).click();
    expect(await page.locator(".cm-activeLine").textContent()).toBe("device_type: none");
    expect(await axeProblems(page)).toEqual([]);
    await write(aJob({ name: "by the keyboard" }));
    await page.keyboard.press("Control+Enter");
    await page.waitForURL(`${url}/jobs/1`);
    expect((await lab.job(1)).description).toBe("by the keyboard");
    await page.goto(`${url}/submit`);
    await editor().waitFor();
    expect(await text()).toBe("");
  });

  test("Tab indents; after Esc it leaves the editor", async () => {
    await write("a:\n");
    await page.keyboard.press("Tab");
    expect(await text()).toBe("a:\n  ");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Tab");
    const submit = page.getByRole("button", { name: "Submit" });
    expect(await submit.evaluate((button) => button === document.activeElement)).toBe(true);
  });

  test("keeps a draft until it is submitted, without secrets, and warns before it is lost", async () => {
    await write("job_name: draft");
    const asked: string[] = [];
    page.on("dialog", (dialog) => {
      asked.push(dialog.type());
      void dialog.accept();
    });
    await page.goto(`${url}/submit`);
    expect(asked).toEqual(["beforeunload"]);
    await page.getByText("Your draft of earlier").waitFor();
    expect(await text()).toBe("job_name: draft");
    await write("job_name: draft\nsecrets:\n  token: hush");
    const kept = () => page.evaluate(() => JSON.stringify(Object.entries(localStorage)));
    expect(await kept()).not.toContain("hush");
    await page.goto(`${url}/submit`);
    await editor().waitFor();
    expect(await text()).toBe("");
  });

  test("keeps the draft when the session has ended meanwhile, until it has become a job", async () => {
    const definition = aJob({ name: "long in the writing" });
    await write(definition);
    const cookies = await page.context().cookies();
    await page.context().clearCookies();
    await page.getByRole("button", { name: "Submit" }).click();
    await page.waitForURL(/\/sign-in/);
    await page.context().addCookies(cookies);
    await page.goto(`${url}/submit`);
    await page.getByText("Your draft of earlier").waitFor();
    expect(await text()).toBe(definition);
    await page.getByRole("button", { name: "Submit" }).click();
    await page.waitForURL(`${url}/jobs/1`);
    await page.goto(`${url}/submit`);
    await editor().waitFor();
    expect(await text()).toBe("");
    expect(await page.evaluate(() => localStorage.length)).toBe(0);
  });

  test("opens a file", async () => {
    await page
      .getByLabel("Open a file")
      .setInputFiles({ name: "job.yaml", mimeType: "text/yaml", buffer: Buffer.from(aJob()) });
    await page.locator(".cm-line", { hasText: "job_name: smoke" }).waitFor();
  });

  test("works without scripts", async () => {
    const context = await browser.newContext({
      javaScriptEnabled: false,
      storageState: await page.context().storageState(),
    });
    try {
      const plain = await context.newPage();
      await plain.goto(`${url}/submit?template=qemu-smoke`);
      const area = plain.getByRole("textbox", { name: "Job definition, YAML" });
      expect(await area.inputValue()).toContain("job_name: qemu smoke test");
      await plain.getByRole("button", { name: "Dry run" }).click();
      await plain.getByText("of type qemu").waitFor();
      await area.fill(aJob({ name: "without scripts" }));
      await plain.getByRole("button", { name: "Submit" }).click();
      await plain.waitForURL(`${url}/jobs/1`);
    } finally {
      await context.close();
    }
  });
});
