import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { TokenView } from "#protocol/tokens.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

const tokens = async (token?: string) =>
  (await lab.api<{ tokens: TokenView[] }>("/tokens", token ? { token } : {})).tokens;

describe("tokens", () => {
  test("are listed without their text: all for an administrator, their own for others", async () => {
    lab.pass(1);
    await lab.addWorker();
    lab.pass(1);
    const alice = await lab.addUser("alice");
    const listed = await tokens();
    expect(listed).toMatchObject([
      { kind: "user", subject: "admin", admin: true },
      { kind: "worker", subject: "bench", admin: false },
      { kind: "user", subject: "alice", admin: false },
    ]);
    expect(JSON.stringify(listed)).not.toContain("hash");
    expect(await tokens(alice.token)).toMatchObject([{ subject: "alice" }]);
  });

  test("are revoked at once, by an administrator or by their owner", async () => {
    const [alice, bob] = [await lab.addUser("alice"), await lab.addUser("bob")];
    const listed = await tokens();
    const [a, b] = ["alice", "bob"].map((name) => listed.find(({ subject }) => subject === name));
    const revoke = (id: string, token: string) =>
      lab.request(`/tokens/${id}`, { method: "DELETE", token });
    expect((await revoke(b!.id, alice.token)).status).toBe(404);
    expect((await revoke(a!.id, alice.token)).status).toBe(204);
    expect((await revoke(b!.id, lab.adminToken)).status).toBe(204);
    for (const { token } of [alice, bob]) {
      expect((await lab.request("/jobs", { token })).status).toBe(401);
    }
  });

  test("of a worker end with the worker", async () => {
    const worker = await lab.addWorker();
    await lab.request("/workers/bench", { method: "DELETE" });
    expect((await lab.request("/worker/sync", { token: worker, body: {} })).status).toBe(401);
  });

  test("and secrets are nowhere in the table", async () => {
    const worker = await lab.addWorker();
    const alice = await lab.addUser("alice");
    await lab.addDevice("qemu-01");
    await lab.sync(worker);
    await lab.submit();
    const { start } = await lab.sync(worker);
    const files = readdirSync(lab.dir)
      .filter((name) => name.startsWith("table"))
      .map((name) => readFileSync(path.join(lab.dir, name), "latin1"));
    expect(files.join("")).toContain("alice");
    for (const secret of [worker, alice.token, lab.adminToken, start[0]!.token]) {
      expect(files.join("")).not.toContain(secret.slice(-40));
    }
  });

  test("and the lab's secret are in files that only their owner can read", () => {
    const modeOf = (name: string) => statSync(path.join(lab.dir, name)).mode & 0o777;
    expect([modeOf("admin-token"), modeOf("secret"), modeOf(".")]).toEqual([0o600, 0o600, 0o700]);
  });
});

describe("a token of an administrator's that is none of an administrator", () => {
  let narrow: { id: string; token: string };
  const made = (token: string, where: string, body: object) =>
    lab.request(where, { token, body, headers: { "content-type": "application/json" } });
  const isAdmin = async (token: string) =>
    (await lab.api<{ admin: boolean }>("/me", { token })).admin;
  beforeEach(async () => {
    const body = { subject: "admin", description: "for a script", admin: false };
    narrow = await lab.api("/tokens", { body });
  });

  test("makes none that is", async () => {
    expect(await isAdmin(narrow.token)).toBe(false);
    const answer = await made(narrow.token, "/tokens", { subject: "admin", description: "more" });
    expect(answer.status).toBe(201);
    expect(await isAdmin(((await answer.json()) as { token: string }).token)).toBe(false);
  });

  test("gets none that is by rotating another one", async () => {
    const whole = await lab.api<{ id: string; token: string }>("/tokens", {
      body: { subject: "admin", description: "whole" },
    });
    expect(await isAdmin(whole.token)).toBe(true);
    const answer = await made(narrow.token, `/tokens/${whole.id}/rotate`, { overlap_seconds: 60 });
    expect(answer.status).toBe(201);
    expect(await isAdmin(((await answer.json()) as { token: string }).token)).toBe(false);
  });

  test("sets no password, which would be a way in as an administrator", async () => {
    const body = { password: "a long enough sentence" };
    const put = (token: string) =>
      lab.request("/users/admin/password", { method: "PUT", token, body });
    expect((await put(narrow.token)).status).toBe(403);
    expect((await put(lab.adminToken)).status).toBe(204);
  });
});

