import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { browserName } from "../../control-plane/http/client-address.ts";
import { addressGroup } from "../../control-plane/domain/sign-in-limits.ts";
import { newUser, userItem } from "../../control-plane/domain/users.ts";
import * as slowly from "../../control-plane/password-hash.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

const GOOD = "correct horse battery";
const own = { "sec-fetch-site": "same-origin", accept: "text/html" };
const DAY = 24 * 60 * 60;

let lab: EmbeddedLab;
/** Hashes that a password was compared with. */
let checked: string[] = [];
beforeEach(async () => {
  lab = await embeddedLab();
  await addUser("alice");
  // A hash that is not slow: how slow the real one is has a test of its own.
  Object.assign(lab.deps.system, {
    isSlowHashOf: async (password: string, hash: string) => (
      checked.push(hash),
      hash === `$scrypt$${password}`
    ),
    slowHash: async (password: string) => `$scrypt$${password}`,
  });
  checked = [];
});
afterEach(() => lab.close());

async function addUser(name: string, active = true): Promise<void> {
  const user = { ...(await newUser(lab.deps, name, { source: "added" })), active };
  await lab.deps.table.transact([{ put: userItem(user) }]);
}
const setPassword = (name: string, password = GOOD, rest: object = {}) =>
  lab.request(`/users/${name}/password`, { method: "PUT", body: { password, ...rest } });

/** A form that a browser at some address sends. */
const post = async (
  path: string,
  form: Record<string, string>,
  { address = "192.0.2.1", cookie = "", trustedProxies = 0, headers = {} } = {},
) =>
  lab.app.request(
    path,
    {
      method: "POST",
      headers: { ...own, cookie, ...headers },
      body: new URLSearchParams(form).toString(),
    },
    { address, trustedProxies },
  );
const signIn = (name: string, password: string, options?: Parameters<typeof post>[2]) =>
  post("/sign-in", { name, password }, options);
