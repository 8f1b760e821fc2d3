import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { axeProblems } from "../support/axe.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { workerProgram } from "../support/worker-program.ts";

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

describe.skipIf(!hasChromium())("the shell of the pages in a real browser", () => {
  let browser: Browser;
  let lab: Awaited<ReturnType<typeof listeningLab>>;
  let page: Page;
  let errors: string[];
  beforeAll(async () => void (browser = await launchChromium()));
  afterAll(() => browser?.close());
  beforeEach(async () => {
    lab = await listeningLab();
    errors = [];
  });
  afterEach(async () => {
    await page.context().close();
    await lab.close();
    if (errors.length > 0) throw new Error(`in the browser: ${errors.join("; ")}`);
  });

  const signIn = async () => void (page = await signedInPage(browser, lab, lab.url, errors));
  const aLab = async () => {
    await lab.addWorker();
    await lab.addDevice("qemu-01");
    await lab.addUser("alice");
    await lab.submit();
    await signIn();
  };
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

  test("the colours follow the system until somebody chooses, and then come with every page", async () => {
    await aLab();
    await page.emulateMedia({ colorScheme: "light" });
    const light = await background();
    await page.emulateMedia({ colorScheme: "dark" });
    const dark = await background();
    expect(dark).not.toBe(light);
    await page.goto(`${lab.url}/devices?type=qemu`);
    await page.getByRole("button", { name: /Colours: auto/ }).click();
    await page.getByRole("button", { name: /Colours: light/ }).waitFor();
    // Still there, and light although the system is dark.
    expect(page.url()).toBe(`${lab.url}/devices?type=qemu`);
    expect(await background()).toBe(light);
    await page.getByRole("button", { name: /Colours: light/ }).click();
    await page.emulateMedia({ colorScheme: "light" });
    await page.goto(`${lab.url}/workers`);
    expect(await background()).toBe(dark);
    await page.getByRole("button", { name: /Colours: dark/ }).click();
    await page.getByRole("button", { name: /Colours: auto/ }).waitFor();
    expect(await background()).toBe(light);
  });

  test("the keyboard alone leads through the lab", async () => {
    await aLab();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    expect(new URL(page.url()).hash).toBe("#main");
    await page.keyboard.press("g");
    await page.keyboard.press("d");
    await page.waitForURL(`${lab.url}/devices`);
    await page.keyboard.press("/");
    await page.keyboard.type("smoke");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Found for “smoke”" }).waitFor();
    await page.getByRole("link", { name: "smoke" }).first().waitFor();
    await page.keyboard.press("Escape");
    await page.locator("h1").click();
    await page.keyboard.press("?");
    const keys = page.getByRole("dialog", { name: "Keys" });
    await keys.getByText("Search the lab").waitFor();
    expect(await axeProblems(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await keys.waitFor({ state: "detached" });
    // What is typed into a field is no key.
    await page.keyboard.press("/");
    await page.keyboard.type("g d?");
    expect(await page.getByLabel("Search the lab").inputValue()).toBe("g d?");
    await page.keyboard.press("Control+A");
    await page.keyboard.type("#1");
    await page.keyboard.press("Enter");
    await page.waitForURL(`${lab.url}/jobs/1`);
  });

  test("on a phone the sections are a menu that needs no script", async () => {
    await aLab();
    await page.setViewportSize(PHONE);
    const link = page.getByRole("navigation", { name: "Sections" }).getByRole("link");
    expect(await link.count()).toBe(0);
    await page.getByRole("button", { name: "Menu" }).click();
    expect(await axeProblems(page)).toEqual([]);
    await page.keyboard.press("Escape");
    expect(await link.count()).toBe(0);
    await page.getByRole("button", { name: "Menu" }).click();
    await link.filter({ hasText: "Workers" }).click();
    await page.getByRole("heading", { name: "Workers" }).waitFor();
  });

  test("an administrator looks after people: added, in a group, granted, switched off", async () => {
    await aLab();
    await page.goto(`${lab.url}/admin/users`);
    await page.getByLabel("Name", { exact: true }).fill("bob");
    await page.getByLabel("Full name").fill("Bob <b>Builder</b>");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByRole("heading", { name: "bob" }).waitFor();
    await page.getByRole("button", { name: "Make a password link" }).click();
    expect(await page.locator("#link").textContent()).toMatch(/\/password\?code=/);
    await page.getByText("Switch off").click();
    await page.getByRole("button", { name: "Switch them off" }).click();
    await page.getByRole("button", { name: "Switch on again" }).click();

    await page.goto(`${lab.url}/admin/groups`);
    await page.getByLabel("Name").fill("builders");
    await page.getByRole("button", { name: "Add" }).click();
    await page.getByLabel("Users").fill("bob alice");
    await page.getByRole("button", { name: "Put in" }).click();
    await page.getByRole("heading", { name: "Members (2)" }).waitFor();
    await page.getByLabel("Users").fill("nobody-there");
    await page.getByRole("button", { name: "Put in" }).click();
    await page.getByRole("alert").getByText('There is no user "nobody-there".').waitFor();

    await page.goto(`${lab.url}/admin/permissions/device-type/qemu`);
    await page.getByLabel("To", { exact: true }).fill("builders");
    await page.getByRole("combobox", { name: "Permission" }).selectOption("submit");
    await page.getByRole("button", { name: "Grant" }).click();
    await page.getByRole("button", { name: "Take back submit from builders" }).click();
    await page.getByText("Nothing is granted to anybody.").waitFor();
    expect((await lab.api<{ groups: string[] }>("/users/bob")).groups).toEqual(["builders"]);
  });

  test("an administrator makes and revokes a token, tells a webhook, and changes a setting", async () => {
    await aLab();
    await page.goto(`${lab.url}/admin/tokens`);
    await page.getByLabel("User").fill("alice");
    await page.getByLabel("Scope").selectOption("read");
    await page.getByRole("button", { name: "Make a token" }).click();
    const token = (await page.locator("#made").textContent())!;
    await page.getByRole("button", { name: "Copy the token" }).waitFor();
    const status = async () => (await lab.request("/jobs", { token })).status;
    expect(await status()).toBe(200);
    const id = token.split("_")[1]!;
    const row = page.getByRole("row", { name: id });
    await row.getByText("Revoke", { exact: true }).click();
    await row.getByRole("button", { name: `Revoke ${id}` }).click();
    await row.waitFor({ state: "detached" });
    expect(await status()).toBe(401);

    await page.goto(`${lab.url}/admin/notices`);
    await page.getByText("Add a webhook").click();
    await page.getByLabel("Address").fill("https://chat.example.org/hook/1");
    await page.getByRole("button", { name: "Add the webhook" }).click();
    await page.locator("#made").waitFor();
    expect(await page.getByRole("link", { name: /chat\.example\.org/ }).count()).toBe(1);

    await page.goto(`${lab.url}/admin/settings`);
    const consoles = page.getByRole("textbox", { name: "Remote consoles" });
    await consoles.fill("idle_minutes: none");
    await page.locator("#consoles").getByRole("button", { name: "Save" }).click();
    await page.getByRole("alert").waitFor();
    // What was typed is still there.
    expect(await consoles.inputValue()).toBe("idle_minutes: none");
    await consoles.fill("idle_minutes: 25");
    await page.locator("#consoles").getByRole("button", { name: "Save" }).click();
    await page.waitForURL(`${lab.url}/admin/settings#consoles`);
    const { settings } = await lab.api<{ settings: { consoles: object } }>("/settings");
    expect(settings.consoles).toEqual({ idle_minutes: 25 });
  });

  test("an empty lab becomes one in the browser, with a real worker", async () => {
    const program = await workerProgram();
    const dir = mkdtempSync(path.join(tmpdir(), "pumice-first-run-"));
    const env = { PATH: process.env["PATH"], HOME: dir };
    const settings = path.join(dir, "worker.env");
    try {
      await signIn();
      await page.getByRole("heading", { name: "three steps to a lab" }).waitFor();
      expect(await axeProblems(page)).toEqual([]);
      await page.getByRole("button", { name: "Make the line" }).click();
      const line = (await page.locator("#enrol-line").textContent())!;
      expect(line).toMatch(
        /^sudo pumice-worker enrol http:\/\/127\.0\.0\.1:\d+ bench-1:[\w-]{34}$/,
      );
      expect(await axeProblems(page)).toEqual([]);
      const enrol = [program.file, ...line.split(" ").slice(2), "--settings", settings];
      expect(await once(spawn(process.execPath, enrol, { env }), "exit")).toEqual([0, null]);
      // Another window, where the line is not shown.
      const other = await page.context().newPage();
      await other.goto(lab.url);
      await other.getByText("bench-1 has not been heard of").waitFor();
      const start = [program.file, "start", "--work-dir", path.join(dir, "work")];
      const agent = spawn(process.execPath, start, { env: { ...env, PUMICE_SETTINGS: settings } });
      try {
        // Nobody loads the page again.
        await page.getByText("Done: bench-1 is Online").waitFor();
        await other.getByText("Done: bench-1 is Online").waitFor();
        await other.getByText("bench-1 has not been heard of").waitFor({ state: "detached" });
        await other.close();
        await page.getByRole("link", { name: "Go on" }).click();
        await page.getByLabel("Dictionary").fill("{% extends 'no-such.jinja2' %}");
        await page.getByRole("button", { name: "Add the device" }).click();
        await page.getByRole("alert").waitFor();
        expect(await page.getByLabel("Dictionary").inputValue()).toContain("no-such.jinja2");
        await page.getByLabel("Dictionary").fill("{% extends 'qemu.jinja2' %}");
        await page.getByRole("button", { name: "Add the device" }).click();
        await page.getByText("Done: virt-01").waitFor();
        await page.getByRole("link", { name: "Submit a job" }).waitFor();
        await lab.submit();
        await page.goto(`${lab.url}/`);
        await page.getByRole("heading", { name: "Jobs", exact: true }).waitFor();
      } finally {
        agent.kill();
        await once(agent, "exit");
      }
    } finally {
      program.remove();
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test("who may not add a worker is told whom to ask", async () => {
    const { token } = await lab.addUser("alice");
    const context = await browser.newContext();
    page = await context.newPage();
    await page.goto(`${lab.url}/sign-in`);
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Sign in with a token" }).click();
    await page.getByText(/An administrator adds workers and devices\. Ask .*admin/).waitFor();
    expect(await page.getByRole("button", { name: "Make the line" }).count()).toBe(0);
    await page.goto(`${lab.url}/admin`);
    await page.getByText("You are signed in as alice").waitFor();
    expect(await axeProblems(page)).toEqual([]);
  });

  const PAGES = [
    ...["/admin", "/admin/users", "/admin/users/alice", "/admin/groups", "/admin/permissions"],
    ...["/admin/tokens", "/admin/releases", "/admin/notices", "/admin/settings", "/audit"],
    ...["/account", "/account/terminal", "/search?q=qemu", "/search", "/devices/none"],
  ];
  test.each([
    ["desktop", "light", DESKTOP],
    ["desktop", "dark", DESKTOP],
    ["phone", "light", PHONE],
    ["phone", "dark", PHONE],
  ] as const)(
    "axe finds nothing, and no page is too wide: %s, %s",
    async (_, colorScheme, size) => {
      await aLab();
      await page.setViewportSize(size);
      await page.emulateMedia({ colorScheme });
      for (const where of PAGES) {
        await page.goto(lab.url + where);
        expect(await axeProblems(page), where).toEqual([]);
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect([where, over <= 0]).toEqual([where, true]);
      }
      await page.goto(`${lab.url}/account`);
      await page.context().clearCookies();
      await page.goto(`${lab.url}/sign-in`);
      expect(await axeProblems(page), "sign-in").toEqual([]);
    },
  );
});
