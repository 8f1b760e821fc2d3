import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { crc32, deflateSync } from "node:zlib";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ConsoleList } from "#protocol/consoles.ts";
import { hasChromium, launchChromium } from "../support/chromium.ts";
import { consoleLab, type ConsoleLab } from "../support/console-lab.ts";
import { until } from "../support/real-lab.ts";
import { workerProgram } from "../support/worker-program.ts";

/** What stands for a DUT: a program that answers each line, in colours; the return key ends one. */
const BOARD = `printf 'board ready\\r\\n'
stdbuf -o0 tr '\\r' '\\n' | while read line; do
  case "$line" in
    colours) printf '\\033[1;31mred\\033[0m \\033[32mgreen\\033[0m \\033[38;2;200;100;0morange\\033[0m \\033[47;30mgrey\\033[0m\\r\\n';;
    ask) printf 'where am I \\033[6n?\\r\\n';;
    big*) printf 'big %d\\r\\n' "\${#line}";;
    *) printf 'you said %s\\r\\n' "$line";;
  esac
done
`;
/** A picture that no compression makes smaller. */
function noisePng(width: number, height: number): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits of red, green and blue each.
  header.set([8, 2], 8);
  const rows = Array.from({ length: height }, () =>
    Buffer.concat([Buffer.alloc(1), randomBytes(3 * width)]),
  );
  const part = (name: string, data: Buffer): Buffer => {
    const named = Buffer.concat([Buffer.from(name), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, sum]);
  };
  const image = deflateSync(Buffer.concat(rows), { level: 1 });
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  return Buffer.concat([
    ...[signature, part("IHDR", header), part("IDAT", image), part("IEND", Buffer.alloc(0))],
  ]);
}
const shots = process.env["PUMICE_SHOT"];

