import { afterEach, beforeEach, expect, test } from "vitest";
import { browserSession, type BrowserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let browser: BrowserSession;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addDevice("panda-01");
  await lab.submit();
  browser = await browserSession(lab);
});
afterEach(() => lab.close());

const page = async (path: string, status: number, who = browser) => {
  const answer = await who.get(path);
  expect(answer.status).toBe(status);
  return answer.text();
};

test("what is not there is looked for: the nearest name, the nearest section, a search", async () => {
  const html = await page("/devices/panda-10", 404);
  expect(html).toContain('Did you mean <a href="/devices/panda-01">panda-01</a>');
  expect(html).toMatch(/action="\/search"[^]*value="panda-10"/);
  expect(await page("/job/1", 404)).toContain('<a href="/jobs/1">/jobs/1</a>');
  expect(await page("/device/panda-01", 404)).toContain('<a href="/devices/panda-01">');
  expect(await page("/%22%3E%3Cscript%3E/%ff", 404)).not.toContain("<script>");
});

test("nobody is told what was meant when they may not see it", async () => {
  const { token } = await lab.addStranger("eve");
  const eve = await browserSession(lab, token);
  const html = await page("/devices/panda-10", 404, eve);
  expect(html).not.toContain("Did you mean");
  // What is there and hidden reads as what is not there.
  const hidden = await page("/devices/panda-01", 404, eve);
  expect(hidden.replaceAll("panda-01", "X")).toBe(html.replaceAll("panda-10", "X"));
});

test("who may not is told which right it needs and who can give it", async () => {
  const { token } = await lab.addUser("alice");
  const alice = await browserSession(lab, token);
  const html = await page("/admin", 403, alice);
  expect(html).toContain("Only an administrator may do this");
  expect(html).toContain("You are signed in as alice");
  expect(html).toMatch(/can give you the right: [^<]*admin/);
});

test("who is not signed in comes back to the page after signing in", async () => {
  const answer = await lab.app.request("/devices?type=x", { headers: { accept: "text/html" } });
  expect(answer.headers.get("location")).toBe("/sign-in?next=%2Fdevices%3Ftype%3Dx");
});

test("an error of ours has a number, which the log has, too", async () => {
  const table = lab.deps.table;
  const get = table.get.bind(table);
  const query = table.query.bind(table);
  table.query = async () => {
    throw new Error("the disk is upside down");
  };
  const html = await page("/devices", 500).finally(() => Object.assign(table, { get, query }));
  const id = /number of this error: <code>(\w+)<\/code>/.exec(html)?.[1];
  expect(id).toBeTruthy();
  expect(html).not.toContain("upside down");
  expect(lab.messages.join("\n")).toContain(id);
});

test("a page says when to come again, and what is too large", async () => {
  const headers = { "sec-fetch-site": "same-origin" };
  const large = await browser.post("/admin/users", { name: "x".repeat(600_000) }, headers);
  expect(large.status).toBe(413);
  expect(await large.text()).toContain("Send less at a time");
});

test("what is no browser gets a problem as before", async () => {
  const answer = await browser.get("/devices/none", { accept: "*/*" });
  expect(await answer.json()).toMatchObject({ code: "not_found" });
});
