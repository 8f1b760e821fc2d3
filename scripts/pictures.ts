// Takes the pictures of docs/images from pages as they are now, in a lab with made-up jobs. Look at each before you commit it.
//   scripts/with-node node --import ./scripts/tsx-hook.mjs scripts/pictures.ts [NAME ...]
import { createAdaptorServer } from "@hono/node-server";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Page } from "playwright-core";
import { launchChromium, signedInPage } from "../test/support/chromium.ts";
import { embeddedLab } from "../test/support/embedded-lab.ts";
import { fillLabOfWeeks, type LabOfWeeks } from "../test/support/lab-of-weeks.ts";

const IMAGES = path.resolve(import.meta.dirname, "../docs/images");
const DESK = { width: 1280, height: 720 };
const PHONE = { width: 390, height: 780 };

interface Picture {
  where: (lab: LabOfWeeks) => string;
  size: typeof DESK;
  colours?: "dark";
  /** What is done on the page first. */
  prepare?: (page: Page) => Promise<void>;
}

const pictures: Record<string, Picture> = {
  "job-page": { where: ({ failed }) => `/jobs/${failed}`, size: DESK },
  "job-on-a-phone": { where: ({ failed }) => `/jobs/${failed}`, size: PHONE, colours: "dark" },
  "tests-over-time": { where: () => "/tests", size: { width: 1280, height: 560 } },
  reports: { where: () => "/reports", size: DESK },
  submit: {
    where: ({ complete }) => `/submit?from=${complete}`,
    size: { width: 1280, height: 860 },
    prepare: async (page) => {
      await page.getByRole("button", { name: "Dry run" }).click();
      await page.getByText(/^The plan on /).waitFor();
    },
  },
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(pictures);
const unknown = names.filter((name) => !(name in pictures));
if (unknown.length > 0) {
  console.error(
    `pictures: no such picture: ${unknown.join(", ")}; there are ${Object.keys(pictures).join(", ")}`,
  );
  process.exit(2);
}
const lab = await embeddedLab();
const browser = await launchChromium();
const server = createAdaptorServer({ fetch: (request) => lab.app.fetch(request) });
try {
  const made = await fillLabOfWeeks(lab);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const page = await signedInPage(browser, lab, url, []);
  for (const name of names) {
    const { where, size, colours, prepare } = pictures[name]!;
    await page.setViewportSize(size);
    await page.emulateMedia({ colorScheme: colours ?? "light" });
    await page.goto(url + where(made), { waitUntil: "networkidle" });
    await prepare?.(page);
    await page.screenshot({ path: path.join(IMAGES, `${name}.png`) });
    console.log(`docs/images/${name}.png`);
  }
} finally {
  await browser.close();
  server.close();
  await lab.close();
}
