import { afterAll, beforeAll, expect, test } from "vitest";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

// Who may use which route is in access-matrix.ts.

let lab: EmbeddedLab;
let token: string;
beforeAll(async () => {
  lab = await embeddedLab();
  ({ token } = await lab.addUser("alice"));
});
afterAll(() => lab.close());

test("a token that is none of ours is no token", async () => {
  for (const none of [
    null,
    "nonsense",
    `pumice_${"0".repeat(16)}_${"x".repeat(43)}`,
    `pumice_job_1_${"0".repeat(64)}`,
    `${token.slice(0, -1)}_`,
  ]) {
    for (const [method, where] of [
      ["GET", "/jobs"],
      ["POST", "/jobs"],
      ["POST", "/worker/sync"],
      ["DELETE", "/tokens/none"],
    ] as const) {
      const answer = await lab.request(where, { method, token: none });
      expect(answer.status).toBe(401);
      expect(await answer.json()).toMatchObject({ code: "unauthenticated" });
      expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    }
  }
});

test("health needs no token", async () => {
  const answer = await lab.request("/health", { token: null });
  expect(await answer.json()).toMatchObject({ status: "ok", engine: "embedded" });
});

test("LAVA's way of sending a token works as well", async () => {
  const headers = { authorization: `Token ${token}` };
  expect((await lab.request("/jobs", { token: null, headers })).status).toBe(200);
});

test("what is not there asks for a token first", async () => {
  expect((await lab.request("/nothing", { token: null })).status).toBe(401);
  expect((await lab.request("/nothing")).status).toBe(404);
});
