import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WorkerView } from "#protocol/api.ts";
import type { TokenView } from "#protocol/tokens.ts";
import { readCode, type Enrolment, type EnrolRequest } from "#protocol/enrol.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
});
afterEach(() => lab.close());

const makeCode = (name = "bench", body: object = {}) =>
  lab.api<Enrolment>(`/workers/${name}/enrolment`, { body });

/** A board with a token of its own that nobody knows yet. */
function aBoard(number: number) {
  const id = number.toString(16).padStart(16, "0");
  const token = `pumice_${id}_${String(number).padStart(43, "x")}`;
  const token_hash = createHash("sha256").update(token).digest("hex");
  return {
    token,
    enrol: (code: string, overrides: Partial<EnrolRequest> = {}) => {
      const { worker, secret } = readCode(code)!;
      const body = { worker, secret, token_id: id, token_hash, ...overrides };
      return lab.request("/enrol", { token: null, body });
    },
    syncs: async () =>
      (
        await lab.request("/worker/sync", {
          token,
          body: { protocol: 1, version: "test", runners: [], wait_seconds: 0 },
        })
      ).status,
  };
}
const worker = () => lab.api<WorkerView>("/workers/bench");

describe("enrolment", () => {
  test("makes the token of the board the worker's, and the board needs to be told nothing", async () => {
    const { code } = await makeCode("bench", { add: true, description: "rack 2" });
    const board = aBoard(1);
    expect(await board.syncs()).toBe(401);
    const answer = await board.enrol(code);
    expect([answer.status, await answer.json()]).toEqual([200, { worker: "bench" }]);
    expect(await board.syncs()).toBe(200);
    expect(await worker()).toMatchObject({ description: "rack 2", state: "Online" });
  });

  test("is seen: who waits for a board, who was enrolled and when, by whose code", async () => {
    await lab.addWorker();
    expect(await worker()).not.toHaveProperty("enrolment_expires");
    const { code, expires } = await makeCode();
    expect(expires).toBe("2026-03-01T13:00:00.000Z");
    expect(await worker()).toMatchObject({ enrolment_expires: expires });
    lab.pass(60);
    await aBoard(1).enrol(code);
    const view = await worker();
    expect(view).toMatchObject({ enrolled: "2026-03-01T12:01:00.000Z" });
    expect(view).not.toHaveProperty("enrolment_expires");
    const { tokens } = await lab.api<{ tokens: TokenView[] }>("/tokens");
    expect(tokens.find(({ kind }) => kind === "worker")).toMatchObject({
      subject: "bench",
      description: "enrolled by a code of admin",
    });
    expect(JSON.stringify([view, tokens])).not.toMatch(/hash|token_id/);
  });

  test("ends the tokens that the worker had", async () => {
    const old = await lab.addWorker();
    const { code } = await makeCode();
    expect((await lab.request("/worker/sync", { token: old, body: {} })).status).toBe(400);
    await aBoard(1).enrol(code);
    expect((await lab.request("/worker/sync", { token: old, body: {} })).status).toBe(401);
  });

  test("may be asked for again by the same board, whose answer was lost, until the code is too old", async () => {
    const { code } = await makeCode("bench", { add: true });
    const board = aBoard(1);
    expect((await board.enrol(code)).status).toBe(200);
    expect((await board.enrol(code)).status).toBe(200);
    expect(await board.syncs()).toBe(200);
    lab.pass(3600);
    expect((await board.enrol(code)).status).toBe(401);
    expect(await board.syncs()).toBe(200);
  });

  test("by one code works for one of many boards", async () => {
    const { code } = await makeCode("bench", { add: true });
    const boards = [1, 2, 3, 4].map(aBoard);
    const answers = await Promise.all(boards.map((board) => board.enrol(code)));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.toSorted((a, b) => a - b)).toEqual([200, 401, 401, 401]);
    const winner = boards[statuses.indexOf(200)];
    for (const board of boards) expect(await board.syncs()).toBe(board === winner ? 200 : 401);
  });

  test("is refused with one sentence, whatever is wrong with the code", async () => {
    const { code } = await makeCode("bench", { add: true });
    const refusal = async (answer: Promise<Response>) => {
      const { status, ...rest } = await answer;
      return [status, (await (await answer).text()).replace(/"request_id":"[^"]*"/, ""), rest];
    };
    const board = aBoard(2);
    const wrong = await refusal(board.enrol(code, { secret: "0".repeat(28) }));
    expect(wrong[0]).toBe(401);
    expect(await refusal(board.enrol(code, { worker: "nobody" }))).toEqual(wrong);
    const { code: newer } = await makeCode();
    expect(await refusal(board.enrol(code))).toEqual(wrong);
    await aBoard(1).enrol(newer);
    expect(await refusal(board.enrol(newer))).toEqual(wrong);
    lab.pass(3600);
    expect(await refusal(board.enrol((await makeCode()).code, { secret: "x" }))).toEqual(wrong);
  });

  test("works until the code expires, as long as was asked for", async () => {
    const { code } = await makeCode("bench", { add: true, expires_seconds: 120 });
    lab.pass(120);
    expect((await aBoard(1).enrol(code)).status).toBe(401);
    expect(await worker()).not.toHaveProperty("enrolment_expires");
  });

  test("is for administrators to allow, of a worker that is there, or with add of one that is not", async () => {
    const alice = await lab.addUser("alice");
    const ask = (name: string, body: object, token = lab.adminToken) =>
      lab.request(`/workers/${name}/enrolment`, { token, body });
    expect((await ask("bench", { add: true }, alice.token)).status).toBe(403);
    expect((await ask("bench", {})).status).toBe(404);
    expect((await ask("bench", { add: true })).status).toBe(201);
    expect((await ask("bench", { add: true })).status).toBe(409);
    expect((await ask("bench", { expires_seconds: 1e9 })).status).toBe(400);
    expect((await ask("a:b", { add: true })).status).toBe(400);
  });

  test("is not told in the worker's settings, nor kept by another change of the worker", async () => {
    const { code } = await makeCode("bench", { add: true });
    const settings = await lab.api<object>("/workers/bench/settings");
    expect(settings).not.toHaveProperty("enrolment");
    await lab.api("/workers/bench", { method: "PUT", body: settings });
    expect((await aBoard(1).enrol(code)).status).toBe(200);
  });

  test("ends with the worker", async () => {
    const { code } = await makeCode("bench", { add: true });
    await lab.request("/workers/bench", { method: "DELETE" });
    expect((await aBoard(1).enrol(code)).status).toBe(401);
  });
});

describe("a code", () => {
  test("has 140 bits that differ, in letters that nobody mistakes, and is read as it was typed", async () => {
    const { code } = await makeCode("bench", { add: true });
    expect(code).toMatch(/^bench:([0-9A-HJKMNP-TV-Z]{4}-){6}[0-9A-HJKMNP-TV-Z]{4}$/);
    expect((await makeCode()).code).not.toBe(code);
    const read = readCode(code);
    expect(read?.secret).toHaveLength(28);
    expect(
      readCode(` ${code.toLowerCase().replace("bench", "bench").replaceAll("-", " ")} `),
    ).toEqual(read);
    expect(readCode(code.replaceAll("0", "O").replaceAll("1", "l"))).toEqual(read);
  });

  test.each([
    "",
    "bench",
    "bench:",
    "bench:AAAA",
    "be nch:" + "A".repeat(28),
    "bench:" + "U".repeat(28),
  ])("is not %j", (text) => expect(readCode(text)).toBeUndefined());
});
