import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { EmbeddedLab } from "../support/embedded-lab.ts";
import { ask, BASE, told, stockWorkerLab } from "../support/stock-worker-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  ({ lab, worker } = await stockWorkerLab());
});
afterEach(() => lab.close());

describe("a stock worker that registers itself", () => {
  const register = (form: Record<string, string>, address = "127.0.0.1") =>
    told(ask("/workers/", undefined, form, address));

  test("gets a token from a network of the setting, once", async () => {
    const [status, body] = await register({ name: "new" });
    expect([status, body]).toEqual([200, { name: "new", token: expect.any(String) as string }]);
    const { token } = body as { token: string };
    expect((await ask("/workers/new/?version=2023.01", token)).status).toBe(200);
    expect(await register({ name: "new" })).toEqual([
      403,
      { error: "Worker 'new' already registered" },
    ]);
  });

  test.each([
    ["192.0.2.1", "Auto registration is forbidden for '192.0.2.1'"],
    ["unknown", "Auto registration is forbidden for 'unknown'"],
  ])("is refused from %s", async (address, error) => {
    expect(await register({ name: "new" }, address)).toEqual([403, { error }]);
  });

  test("may do so from wherever the setting says, and from nowhere when that is empty", async () => {
    const allow = (allowed: string[]) =>
      lab.api("/settings", { method: "PUT", body: { settings: { stock_workers: { allowed } } } });
    await allow(["192.0.2.0/24", "2001:db8::/32"]);
    expect((await register({ name: "new" }, "192.0.2.200"))[0]).toBe(200);
    expect((await register({ name: "six" }, "2001:db8::7"))[0]).toBe(200);
    expect((await register({ name: "mapped" }, "::ffff:192.0.2.7"))[0]).toBe(200);
    expect((await register({ name: "more" }, "127.0.0.1"))[0]).toBe(403);
    await allow([]);
    expect(await register({ name: "more" }, "192.0.2.200")).toEqual([
      403,
      { error: "Auto registration is disabled" },
    ]);
  });

  test.each([
    ["x-forwarded-for", "192.0.2.1"],
    ["x-real-ip", "192.0.2.1"],
    ["via", "1.1 proxy"],
  ])("is refused through a proxy of which the lab was not told: %s", async (name, value) => {
    const answer = await lab.app.request(
      `${BASE}/workers/`,
      {
        method: "POST",
        headers: { [name]: value },
        body: new URLSearchParams({ name: "new" }),
      },
      { address: "127.0.0.1" },
    );
    expect(answer.status).toBe(403);
  });

  test("by an administrator's token may do so from anywhere, also again", async () => {
    const form = { name: "bench", username: "admin", password: lab.adminToken };
    const [status, body] = await register(form, "192.0.2.1");
    expect(status).toBe(200);
    const { token } = body as { token: string };
    expect((await ask("/workers/bench/?version=2023.01", token)).status).toBe(200);
    expect((await ask("/workers/bench/?version=2023.01", worker)).status).toBe(200);
  });

  test("is refused by anybody else's", async () => {
    const { token } = await lab.addUser("lee");
    for (const [username, password] of [
      ["lee", token],
      ["admin", token],
      ["admin", "wrong"],
      ["admin", worker],
    ] as const) {
      expect(await register({ name: "new", username, password }, "192.0.2.1")).toEqual([
        403,
        { error: `Unknown user ${username}` },
      ]);
    }
  });

  test.each([
    [{}, "Missing 'name'"],
    [{ name: "../x" }, "Invalid 'name'"],
  ])("needs a good name: %j", async (form, error) => {
    expect(await register(form)).toEqual([400, { error }]);
  });

  test("posts to no other place", async () => {
    expect(await told(ask("/workers/bench/", worker, { name: "bench" }))).toEqual([
      403,
      { error: "POST is forbidden for such url" },
    ]);
  });
});
