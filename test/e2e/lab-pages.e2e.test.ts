import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { axeProblems } from "../support/axe.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { sampleLab } from "../support/sample-lab.ts";

const DEVICE = "qemu-01";
const TYPE = "qemu";
const PAGES = {
  board: "/devices",
  device: `/devices/${DEVICE}`,
  "device-jobs": `/devices/${DEVICE}/jobs`,
  dictionary: `/devices/${DEVICE}/dictionary`,
  changes: `/devices/${DEVICE}/dictionary?from=1&to=3`,
  configuration: `/devices/${DEVICE}/configuration`,
  "device-history": `/devices/${DEVICE}/history`,
  types: "/device-types",
  type: `/device-types/${TYPE}`,
  template: `/device-types/${TYPE}/template`,
  queue: "/queue",
  "queue-of-type": "/queue?device_type=juno-r2",
  workers: "/workers",
  worker: "/workers/rack-3-left",
  "worker-text": "/workers/rack-3-left/texts/env",
};
/** A folder to keep pictures of the pages in, to be looked at. */
const PICTURES = process.env["PUMICE_PICTURES"];

describe.skipIf(!hasChromium())("the lab's pages in a real browser", () => {
  let browser: Browser;
  let lab: EmbeddedLab;
  let server: Server;
  let page: Page;
  let url: string;
  const errors: string[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
    lab = await embeddedLab();
    await sampleLab(lab);
    for (const options of ["-nographic", "-nographic -m 512", "-nographic -m 1024"]) {
      const dictionary = `{% extends 'qemu.jinja2' %}\n{# second shelf #}\n{% set mac_addr = '52:54:00:12:34:59' %}\n{% set memory = ${options.length * 32} %}\n`;
      await lab.addDevice(DEVICE, {
        dictionary,
        configuration: undefined,
        worker: "bench-cambridge-1",
        comment: `options ${options}`,
        tags: ["kvm"],
      });
    }
    server = createAdaptorServer({ fetch: (request) => lab.app.fetch(request) }) as Server;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    page = await signedInPage(browser, lab, url, errors);
  }, 60_000);
  afterAll(async () => {
    await page?.context().close();
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
    await lab?.close();
    if (errors.length > 0) throw new Error(`in the browser: ${errors.join("; ")}`);
  });

  describe.each([
    { size: "desktop", width: 1280, height: 800 },
    { size: "phone", width: 390, height: 844 },
  ])("on a $size", ({ size, width, height }) => {
    test.each(["light", "dark"] as const)(
      "in %s colours nothing is wrong with any of them",
      async (colorScheme) => {
        await page.setViewportSize({ width, height });
        await page.emulateMedia({ colorScheme });
        const wrong: string[] = [];
        for (const [name, where] of Object.entries(PAGES)) {
          const answer = await page.goto(`${url}${where}`);
          if (answer?.status() !== 200) wrong.push(`${name}: ${answer?.status()}`);
          // Structure is the same in both colours.
          const problems = await axeProblems(page, { onlyColours: colorScheme === "dark" });
          wrong.push(...problems.map((problem) => `${name}: ${problem}`));
          const overflow = await page.evaluate(
            () => document.documentElement.scrollWidth - innerWidth,
          );
          if (overflow > 0) wrong.push(`${name}: ${overflow} px wider than the screen`);
          await keepPicture(`${name}-${size}-${colorScheme}`);
        }
        expect(wrong).toEqual([]);
      },
      120_000,
    );
  });

  describe("with its script", () => {
    beforeAll(async () => {
      await page.setViewportSize({ width: 1280, height: 800 });
    });
    /** As when somebody comes back to the window; the page does the same every few seconds. */
    const comeBack = async () => {
      const answered = page.waitForResponse((answer) => answer.url() === page.url());
      await page.evaluate(() => dispatchEvent(new Event("focus")));
      await answered;
    };

    test("the board follows the lab, and leaves focus and folded types alone", async () => {
      await page.goto(`${url}/devices`);
      const folded = page.locator("#type-x15");
      await folded.locator("summary").click();
      const link = page.getByRole("link", { name: DEVICE, exact: true });
      await link.focus();
      const row = page.locator("tr", { has: link });
      expect(await row.textContent()).toContain("Good");
      const body = { health: "Bad", reason: "its fan is loud" };
      await lab.api(`/devices/${DEVICE}/health`, { method: "POST", body });
      await comeBack();
      await row.getByText("Bad").waitFor();
      expect(await link.evaluate((element) => element === document.activeElement)).toBe(true);
      expect(await folded.evaluate((element) => (element as HTMLDetailsElement).open)).toBe(false);
      await lab.addDevice("qemu-00", { worker: "rack-3-left" });
      await comeBack();
      await page.getByRole("link", { name: "qemu-00", exact: true }).waitFor();
      expect(await link.evaluate((element) => element === document.activeElement)).toBe(true);
      await lab.request("/devices/qemu-00", { method: "DELETE" });
      await comeBack();
      await page.getByRole("link", { name: "qemu-00", exact: true }).waitFor({ state: "detached" });
      expect(await link.evaluate((element) => element === document.activeElement)).toBe(true);
    });

    test("the filter is in the address", async () => {
      await page.goto(`${url}/devices`);
      await page.getByLabel("Health").selectOption("Bad");
      await page.getByRole("button", { name: "Filter" }).click();
      await page.getByRole("link", { name: "Clear" }).waitFor();
      expect(new URL(page.url()).searchParams.get("health")).toBe("Bad");
      expect(await page.locator("tbody tr .status.bad").count()).toBe(
        await page.locator("tbody tr").count(),
      );
    });

    test("a device is given its health and reserved from its page, by keyboard", async () => {
      await page.goto(`${url}/devices/${DEVICE}`);
      await page.getByLabel("Health").selectOption("Good");
      await page.getByLabel("Why").last().fill("the fan is new");
      await page.keyboard.press("Enter");
      await page.getByText("the fan is new").waitFor();
      await page.getByLabel("Hours").fill("2");
      await page.keyboard.press("Enter");
      await page.getByRole("button", { name: "Release it now" }).waitFor();
      await page.getByLabel("Hours more").press("Enter");
      await page.getByText("until 2026-03-01 15:00").first().waitFor();
      await page.getByRole("button", { name: "Release it now" }).click();
      await page.getByLabel("Hours", { exact: true }).waitFor();
    });

    test("two versions are picked and compared, and an old one is put back", async () => {
      await page.goto(`${url}/devices/${DEVICE}/dictionary`);
      await page.getByLabel("from version 2").check();
      await page.getByLabel("to version 4").check();
      await page.getByRole("button", { name: "Compare the two" }).click();
      await page.getByRole("heading", { name: "From version 2 to 4" }).waitFor();
      expect(await page.locator(".diff-line.added").count()).toBe(1);
      await page.getByRole("button", { name: "Put back version 2" }).click();
      await page.getByText("back to version 2").waitFor();
      await page.getByText("Edit", { exact: true }).click();
      const text = page.getByRole("textbox", { name: "Jinja2" });
      await text.fill("{% extends 'none.jinja2' %}");
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("alert").waitFor();
      expect(await text.inputValue()).toBe("{% extends 'none.jinja2' %}");
      expect(await axeProblems(page)).toEqual([]);
    });
  });

  async function keepPicture(name: string): Promise<void> {
    if (PICTURES === undefined) return;
    mkdirSync(PICTURES, { recursive: true });
    await page.screenshot({ path: path.join(PICTURES, `${name}.png`) });
  }
});
