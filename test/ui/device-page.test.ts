import { afterEach, beforeEach, expect, test } from "vitest";
import { aJob } from "../support/builders.ts";
import { browserSession, type BrowserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

const HOSTILE = `<script>alert(1)</script>"'&`;

let lab: EmbeddedLab;
let browser: BrowserSession;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  browser = await browserSession(lab);
});
afterEach(() => lab.close());

async function show(path: string, as = browser): Promise<string> {
  const answer = await as.get(path);
  const html = await answer.text();
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${html}`);
  expect(html).not.toContain("<script>");
  return html;
}

test("a device's page shows what happened to it, who did it and why", async () => {
  await lab.api("/devices/qemu-01/health", {
    method: "POST",
    body: { health: "Bad", reason: HOSTILE },
  });
  const html = await show("/devices/qemu-01");
  expect(html).toContain("health: Good → Bad");
  expect(html).toContain("&lt;script&gt;alert(1)");
});

test("a device's page says when a health check is due, and why; and that there is none for it", async () => {
  const none = /Next health check<\/dt>\s*<dd>none: the lab has no health check for it/;
  expect(await show("/devices/qemu-01")).toMatch(none);
  const dictionary = "{% extends 'qemu.jinja2' %}\n";
  await lab.addDevice("qemu-01", { dictionary, configuration: undefined });
  expect(await show("/devices/qemu-01")).toMatch(none);
  await lab.api("/health-checks/qemu", { method: "PUT", body: aJob({ name: "check" }) });
  expect(await show("/devices/qemu-01")).toMatch(
    /Next health check<\/dt>\s*<dd>due: it never had one/,
  );
  await lab.api("/device-types/qemu", { method: "PUT", body: { health_disabled: true } });
  expect(await show("/devices/qemu-01")).toContain("its device type has none");
});

test("its own permissions are shown to who may administer it", async () => {
  await lab.addDevice("qemu-01", { permissions: { submit: ["user:alice"] } });
  expect(await show("/devices/qemu-01")).toContain("<dt>submit</dt>");
  const { token } = await lab.addUser("bob");
  expect(await show("/devices/qemu-01", await browserSession(lab, token))).not.toContain(
    "<dt>submit</dt>",
  );
});

test("a device is reserved for its console by one button, which is not there for others or while it is reserved", async () => {
  const label = "Reserve for 1 h and open its console";
  const { token } = await lab.addStranger("eve");
  expect(await show("/devices/qemu-01")).toContain(label);
  const answer = await browser.post("/devices/qemu-01/console");
  expect([answer.status, answer.headers.get("location")]).toEqual([
    303,
    "/devices/qemu-01/console#open",
  ]);
  const html = await show("/devices/qemu-01");
  expect(html).not.toContain(label);
  expect(html).toContain("by admin until");
  const eve = await browserSession(lab, token);
  expect((await eve.get("/devices/qemu-01/console")).status).toBe(404);
  expect((await eve.post("/devices/qemu-01/console")).status).toBe(404);
});

test("the console's page needs no style or script of its own lines, and has the sessions there were", async () => {
  await browser.post("/devices/qemu-01/console");
  await lab.api("/consoles", { method: "POST", body: { device: "qemu-01" } });
  const html = await show("/devices/qemu-01/console");
  expect(html).toContain("data-replay=");
  expect(html).not.toContain(" style=");
  expect(html).toMatch(/href="\/assets\/terminal-[0-9a-f]{12}\.css"/);
  expect(await show("/devices/qemu-01")).not.toContain("/assets/terminal-");
});
