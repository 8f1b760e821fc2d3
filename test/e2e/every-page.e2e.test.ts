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
import { fillLabOfWeeks, type LabOfWeeks } from "../support/lab-of-weeks.ts";

/** Addresses of each page in the lab of weeks; a page that is missing here fails the first test. */
const addresses = (made: LabOfWeeks): Record<string, readonly string[]> => {
  const { complete, failed, running, waiting, group, device, worker, deviceType } = made;
  const job = (rest: string) => [`/jobs/${failed}${rest}`];
  return {
    "/": ["/", "/?state=Finished&health=Incomplete", "/?submitter=nobody"],
    "/account": ["/account"],
    "/account/terminal": ["/account/terminal"],
    "/admin": ["/admin"],
    "/admin/groups": ["/admin/groups"],
    "/admin/groups/:name": ["/admin/groups/kernel"],
    "/admin/notices": ["/admin/notices"],
    "/admin/permissions": ["/admin/permissions"],
    "/admin/permissions/:kind/:name": [`/admin/permissions/device/${device}`],
    "/admin/releases": ["/admin/releases"],
    "/admin/settings": ["/admin/settings"],
    "/admin/tokens": ["/admin/tokens"],
    "/admin/users": ["/admin/users"],
    "/admin/users/:name": ["/admin/users/alice"],
    "/audit": ["/audit"],
    "/compare": [`/compare?a=${complete}&b=${failed}`],
    "/device-types": ["/device-types"],
    "/device-types/:name": [`/device-types/${deviceType}`],
    "/device-types/:name/health-check": [`/device-types/${deviceType}/health-check`],
    "/device-types/:name/template": [`/device-types/${deviceType}/template`],
    "/devices": ["/devices"],
    "/devices/:hostname": [`/devices/${device}`],
    "/devices/:hostname/configuration": [`/devices/${device}/configuration`],
    "/devices/:hostname/console": [`/devices/${device}/console`],
    "/devices/:hostname/dictionary": [`/devices/${device}/dictionary`],
    "/devices/:hostname/history": [`/devices/${device}/history`],
    "/devices/:hostname/jobs": [`/devices/${device}/jobs`],
    "/docs": ["/docs"],
    "/docs/:page{.*}": ["/docs/queue"],
    "/jobs/:id": [complete, failed, running, waiting, group].map((id) => `/jobs/${id}`),
    "/jobs/:id/cancel": [`/jobs/${running}/cancel`],
    "/jobs/:id/definition": job("/definition"),
    "/jobs/:id/device": job("/device"),
    "/jobs/:id/metadata": job("/metadata"),
    "/jobs/:id/plan": job("/plan"),
    "/jobs/:id/results": job("/results"),
    "/jobs/:id/similar": job("/similar"),
    "/jobs/:id/suites": job("/suites"),
    "/jobs/:id/suites/:suite": job("/suites/lava"),
    "/jobs/:id/suites/:suite/:case": job("/suites/lava/validate"),
    "/queries": ["/queries"],
    "/queries/:owner/:name": ["/queries/admin/smoke"],
    "/queries/:owner/:name/edit": ["/queries/admin/smoke/edit"],
    "/queries/new": ["/queries/new"],
    "/queue": ["/queue", `/queue?device_type=${deviceType}`],
    "/reports": ["/reports"],
    "/search": ["/search", "/search?q=qemu", "/search?q=nothing-of-the-kind"],
    "/submit": ["/submit", `/submit?from=${failed}`],
    "/tests": ["/tests", `/tests?device_type=${deviceType}`],
    "/tests/latest": ["/tests/latest"],
    "/workers": ["/workers"],
    "/workers/:name": [`/workers/${worker}`],
    "/workers/:name/texts/:text": [`/workers/${worker}/texts/env`],
  };
};