const cookieOf = (answer: Response): string =>
  (answer.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
const isIn = async (cookie: string): Promise<boolean> =>
  (await lab.request("/jobs", { token: null, headers: { cookie } })).status === 200;

describe("a password", () => {
  test("signs its person in, and nobody else", async () => {
    expect((await setPassword("alice")).status).toBe(204);
    const answer = await signIn("alice", GOOD);
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/"]);
    const headers = { cookie: cookieOf(answer) };
    const page = await lab.app.request("/", { headers: { ...own, ...headers } });
    expect(await page.text()).toContain(">alice<");
    await addUser("bob");
    for (const [name, password] of [
      ["alice", `${GOOD}!`],
      ["bob", GOOD],
      ["nobody", GOOD],
      ["Alice", GOOD],
      ["alice", ""],
      ["", GOOD],
      ["alice", "x".repeat(300)],
    ] as const) {
      const refused = await signIn(name, password);
      expect(refused.status).toBe(401);
      expect(await refused.text()).toContain(
        "This name and this password don’t go together".replace("’", "&#39;"),
      );
    }
  });

  test("must be long, not of certain characters, and not the name", async () => {
    expect((await setPassword("alice", "Sh0rt!")).status).toBe(400);
    expect((await setPassword("alice", "all lower case")).status).toBe(204);
    await addUser("a-longer-name");
    expect((await setPassword("a-longer-name", "A-Longer-Name1")).status).toBe(400);
    expect((await setPassword("nobody-here")).status).toBe(404);
  });

  test("of a deactivated user is good no more, nor is the session that it began", async () => {
    await setPassword("alice");
    const cookie = cookieOf(await signIn("alice", GOOD));
    await addUser("alice", false);
    expect(await isIn(cookie)).toBe(false);
    expect((await signIn("alice", GOOD)).status).toBe(401);
  });

  test("is changed by its person who knows it; other sessions end", async () => {
    await setPassword("alice");
    const [one, two] = [
      cookieOf(await signIn("alice", GOOD)),
      cookieOf(await signIn("alice", GOOD)),
    ];
    const change = (body: object) =>
      lab.request("/users/alice/password", {
        ...{ method: "PUT", token: null, body },
        headers: { cookie: one, "sec-fetch-site": "same-origin" },
      });
    const password = "another long one";
    expect((await change({ password })).status).toBe(400);
    expect((await change({ password, current: "wrong" })).status).toBe(403);
    expect((await change({ password, current: GOOD })).status).toBe(204);
    expect([await isIn(one), await isIn(two)]).toEqual([true, false]);
    expect((await signIn("alice", GOOD)).status).toBe(401);
    expect((await signIn("alice", password)).status).toBe(303);
  });

  test("can't be set by another person who is no administrator", async () => {
    const bob = await lab.addUser("bob");
    for (const [method, path] of [
      ["PUT", "/users/alice/password"],
      ["POST", "/users/alice/password-links"],
      ["POST", "/users/alice/sign-out"],
    ] as const) {
      const body = method === "PUT" ? { password: GOOD } : {};
      expect((await lab.request(path, { method, token: bob.token, body })).status).toBe(403);
    }
  });

  test("that must be changed leads to where it is, and to nothing else", async () => {
    await setPassword("alice", GOOD, { must_change: true });
    const answer = await signIn("alice", GOOD);
    expect(answer.headers.get("set-cookie")).toBeNull();
    const where = answer.headers.get("location") ?? "";
    expect(where).toMatch(/^\/password\?code=pumice_/);
    const code = new URL(where, "http://lab").searchParams.get("code") ?? "";
    const changed = await post("/password", {
      code,
      password: "a new long one",
      again: "a new long one",
    });
    expect([changed.status, changed.headers.get("location")]).toEqual([303, "/"]);
    expect(await isIn(cookieOf(changed))).toBe(true);
    expect((await signIn("alice", "a new long one")).headers.get("location")).toBe("/");
  });

  test("is sent by a link with https where a proxy ends TLS", async () => {
    const headers = { "x-forwarded-proto": "https" };
    for (const path of ["/users/alice/password-links", "/sign-in-links"]) {
      const { url } = await lab.api<{ url: string }>(path, { method: "POST", headers });
      expect(new URL(url).protocol).toBe("https:");
    }
  });

  test("is chosen by a link that an administrator makes, once, within a day", async () => {
    const link = async () => {
      const { url } = await lab.api<{ url: string }>("/users/alice/password-links", {
        method: "POST",
      });
      return new URL(url).searchParams.get("code") ?? "";
    };
    const choose = (code: string, again = GOOD) =>
      post("/password", { code, password: GOOD, again });
    const code = await link();
    expect((await choose(code, "not the same")).status).toBe(400);
    expect((await choose(code)).status).toBe(303);
    expect((await choose(code)).status).toBe(401);
    const late = await link();
    lab.pass(DAY);
    expect((await choose(late)).status).toBe(401);
    // Neither is a token or a session.
    expect((await lab.request("/jobs", { token: await link() })).status).toBe(401);
  });

  test("of nobody is compared with a real hash all the same, so that names can't be told apart", async () => {
    await setPassword("alice");
    await signIn("nobody", GOOD);
    expect(checked).toEqual([
      expect.stringMatching(/^\$scrypt\$ln=15,r=8,p=3\$[\w+/]{22}\$[\w+/]{43}$/),
    ]);
    expect(await slowly.isSlowHashOf(GOOD, checked[0] ?? "")).toBe(false);
  });

  test("is nowhere to be read, and its hash travels with a backup", async () => {
    Object.assign(lab.deps.system, slowly);
    await setPassword("alice");
    await signIn("alice", GOOD);
    const { items } = await lab.deps.table.scan();
    const text = JSON.stringify(items);
    expect(text).not.toContain(GOOD);
    expect(text).toContain("$scrypt$");
    const changes = items.filter(({ key }) => key.partition.startsWith("changes#"));
    expect(JSON.stringify(changes)).toContain("password");
    expect(JSON.stringify(changes)).not.toContain("scrypt");
    expect(lab.messages.join()).not.toContain(GOOD);
  });

  test("is taken from pages of this lab only", async () => {
    await setPassword("alice");
    const headers = { "sec-fetch-site": "cross-site" };
    expect((await signIn("alice", GOOD, { headers })).status).toBe(403);
  });

  test("is not taken where the lab has passwords switched off", async () => {
    await setPassword("alice");
    const settings = { sign_in: { passwords: false } };
    await lab.api("/settings", { method: "PUT", body: { settings } });
    expect((await signIn("alice", GOOD)).status).toBe(401);
  });
});

describe("tries that fail", () => {
  beforeEach(async () => {
    await setPassword("alice");
  });
  const fail = async (times: number, options?: Parameters<typeof post>[2], name = "alice") => {
    let answer: Response | undefined;
    for (let n = 0; n < times; n++) answer = await signIn(name, "wrong", options);
    return answer!;
  };

  test("cost nothing at first, then twice as long each time, as the answer says", async () => {
    expect((await fail(5)).status).toBe(401);
    const refused = await signIn("alice", GOOD);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
    for (const seconds of [1, 2, 4, 8]) {
      expect((await signIn("alice", "wrong")).headers.get("retry-after")).toBe(String(seconds));
      lab.pass(seconds);
      expect((await fail(1)).status).toBe(401);
    }
    lab.pass(16);
    expect((await signIn("alice", GOOD)).status).toBe(303);
    expect((await fail(5)).status).toBe(401);
  });

  test("wait a quarter of an hour at the most, and are forgotten after a day", async () => {
    for (let n = 0; n < 30; n++) {
      lab.pass(15 * 60);
      expect((await fail(1)).status).toBe(401);
    }
    expect((await signIn("alice", GOOD)).headers.get("retry-after")).toBe("900");
    lab.pass(DAY);
    expect((await fail(5)).status).toBe(401);
  });

  test("of a stranger lock nobody out at another address", async () => {
    expect((await signIn("alice", GOOD, { address: "198.51.100.7" })).status).toBe(303);
    for (let n = 0; n < 40; n++) {
      const address = `203.0.113.${n}`;
      await fail(5, { address });
    }
    // More than a hundred: whoever comes from somewhere new waits a little, the person at their desk doesn't.
    const elsewhere = await signIn("alice", GOOD, { address: "198.51.100.8" });
    expect(elsewhere.status).toBe(429);
    expect(Number(elsewhere.headers.get("retry-after"))).toBeLessThanOrEqual(60);
    expect((await signIn("alice", GOOD, { address: "198.51.100.7" })).status).toBe(303);
  });

  test("of many names from one address are slowed down, too", async () => {
    for (let n = 0; n < 30; n++) await fail(1, {}, `user-${n}`);
    expect((await fail(1, {}, "user-30")).status).toBe(429);
    expect((await fail(1, { address: "192.0.2.2" }, "user-30")).status).toBe(401);
  });

  test("at the same time count each", async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => signIn("alice", "wrong")));
    const refused = answers.filter(({ status }) => status === 401);
    expect(refused.length).toBeLessThanOrEqual(5);
  });

  test("are counted by what a trusted proxy says, and by nobody's own word", async () => {
    const from = (client: string, trustedProxies: number) => ({
      address: "10.0.0.1",
      trustedProxies,
      headers: { "x-forwarded-for": `1.2.3.4, ${client}` },
    });
    await fail(5, from("198.51.100.1", 1));
    expect((await fail(1, from("198.51.100.1", 1))).status).toBe(429);
    expect((await fail(1, from("198.51.100.2", 1))).status).toBe(401);
    await fail(5, from("198.51.100.3", 0));
    expect((await fail(1, from("198.51.100.4", 0))).status).toBe(429);
  });

  test("of an IPv6 network are one address's", () => {
    expect(addressGroup("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2::/64");
    expect(addressGroup("2001:0db8:1::7")).toBe("2001:db8:1:0::/64");
    expect(addressGroup("::1")).toBe("0:0:0:0::/64");
    expect(addressGroup("::ffff:192.0.2.1")).toBe("192.0.2.1");
  });
});

