import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TokenView } from "#protocol/tokens.ts";
import type { BegunTerminal, RedeemedTerminal } from "#protocol/terminal-sign-in.ts";
import { browserSession, type BrowserSession } from "../support/browser-session.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let token: string;
let browser: BrowserSession;
beforeEach(async () => {
  lab = await embeddedLab();
  ({ token } = await lab.addUser("alice"));
  browser = await browserSession(lab, token);
});
afterEach(() => lab.close());

const begin = (body: object = {}) =>
  lab.api<BegunTerminal>("/terminal-sign-ins", { token: "", body });
const redeem = async (secret: string) => {
  const answer = await lab.request("/terminal-sign-ins/redeem", { token: null, body: { secret } });
  return {
    status: answer.status,
    ...((await answer.json()) as Partial<RedeemedTerminal & { message: string }>),
  };
};
const type = async (code: string) => {
  const answer = await browser.post("/account/terminal", { code });
  return [answer.status, await answer.text()] as const;
};
const say = async (code: string, answer: "yes" | "no") =>
  (await browser.post("/account/terminal/answer", { code, answer })).status;
const tokens = async () => (await lab.api<{ tokens: TokenView[] }>("/tokens", { token })).tokens;

describe("a terminal is signed in by a browser", () => {
  test("whose person types its code and says yes: it gets a token of theirs, once", async () => {
    const { code, secret, page } = await begin({
      machine: "laptop <b>",
      scopes: ["submit", "read"],
    });
    expect(code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    expect([page, await redeem(secret)]).toEqual([
      "/account/terminal",
      { status: 200, state: "waiting" },
    ]);
    const [, html] = await type(` ${code.toLowerCase()}`);
    for (const shown of [code, "laptop &lt;b&gt;", "30 days", "submit, cancel", "as alice"])
      expect(html).toContain(shown);
    // To look is not to agree.
    expect(await redeem(secret)).toMatchObject({ state: "waiting" });
    expect(await say(code, "yes")).toBe(200);
    const done = await redeem(secret);
    expect(done).toMatchObject({ status: 200, state: "done", name: "alice" });
    const made = (done as { token: string }).token;
    expect(await lab.api("/me", { token: made })).toMatchObject({ name: "alice", admin: false });
    expect(await tokens()).toContainEqual(
      expect.objectContaining({
        ...{ kind: "user", scopes: ["submit", "read"] },
        description: "signed in by browser: laptop <b>",
      }),
    );
    expect((await redeem(secret)).status).toBe(401);
  });

  test("by no address that brings the code along: it has to be typed", async () => {
    const { code } = await begin();
    const answer = await browser.get(`/account/terminal?code=${code}`);
    expect(await answer.text()).not.toContain(code);
    const [, html] = await type(code);
    // The first button is what the Enter key presses.
    const [, main = ""] = html.split("<main");
    expect(/<button[^>]*value="(\w+)"/.exec(main)?.[1]).toBe("no");
  });

  test("not when the person says no, nor after ten minutes", async () => {
    const refused = await begin();
    expect(await say(refused.code, "no")).toBe(200);
    expect((await redeem(refused.secret)).status).toBe(401);
    const late = await begin();
    lab.pass(601);
    expect((await redeem(late.secret)).status).toBe(401);
    expect((await type(late.code))[0]).toBe(404);
  });

  test("not a second time by the same code, nor by somebody else's secret", async () => {
    const [one, two] = [await begin(), await begin()];
    expect(await say(one.code, "yes")).toBe(200);
    expect(await say(one.code, "yes")).toBe(404);
    expect((await redeem(two.secret)).state).toBe("waiting");
    const mixed = one.secret.replace(/_.*/, "") + two.secret.replace(/^[^_]*/, "");
    expect((await redeem(mixed)).status).toBe(401);
    const both = await Promise.all([redeem(one.secret), redeem(one.secret)]);
    expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401]);
  });

  test("guesses of codes are slowed down", async () => {
    for (let n = 0; n < 5; n++) expect((await type("BBBB-BBBB"))[0]).toBe(404);
    expect((await type("BBBB-BBBB"))[0]).toBe(429);
    const { code } = await begin();
    expect((await type(code))[0]).toBe(429);
    lab.pass(120);
    expect((await type(code))[0]).toBe(200);
  });

  test("with a deactivated person's yes it is not", async () => {
    const { code, secret } = await begin();
    await say(code, "yes");
    await lab.api("/users/alice", { method: "PATCH", body: { active: false } });
    expect((await redeem(secret)).status).toBe(401);
  });

  test("by a session that may less than its person it is not", async () => {
    const { token: narrow } = await lab.api<{ token: string }>("/tokens", {
      ...{ token, body: { subject: "alice", description: "", scopes: ["submit"] } },
    });
    const { code, secret } = await begin();
    browser = await browserSession(lab, narrow);
    expect(await say(code, "yes")).toBe(403);
    const { token: plain } = await lab.api<{ token: string }>("/tokens", {
      body: { subject: "admin", description: "", admin: false },
    });
    browser = await browserSession(lab, plain);
    expect(await say(code, "yes")).toBe(403);
    expect(await redeem(secret)).toMatchObject({ state: "waiting" });
  });

  test("and neither its code nor its secret is in the table", async () => {
    const { code, secret } = await begin();
    const { items } = await lab.deps.table.scan();
    const text = JSON.stringify(items.filter(({ key }) => key.partition.startsWith("terminal#")));
    expect(text).toContain("secret_hash");
    for (const hidden of [code, secret, lab.deps.system.hash(code).slice(0, 32)])
      expect(text).not.toContain(hidden);
  });

  test("is told from where it asks, and that this is elsewhere", async () => {
    const answer = await lab.app.request(
      "/api/v1/terminal-sign-ins",
      { method: "POST", body: "{}", headers: { "content-type": "application/json" } },
      { address: "203.0.113.9", trustedProxies: 0 },
    );
    const { code } = (await answer.json()) as BegunTerminal;
    const [, html] = await type(code);
    expect(html).toContain("203.0.113.9");
    expect(html).toContain("another address");
  });

  test("as long as tokens of the lab live, not longer", async () => {
    await lab.request("/settings", {
      method: "PUT",
      body: { settings: { sign_in: { longest_token_days: 7 } } },
    });
    const long = await lab.request("/terminal-sign-ins", { token: null, body: {} });
    expect([long.status, await long.text()]).toEqual([
      400,
      expect.stringContaining("7 days at the most"),
    ]);
    expect((await begin({ expires_seconds: 3600 })).code).toBeDefined();
  });
});
