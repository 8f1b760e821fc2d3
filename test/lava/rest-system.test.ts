import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { beginAttempt } from "../../control-plane/domain/sign-in-limits.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { restClient } from "../support/rest-client.ts";

let lab: EmbeddedLab;
const { ask, json } = restClient(() => lab);
beforeAll(async () => {
  lab = await embeddedLab();
});
afterAll(() => lab.close());

const MISSING = ["This field is required."];

test("users, groups and one's own remote artefact tokens are told, these without what they are", async () => {
  expect((await json("users/admin/"))[1]).toMatchObject({ username: "admin", is_superuser: true });
  expect((await json("users/?username=admin"))[1].count).toBe(1);
  await lab.api("/groups/readers", { method: "PUT", body: { members: ["admin"] } });
  expect((await json("groups/?name=readers"))[1].results).toEqual([
    { name: "readers", description: "", members: ["admin"] },
  ]);
  const [, made] = await json("remote-artifact-tokens/", { body: { name: "t", token: "secret" } });
  expect(made).toEqual({ id: expect.any(Number), name: "t" });
  expect((await json("remote-artifact-tokens/"))[1].results).toEqual([made]);
  const removed = await ask(`remote-artifact-tokens/${made.id}/`, { method: "DELETE" });
  expect(removed.status).toBe(204);
});

describe("the system", () => {
  test("says its version, who asks and how to listen, also to nobody", async () => {
    expect(await json("system/version/", { token: null })).toEqual([200, { version: "2023.01" }]);
    expect(await json("system/whoami/")).toEqual([200, { user: "admin" }]);
    expect(await json("system/whoami/", { token: null })).toEqual([200, { user: "" }]);
    expect(await json("system/master_config/")).toMatchObject([
      200,
      { EVENT_TOPIC: "org.lavasoftware", LOG_SIZE_LIMIT: 50 },
    ]);
  });

  test("names its collections", async () => {
    expect((await json(""))[1]).toMatchObject({ jobs: "http://localhost/api/v0.2/jobs/" });
  });
});

describe("a token for name and password", () => {
  const password = "a long enough password";
  const DESCRIPTION = "REST: name and password at /api/v0.2/token/";
  beforeAll(async () => {
    await lab.addStranger("ann");
    await lab.request("/users/ann/password", { method: "PUT", body: { password } });
  });

  test("is good for a month and not for administration; the oldest of ten goes", async () => {
    const body = new URLSearchParams({ username: "ann", password }).toString();
    const [status, { token }] = await json("token/", { body, token: null });
    expect(status).toBe(200);
    expect(await json("system/whoami/", { token })).toEqual([200, { user: "ann" }]);
    const made = async () => {
      const { tokens } = await lab.api<{ tokens: { description: string }[] }>("/tokens");
      return tokens.filter(({ description }) => description === DESCRIPTION);
    };
    expect(await made()).toMatchObject([
      { scopes: ["read", "submit", "workers"], expires: "2026-03-31T12:00:00.000Z" },
    ]);
    for (let n = 0; n < 12; n++) {
      lab.pass(1);
      await lab.api("/tokens", { body: { subject: "ann", description: DESCRIPTION } });
    }
    lab.pass(1);
    const [, { token: next }] = await json("token/", { body, token: null });
    expect(await made()).toHaveLength(10);
    expect((await ask("jobs/", { token })).status).toBe(403);
    expect((await ask("jobs/", { token: next })).status).toBe(200);
  });

  test("is refused in LAVA's words, and after many tries for a while", async () => {
    const body = { username: "ann", password: "wrong" };
    const refused = { non_field_errors: ["Unable to log in with provided credentials."] };
    expect(await json("token/", { body, token: null })).toEqual([400, refused]);
    expect(await json("token/", { body: { username: "ann" }, token: null })).toEqual([
      400,
      { password: MISSING },
    ]);
    // Each costs the hash of a password: most tries are only counted here.
    for (let n = 0; n < 4; n++) {
      await beginAttempt(lab.deps, { name: "ann", address: "unknown" });
    }
    const late = await ask("token/", { body, token: null });
    expect([late.status, Number(late.headers.get("retry-after"))]).toEqual([
      429,
      expect.any(Number),
    ]);
  });
});