test("a token's scopes hold for a path however it is written", async () => {
  const { token } = await lab.api<{ token: string }>("/tokens", {
    body: { subject: "admin", description: "reads", scopes: ["read"] },
  });
  for (const where of ["/backup/items", "/%62ackup/items", "/lab", "/l%61b"]) {
    expect([where, (await lab.request(where, { token })).status]).toEqual([where, 403]);
  }
});

describe("signing in", () => {
  test("with a token that ends gives a session that ends with it, also by a link", async () => {
    const { token } = await lab.api<{ token: string }>("/tokens", {
      body: { subject: "admin", description: "for an hour", expires_seconds: 3600 },
    });
    const link = await lab.api<{ url: string }>("/sign-in-links", { method: "POST", token });
    const code = new URL(link.url).searchParams.get("code")!;
    for (const fields of [{ token }, { code }]) {
      const body = new URLSearchParams(fields as Record<string, string>).toString();
      const answer = await lab.request("/sign-in", { token: null, headers: own, body });
      expect(answer.status).toBe(303);
      expect(answer.headers.get("set-cookie")).toContain("Max-Age=3600;");
    }
  });

  test("with a token gives a session that ends when the token is revoked, also by a link", async () => {
    const begun = async (token: string) => {
      const link = await lab.api<{ url: string }>("/sign-in-links", { method: "POST", token });
      const code = new URL(link.url).searchParams.get("code")!;
      const cookies: string[] = [];
      for (const fields of [{ token }, { code }]) {
        const body = new URLSearchParams(fields as Record<string, string>).toString();
        const answer = await lab.request("/sign-in", { token: null, headers: own, body });
        cookies.push((answer.headers.get("set-cookie") ?? "").split(";")[0]!);
      }
      const late = await lab.api<{ url: string }>("/sign-in-links", { method: "POST", token });
      return { cookies, late: new URL(late.url).searchParams.get("code")! };
    };
    const sessions = async () => (await tokens()).filter(({ kind }) => kind === "session").length;
    for (const end of ["revoke", "rotate"]) {
      const { id, token } = await lab.api<{ id: string; token: string }>("/tokens", {
        body: { subject: "admin", description: "begins sessions" },
      });
      const { cookies, late } = await begun(token);
      for (const cookie of cookies) {
        expect((await lab.request("/jobs", asBrowser(cookie))).status).toBe(200);
      }
      expect(await sessions()).toBe(2);
      if (end === "revoke") await lab.request(`/tokens/${id}`, { method: "DELETE" });
      else await lab.api(`/tokens/${id}/rotate`, { body: { overlap_seconds: 0 } });
      for (const cookie of cookies) {
        expect((await lab.request("/jobs", asBrowser(cookie))).status).toBe(401);
      }
      expect((await redeem(late)).headers.get("set-cookie")).toBeNull();
      expect(await sessions()).toBe(0);
    }
  });

  async function signIn(token?: string): Promise<{ cookie: string; code: string }> {
    const { url } = await lab.api<{ url: string }>("/sign-in-links", {
      method: "POST",
      ...(token ? { token } : {}),
    });
    const code = new URL(url).searchParams.get("code")!;
    const answer = await redeem(code);
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/"]);
    const cookie = answer.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/^pumice_session=[^;]+;.*HttpOnly.*SameSite=Lax/);
    return { cookie: cookie.split(";")[0]!, code };
  }
  const own = { "sec-fetch-site": "same-origin" };
  const redeem = (code: string, headers: Record<string, string> = own) =>
    lab.request("/sign-in", {
      token: null,
      headers,
      body: new URLSearchParams({ code }).toString(),
    });
  const asBrowser = (cookie: string, headers: Record<string, string> = {}) => ({
    token: null,
    headers: { cookie, ...headers },
  });

  test("gives a session of the same user, once per link", async () => {
    const alice = await lab.addUser("alice");
    const { cookie, code } = await signIn(alice.token);
    expect((await lab.request("/jobs", asBrowser(cookie))).status).toBe(200);
    expect((await lab.request("/workers", { ...asBrowser(cookie, own), body: {} })).status).toBe(
      403,
    );
    expect((await redeem(code)).status).toBe(401);
  });

  test("by the same link at the same time works for one", async () => {
    const { url } = await lab.api<{ url: string }>("/sign-in-links", { method: "POST" });
    const answers = await Promise.all(
      [1, 2, 3].map(() => redeem(new URL(url).searchParams.get("code")!)),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([303, 401, 401]);
  });

  test("works for ten minutes, and the session for thirty days if it is used", async () => {
    const { url } = await lab.api<{ url: string }>("/sign-in-links", { method: "POST" });
    const { cookie } = await signIn();
    lab.pass(10 * 60);
    expect((await redeem(new URL(url).searchParams.get("code")!)).status).toBe(401);
    const day = 24 * 60 * 60;
    for (let days = 10; days < 30; days += 10) {
      lab.pass(10 * day);
      expect((await lab.request("/jobs", asBrowser(cookie))).status).toBe(200);
    }
    lab.pass(10 * day - 10 * 60 - 1);
    expect((await lab.request("/jobs", asBrowser(cookie))).status).toBe(200);
    lab.pass(1);
    expect((await lab.request("/jobs", asBrowser(cookie))).status).toBe(401);
  });

  test.each([
    ["own page", own, 201],
    ["own origin, older browser", { origin: "http://localhost" }, 201],
    ["own origin behind a TLS proxy", { origin: "https://lab.test", host: "lab.test" }, 201],
    ["another site", { "sec-fetch-site": "cross-site" }, 403],
    ["another site of the same domain", { "sec-fetch-site": "same-site" }, 403],
    ["another origin", { origin: "http://evil.test" }, 403],
    ["no page at all", {}, 403],
    ["an opaque origin", { origin: "null" }, 403],
  ])("a change with a session from %s", async (_, headers, status) => {
    await lab.addWorker();
    await lab.addDevice("qemu-01");
    const { cookie } = await signIn();
    const answer = await lab.request("/jobs", { ...asBrowser(cookie, headers), body: aJob() });
    expect(answer.status).toBe(status);
  });

  test("a session is no bearer token, and a token is no cookie", async () => {
    const { cookie } = await signIn();
    const session = cookie.split("=")[1]!;
    expect((await lab.request("/jobs", { token: session })).status).toBe(401);
    const stolen = asBrowser(`pumice_session=${lab.adminToken}`);
    expect((await lab.request("/jobs", stolen)).status).toBe(401);
  });

  test("works with a person's token, from our own pages, and leads on within the lab", async () => {
    const alice = await lab.addUser("alice");
    const send = (fields: Record<string, string>, headers: Record<string, string> = own) =>
      lab.request("/sign-in", {
        token: null,
        headers,
        body: new URLSearchParams(fields).toString(),
      });
    const answer = await send({ token: ` ${alice.token} `, next: "/jobs/3" });
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/jobs/3"]);
    for (const next of ["https://evil.test/", "//evil.test/", "/\\evil.test"]) {
      expect((await send({ token: alice.token, next })).status).toBe(400);
    }
    expect((await send({ token: await lab.addWorker() })).status).toBe(401);
    expect((await send({})).status).toBe(401);
    expect((await send({ token: alice.token }, { "sec-fetch-site": "cross-site" })).status).toBe(
      403,
    );
  });

  test("out ends the session", async () => {
    const { cookie } = await signIn();
    const foreign = await lab.request("/sign-out", { ...asBrowser(cookie), method: "POST" });
    expect(foreign.status).toBe(403);
    const answer = await lab.request("/sign-out", { ...asBrowser(cookie, own), method: "POST" });
    expect(answer.status).toBe(303);
    expect((await lab.request("/jobs", asBrowser(cookie))).status).toBe(401);
  });
});