describe("wrong tokens and enrolment codes", () => {
  const from = { address: "192.0.2.9" };
  const ask = (token: string) =>
    lab.app.request("/api/v1/jobs", { headers: { authorization: `Bearer ${token}` } }, from);
  const enrol = () =>
    lab.app.request(
      "/api/v1/enrol",
      {
        method: "POST",
        body: JSON.stringify({
          ...{ worker: "x", secret: "2345-6789".repeat(3) },
          ...{ token_id: "0".repeat(16), token_hash: "0".repeat(64) },
        }),
      },
      from,
    );

  test("are answered 429 after many in a minute; a valid token passes all the same", async () => {
    for (let n = 0; n < 60; n++) expect((await ask("nonsense")).status).toBe(401);
    const answer = await ask("nonsense");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([429, "60"]);
    expect((await ask(lab.adminToken)).status).toBe(200);
    lab.pass(60);
    expect((await ask("nonsense")).status).toBe(401);
  });

  test("a code, too", async () => {
    const statuses = new Set<number>();
    for (let n = 0; n < 62; n++) statuses.add((await enrol()).status);
    expect(statuses).toContain(429);
    expect(statuses.size).toBe(2);
  });
});

test.each([
  [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36",
    "Chrome 156 (X11; Linux x86_64)",
  ],
  [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Edg/156.0.1",
    "Edge 156 (X11; Linux x86_64)",
  ],
  ["curl/8.1", "curl/8.1"],
])("a browser is listed by its short name", (agent, name) => {
  expect(browserName(agent)).toBe(name);
});

