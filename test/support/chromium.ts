import { existsSync } from "node:fs";
import { chromium, type Browser, type Page } from "playwright-core";
import type { EmbeddedLab } from "./embedded-lab.ts";

const CHROMIUM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Whether this machine has the browser; says so when it hasn't. */
export function hasChromium(): boolean {
  if (existsSync(CHROMIUM)) return true;
  console.log(`skipped: there is no ${CHROMIUM}; install Debian's chromium or set CHROMIUM`);
  return false;
}

/** The browser; the caller closes it. */
export const launchChromium = (): Promise<Browser> =>
  chromium.launch({ executablePath: CHROMIUM, args: FLAGS });

/**
 * A page that was signed in by a one-time link, as a person does it. `errors` gets what scripts throw and what the
 * page's policy forbids.
 */
export async function signedInPage(
  browser: Browser,
  lab: Pick<EmbeddedLab, "api">,
  url: string,
  errors: string[],
): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.text().includes("Content Security Policy")) errors.push(message.text());
  });
  const link = new URL((await lab.api<{ url: string }>("/sign-in-links", { method: "POST" })).url);
  await page.goto(`${url}${link.pathname}${link.search}`);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
  return page;
}
