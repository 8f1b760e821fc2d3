import { afterEach, beforeEach, expect, test } from "vitest";
import { browserSession, type BrowserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let browser: BrowserSession;
let token: string;
beforeEach(async () => {
  lab = await embeddedLab();
  ({ token } = await lab.addUser("alice"));
  browser = await browserSession(lab, token);
});
afterEach(() => lab.close());

const page = async (): Promise<string> => (await browser.get("/account")).text();
const post = async (what: string, form: Record<string, string> = {}) => {
  const answer = await browser.post(`/account/${what}`, form);
  return [answer.status, await answer.text()] as const;
};

test("the page shows one's own tokens and this browser, and nobody else's", async () => {
  await lab.api("/tokens", { body: { subject: "admin", description: "of admin" } });
  const html = await page();
  expect(html).toContain("this one");
  expect(html).toContain(token.split("_")[1]);
  expect(html).not.toContain("of admin");
  expect(html).not.toContain("<script>");
});

test("a token is made, shown once, used, and revoked", async () => {
  const [status, html] = await post("tokens", { description: "<b>CI", scope: "read", days: "30" });
  const made = /<code[^>]*>(pumice_[^<]*)</.exec(html)?.[1] ?? "";
  expect(status).toBe(200);
  expect(html).toContain("&lt;b&gt;CI");
  expect((await lab.request("/jobs", { token: made })).status).toBe(200);
  expect(
    (await lab.request("/secrets/a", { method: "PUT", token: made, body: { value: "1" } })).status,
  ).toBe(403);
  expect(await page()).not.toContain(made);
  const id = made.split("_")[1] ?? "";
  expect((await post("tokens/revoke", { id }))[0]).toBe(303);
  expect((await lab.request("/jobs", { token: made })).status).toBe(401);
  expect((await post("tokens", { days: "0" }))[0]).toBe(400);
});

test("a secret is set and removed, and its value is in no page", async () => {
  await post("secrets", { name: "gitlab", value: "glpat-1" });
  expect(await page()).toContain("gitlab");
  expect(await page()).not.toContain("glpat-1");
  await post("secrets/remove", { name: "gitlab" });
  expect(await page()).not.toContain("gitlab");
  expect((await post("secrets", { name: "a/b", value: "1" }))[0]).toBe(400);
});

test("a password is set and changed; other browsers are signed out, this one is not", async () => {
  Object.assign(lab.deps.system, {
    isSlowHashOf: async (password: string, hash: string) => hash === `$scrypt$${password}`,
    slowHash: async (password: string) => `$scrypt$${password}`,
  });
  const other = await browserSession(lab, token);
  const both = (password: string) => ({ password, again: password });
  expect(await page()).not.toContain("Current password");
  expect((await post("password", both("short")))[0]).toBe(400);
  expect((await post("password", { password: "a few words", again: "other words" }))[0]).toBe(400);
  expect((await post("password", both("a few words here")))[0]).toBe(200);
  expect(await page()).toContain("Current password");
  expect((await other.get("/account")).status).toBe(303);
  const change = (current: string) => post("password", { current, ...both("a few other words") });
  expect((await change("wrong"))[0]).toBe(403);
  expect((await change("a few words here"))[0]).toBe(200);
});

test("one signs out of another browser, or of all", async () => {
  const other = await browserSession(lab, token);
  const id =
    /name="id" value="(\w+)"[^]*?Sign out/.exec((await page()).split("signed in")[1] ?? "")?.[1] ??
    "";
  await post("tokens/revoke", { id });
  expect((await other.get("/account")).status).toBe(303);
  expect((await post("sign-out"))[0]).toBe(303);
  expect((await browser.get("/account")).status).toBe(303);
});

test("nothing of it is done for a page of another site", async () => {
  for (const what of [
    "tokens",
    "tokens/revoke",
    "sign-out",
    "unlink",
    "secrets",
    "secrets/remove",
    "password",
    "link/x",
  ]) {
    const headers = { "sec-fetch-site": "cross-site" };
    expect((await browser.post(`/account/${what}`, {}, headers)).status).toBe(403);
  }
});