describe("sessions", () => {
  const signInBy = async () => {
    const answer = await post(
      "/sign-in",
      { token: lab.adminToken },
      { headers: { "user-agent": "A Browser/1.0" } },
    );
    return cookieOf(answer);
  };

  test("end when nobody has used them for two weeks", async () => {
    const [used, idle] = [await signInBy(), await signInBy()];
    for (let week = 0; week < 2; week++) {
      lab.pass(7 * DAY);
      expect(await isIn(used)).toBe(true);
    }
    expect(await isIn(idle)).toBe(false);
  });

  test("are new ones at each sign-in, listed, and ended one by one or all at once", async () => {
    const [one, two, three] = [await signInBy(), await signInBy(), await signInBy()];
    expect(new Set([one, two, three]).size).toBe(3);
    type Listed = { tokens: { id: string; kind: string; description: string }[] };
    const { tokens } = await lab.api<Listed>("/tokens");
    const sessions = tokens.filter(({ kind }) => kind === "session");
    expect(sessions.map(({ description }) => description)).toEqual(Array(3).fill("A Browser/1.0"));
    const id = one.split("=")[1]?.split("_")[1] ?? "";
    await lab.request(`/tokens/${id}`, { method: "DELETE" });
    expect([await isIn(one), await isIn(two)]).toEqual([false, true]);
    const body = {};
    expect(await lab.api("/users/admin/sign-out", { body })).toEqual({ ended: 2 });
    expect([await isIn(two), await isIn(three)]).toEqual([false, false]);
    expect((await lab.request("/jobs")).status).toBe(200);
  });

  test("of a token with scopes may no more than that", async () => {
    const { token } = await lab.api<{ token: string }>("/tokens", {
      body: { subject: "admin", scopes: ["read"] },
    });
    const cookie = cookieOf(await post("/sign-in", { token }));
    expect(await isIn(cookie)).toBe(true);
    expect((await post("/submit", { definition: "" }, { cookie })).status).toBe(403);
    expect((await lab.request("/sign-in-links", { method: "POST", token })).status).toBe(403);
  });

  test("have a cookie that no script reads and no other site sends, over https only where there is https", async () => {
    const plain = (await post("/sign-in", { token: lab.adminToken })).headers.get("set-cookie");
    expect(plain).toMatch(/; Path=\/; HttpOnly; SameSite=Lax$/);
    const headers = { "x-forwarded-proto": "https" };
    const safe = await post("/sign-in", { token: lab.adminToken }, { headers });
    expect(safe.headers.get("set-cookie")).toMatch(/; HttpOnly; Secure; SameSite=Lax$/);
  });
});
