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
    expect(errors).toEqual([]);
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
          wrong.push(...(await axeProblems(page)).map((problem) => `${name}: ${problem}`));
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

  async function keepPicture(name: string): Promise<void> {
    if (PICTURES === undefined) return;
    mkdirSync(PICTURES, { recursive: true });
    await page.screenshot({ path: path.join(PICTURES, `${name}.png`) });
  }
});