/** Served beside the pages, or pages that send on to others. */
const NO_PAGES = new Set([
  ...["/assets/:name", "/schemas/job.json", "/jobs", "/jobs/:id/parts", "/RPC2", "/RPC2/"],
  // LAVA's event stream: what is no WebSocket is told so, or sent on.
  ...["/ws", "/ws/"],
  ...["/sign-in/oidc/:provider", "/sign-in/oidc/:provider/callback"],
  "/sign-in/oidc/:provider/sign-out",
  // Of who is not signed in, and of a lab that is empty: sign-in.e2e and shell.e2e have them.
  ...["/sign-in", "/password", "/welcome", "/welcome/worker", "/welcome/device"],
]);
const OTHER_AREAS = /^\/(api|results|scheduler|blobs)\b/;

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
/** Both screens, and both once more in the other colours. */
const LOOKS = [
  { name: "on a desk in the light", screen: DESK, colorScheme: "light", onlyColours: false },
  { name: "on a phone in the dark", screen: PHONE, colorScheme: "dark", onlyColours: false },
  { name: "on a desk in the dark", screen: DESK, colorScheme: "dark", onlyColours: true },
  { name: "on a phone in the light", screen: PHONE, colorScheme: "light", onlyColours: true },
] as const;
/** A folder for pictures of all of them, to be looked at. */
const PICTURES = process.env["PUMICE_PICTURES"];

describe.skipIf(!hasChromium())("every page", () => {
  let browser: Browser;
  let lab: EmbeddedLab;
  let server: Server;
  let page: Page;
  let url: string;
  let made: LabOfWeeks;
  const errors: string[] = [];

  beforeAll(async () => {
    lab = await embeddedLab();
    made = await fillLabOfWeeks(lab);
    server = createAdaptorServer({ fetch: (request) => lab.app.fetch(request) }) as Server;
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    browser = await launchChromium();
    page = await signedInPage(browser, lab, url, errors);
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    server?.closeAllConnections();
    server?.close();
    await lab?.close();
  });

  test("is among those that are looked at here", () => {
    const served = lab.app.routes
      .filter(({ method, path: route }) => method === "GET" && !OTHER_AREAS.test(route))
      .map(({ path: route }) => route);
    const known = new Set([...Object.keys(addresses(made)), ...NO_PAGES]);
    expect([...new Set(served)].filter((route) => !known.has(route))).toEqual([]);
  });

  test.each(LOOKS)(
    "is whole, readable by everybody and no wider than the screen $name",
    async ({ name, screen, colorScheme, onlyColours }) => {
      await page.setViewportSize(screen);
      await page.emulateMedia({ colorScheme });
      const found: Record<string, unknown> = {};
      for (const where of Object.values(addresses(made)).flat()) {
        const answer = await page.goto(`${url}${where}`);
        if (PICTURES) await keepPicture(where, name);
        const problems = await problemsOf(answer?.status(), onlyColours);
        if (problems.length > 0) found[where] = problems;
      }
      expect(found).toEqual({});
      expect(errors.splice(0)).toEqual([]);
    },
    300_000,
  );

  async function problemsOf(status: number | undefined, onlyColours: boolean): Promise<string[]> {
    const problems = await axeProblems(page, { onlyColours });
    if (status !== 200) problems.push(`status ${status}`);
    const { heads, title, wide } = await page.evaluate(() => ({
      heads: document.querySelectorAll("h1").length,
      title: document.title,
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    }));
    if (heads !== 1) problems.push(`${heads} headings of the first level`);
    if (!title.endsWith("Pumice")) problems.push(`its title is ${title}`);
    if (wide > 0) problems.push(`${wide} pixels wider than the screen`);
    return problems;
  }

  async function keepPicture(where: string, look: string): Promise<void> {
    mkdirSync(PICTURES!, { recursive: true });
    const file = `${where.replaceAll(/[^\w-]+/g, "_")}-${look.replaceAll(" ", "-")}.png`;
    await page.screenshot({ path: path.join(PICTURES!, file) });
  }
});