describe.skipIf(!hasChromium())("a device's console in a real browser", () => {
  let browser: Browser;
  let program: Awaited<ReturnType<typeof workerProgram>>;
  let lab: ConsoleLab;
  const errors: string[] = [];

  beforeAll(async () => {
    [browser, program] = await Promise.all([launchChromium(), workerProgram()]);
  });
  afterAll(async () => {
    await browser?.close();
    program?.remove();
  });
  beforeEach(async () => {
    lab = await consoleLab(program.file);
    const board = path.join(lab.dir, "page-board.sh");
    writeFileSync(board, BOARD);
    const reset = path.join(lab.dir, "was-reset");
    await lab.putDevice({ connect: `sh ${board}`, hard_reset: `touch ${reset}` });
    lab.startAgent();
  });
  afterEach(async () => {
    for (const context of browser.contexts()) await context.close();
    await lab.close();
    const found = errors.splice(0);
    if (found.length > 0) throw new Error(`in the browser: ${found.join("; ")}`);
  });

  /** A window of somebody who signs in by a link. */
  async function windowOf(token?: string, options: object = {}): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      ...options,
    });
    const page = await context.newPage();
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.text().includes("Content Security Policy")) errors.push(message.text());
    });
    const { url } = await lab.api<{ url: string }>("POST", "/sign-in-links", undefined, token);
    const link = new URL(url);
    await page.goto(`${lab.url}${link.pathname}${link.search}`);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Jobs" }).waitFor();
    return page;
  }
  const rows = (page: Page) => page.locator(".xterm-rows");
  const says = (page: Page, text: string) => rows(page).getByText(text).first().waitFor();
  const shot = async (page: Page, name: string) => {
    if (shots) await page.screenshot({ path: `${shots}-${name}.png`, fullPage: true });
  };
  const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

  /** A window that has the console open, from the device's page on. */
  async function typingWindow(): Promise<Page> {
    const page = await windowOf();
    await page.goto(`${lab.url}/devices/board-01`);
    await shot(page, "device");
    await button(page, "Reserve for 1 h and open its console").click();
    await page.getByText("You type here.").waitFor();
    await says(page, "board ready");
    return page;
  }

  test("a person reserves and opens it in one step, types, resets the power, and another one watches", async () => {
    await lab.api("PUT", "/settings", {
      settings: { access: { permissions: { view: ["everyone"] } } },
    });
    const { token } = await lab.api<{ token: string }>("POST", "/tokens", { subject: "bob" });
    const page = await typingWindow();
    await page.keyboard.type("hello\n");
    await says(page, "you said hello");
    await page.keyboard.type("colours\n");
    await says(page, "orange");
    expect(
      await rows(page)
        .getByText("orange", { exact: true })
        .evaluate((span) => getComputedStyle(span).color),
    ).not.toBe(await rows(page).evaluate((row) => getComputedStyle(row).color));
    await shot(page, "typing");

    const watcher = await windowOf(token);
    await watcher.goto(`${lab.url}/devices/board-01/console`);
    await watcher.getByText("admin types; you watch.").waitFor();
    await says(watcher, "you said hello");
    for (const name of ["Type here", "Reset", "End the session", "Open the console"]) {
      expect(await button(watcher, name).count()).toBe(0);
    }
    await watcher.locator(".xterm").click();
    await watcher.keyboard.type("not mine\n");
    await shot(watcher, "watching");

    await button(page, "Reset").click();
    await shot(page, "confirm");
    await button(page, "Power reset").click();
    await says(page, "[power reset: done]");
    await says(watcher, "[power reset: done]");
    readFileSync(path.join(lab.dir, "was-reset"));
    // The keys are the device's again.
    await page.keyboard.type("again\n");
    await says(watcher, "you said again");
    expect(await rows(page).textContent()).not.toContain("not mine");

    await button(page, "Extend by 1 h").click();
    await page.getByText(/Reserved for (120 min|2 h|119 min)/).waitFor();
    await page.keyboard.press("Tab");
    await button(page, "End the session").click();
    await button(page, "End it").click();
    await page.getByText("admin has ended it").first().waitFor();
    await watcher.getByText("admin has ended it").first().waitFor();
  });

  test("a paste of 10 kB arrives whole, in pieces", async () => {
    const page = await typingWindow();
    const sent: number[] = [];
    page.on("request", (request) => {
      if (request.url().endsWith("/input")) sent.push(request.postData()?.length ?? 0);
    });
    const line = `big ${"x".repeat(10_000)}\n`;
    await page.locator(".xterm-helper-textarea").evaluate((area, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text/plain", text);
      area.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    }, line);
    await says(page, "big 10004");
    expect(sent.length).toBeGreaterThanOrEqual(5);
    expect(Math.max(...sent)).toBeLessThan(4096);
  });

  test("what the device says while the network is away comes after it, and what was typed is typed once", async () => {
    const page = await typingWindow();
    await page.context().setOffline(true);
    await page.keyboard.type("through the tunnel\n");
    await page.getByText("No answer from the lab").waitFor();
    await page.context().setOffline(false);
    await says(page, "you said through the tunnel");
    const text = await rows(page).textContent();
    expect(text?.split("you said through the tunnel")).toHaveLength(2);
    await page.getByText("No answer from the lab").waitFor({ state: "hidden" });
  });

  test("a second window takes the console over, and the first says so when somebody types there", async () => {
    const first = await typingWindow();
    const second = await first.context().newPage();
    await second.goto(`${lab.url}/devices/board-01/console`);
    await second.getByText("You type in another window").waitFor();
    await says(second, "board ready");
    await button(second, "Type here").click();
    await second.getByText("You type here.").waitFor();
    await second.keyboard.type("mine\n");
    await says(second, "you said mine");
    await first.keyboard.type("late\n");
    await first.getByText("another window has taken this console over").waitFor();
    await button(first, "Type here").waitFor();
  });

  test("what a device asks the terminal is answered once, not again by a window that comes later", async () => {
    const page = await typingWindow();
    await page.keyboard.type("ask\n");
    await says(page, "where am I");
    await page.keyboard.type("\n");
    await says(page, "you said");
    const { consoles } = await lab.api<ConsoleList>("GET", "/devices/board-01/consoles");
    const typed = async () => {
      const where = `/consoles/${consoles[0]!.id}/input`;
      const { inputs } = await lab.api<{ inputs: { data?: string }[] }>("GET", where);
      return inputs.map(({ data = "" }) => Buffer.from(data, "base64").toString()).join("");
    };
    await page.reload();
    await button(page, "Type here").click();
    await says(page, "where am I");
    await page.keyboard.type("done\n");
    await says(page, "you said done");
    // eslint-disable-next-line no-control-regex
    expect((await typed()).match(/\u001B\[\d+;\d+R/g)).toHaveLength(1);
  });

  test("a session's record is played in the terminal, and comes as a file for asciinema", async () => {
    const page = await typingWindow();
    await page.keyboard.type("first\n");
    await says(page, "you said first");
    await page.keyboard.type("second\n");
    await says(page, "you said second");
    await button(page, "End the session").click();
    await button(page, "End it").click();
    await page.getByText("admin has ended it").first().waitFor();
    await button(page, "Replay").click();
    await page.getByText("A record is played.").waitFor();
    await page.getByLabel("Speed").selectOption("16");
    await says(page, "you said second");
    await button(page, "Play").waitFor();
    await shot(page, "replay");
    const slider = page.getByLabel("Time");
    await slider.fill("0");
    await rows(page).getByText("you said second").waitFor({ state: "detached" });
    await button(page, "Play").click();
    await says(page, "you said second");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      button(page, "Download").click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/^board-01-.*\.cast$/);
    const [header = "", ...events] = readFileSync(await download.path(), "utf8")
      .trim()
      .split("\n");
    expect(JSON.parse(header)).toMatchObject({ version: 2, width: 80, height: 24 });
    const all = events.map((line) => JSON.parse(line) as [number, string, string]);
    const of = (kind: string) => all.flatMap(([, k, text]) => (k === kind ? [text] : [])).join("");
    expect(of("o")).toContain("you said second");
    expect(of("i")).toContain("second");
    await button(page, "Close the replay").click();
    await page.getByText("It is reserved for you").waitFor();
    await page.getByLabel("and switch it off at the end").check();
    await button(page, "Open the console").click();
    await page.getByText("It is switched off at the end").waitFor();
  });

  test("the keyboard alone leads from the terminal to the buttons and back", async () => {
    const page = await typingWindow();
    await page.keyboard.type("by hand\n");
    await says(page, "you said by hand");
    await page.keyboard.press("Control+Shift+L");
    const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim());
    expect(await focused()).toBe("On");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    expect(await focused()).toBe("Reset");
    await page.keyboard.press("Enter");
    expect(await focused()).toBe("Not now");
    await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await says(page, "[power reset: done]");
    await page.keyboard.type("and back\n");
    await says(page, "you said and back");
  });

  test("a job that waits for a person leads to its console, and goes on when the person says so", async () => {
    const id = await lab.submit();
    await until(async () => (await lab.job(id)).waits_for_person === true);
    const page = await windowOf();
    await page.goto(`${lab.url}/jobs/${id}`);
    await shot(page, "job");
    await page.getByRole("link", { name: "Open its console" }).click();
    await page.getByText(`Job ${id} waits for a person at its console.`).waitFor();
    await button(page, "Open the console").click();
    await page.getByText(`You type here. Job ${id} waits meanwhile.`).waitFor();
    await page.keyboard.type("by hand\n");
    await says(page, "you said by hand");
    await shot(page, "job-console");
    await button(page, "Let the job go on").click();
    await button(page, "Let it go on").click();
    await page.getByText("the job goes on").first().waitFor();
    await until(async () => (await lab.job(id)).state === "Finished");
    expect(await lab.job(id)).toMatchObject({ health: "Complete" });
  });

  test("a photo is added to a device's page, shown and removed; a large one is made smaller before", async () => {
    const page = await windowOf();
    await page.goto(`${lab.url}/devices/board-01`);
    const large = noisePng(1600, 1200);
    expect(large.length).toBeGreaterThan(4_000_000);
    await page.getByLabel("Photo").setInputFiles({
      name: "cabling.png",
      mimeType: "image/png",
      buffer: large,
    });
    await page.getByLabel("What it shows").fill("the red cable");
    await button(page, "Add the photo").click();
    const photo = page.getByAltText("the red cable");
    await photo.scrollIntoViewIfNeeded();
    await expect.poll(() => photo.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBe(1600);
    await shot(page, "photo");
    await button(page, "Remove").click();
    await photo.waitFor({ state: "detached" });
  });

  test("it is dark where the browser is, and fits a phone", async () => {
    const page = await typingWindow();
    const background = () =>
      page
        .locator(".xterm-scrollable-element")
        .evaluate((e) => getComputedStyle(e).backgroundColor);
    const light = await background();
    await page.keyboard.type("colours\n");
    await says(page, "orange");
    await page.emulateMedia({ colorScheme: "dark" });
    await expect.poll(background).not.toBe(light);
    await shot(page, "dark");
    await page.setViewportSize({ width: 390, height: 800 });
    await page.getByText(/80 × \d/).waitFor();
    const width = () => page.evaluate(() => document.documentElement.scrollWidth);
    await expect.poll(width).toBeLessThanOrEqual(390);
    const screen = await page.locator(".xterm-screen").boundingBox();
    expect(screen!.width).toBeLessThanOrEqual(390);
    await shot(page, "phone");
    await page.reload();
    await page.getByText(/^[34]\d × \d/).waitFor();
    for (const where of ["/devices/board-01", "/workers/bench", "/workers/bench/texts/env"]) {
      await page.goto(`${lab.url}${where}`);
      await shot(page, `phone${where.replaceAll("/", "-")}`);
      expect(await width()).toBeLessThanOrEqual(390);
    }
  });
});
