import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RotationRequest, SyncResponse } from "#protocol/worker-api.ts";
import { tokenKeeper, type TokenKeeper } from "../../worker/agent/token-keeper.ts";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let dir: string;
let file: string;
let first: string;
let said: string[];
beforeEach(async () => {
  lab = await listeningLab();
  dir = mkdtempSync(path.join(tmpdir(), "pumice-token-"));
  file = path.join(dir, "token");
  first = await lab.addWorker();
  writeFileSync(file, `${first}\n`, { mode: 0o600 });
  said = [];
});
afterEach(async () => {
  await lab.close();
  rmSync(dir, { recursive: true, force: true });
});

const keeper = (): TokenKeeper => tokenKeeper(file, (line) => said.push(line));
const inFile = (): string => readFileSync(file, "utf8").trim();
const isGood = async (token: string): Promise<boolean> => {
  const body = { protocol: 1, version: "test", runners: [], wait_seconds: 0 };
  return (await lab.request("/worker/sync", { token, body })).status === 200;
};
/** Asks as a person does, and gives what the worker is told. */
async function ask(overlap: string): Promise<string> {
  const words = ["workers", "rotate", "bench", "--overlap", overlap];
  const { code } = await cli(words, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
  expect(code).toBe(0);
  const { rotate } = await lab.sync(first);
  return rotate ?? "";
}
const register =
  (token: TokenKeeper) =>
  async (body: RotationRequest): Promise<void> => {
    const answer = await lab.request("/worker/token", { token: token.current(), body });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  };

test("a worker makes itself another token when it is asked to; the one before is good for the overlap", async () => {
  const token = keeper();
  const id = await ask("1h");
  expect(await lab.api("/workers/bench")).toHaveProperty("token_rotation_asked");
  await token.rotate(id, register(token));
  expect(token.current()).not.toBe(first);
  expect([await isGood(first), await isGood(token.current())]).toEqual([true, true]);
  token.accepted();
  expect(inFile()).toBe(token.current());
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(await lab.api("/workers/bench")).not.toHaveProperty("token_rotation_asked");
  expect((await lab.sync(token.current())).rotate).toBeUndefined();
  lab.pass(3600);
  expect([await isGood(first), await isGood(token.current())]).toEqual([false, true]);
});

test("without an overlap the one before is dead at once", async () => {
  const token = keeper();
  await token.rotate(await ask("0"), register(token));
  expect([await isGood(first), await isGood(token.current())]).toEqual([false, true]);
});

test("a lost answer costs nothing: the same token is registered again", async () => {
  const token = keeper();
  const id = await ask("1h");
  const lost = async (body: RotationRequest) => {
    await register(token)(body);
    throw new Error("the connection broke");
  };
  await token.rotate(id, lost);
  expect(token.current()).toBe(first);
  expect(said).toEqual(["this worker can't have another token: the connection broke"]);
  await token.rotate(id, register(token));
  expect(await isGood(token.current())).toBe(true);
  expect(token.current()).not.toBe(first);
});

test.each(["1h", "0"])(
  "an agent that dies before the file is written finds the token again: overlap %s",
  async (overlap) => {
    const dying = keeper();
    await dying.rotate(await ask(overlap), register(dying));
    const next = keeper();
    expect(next.current()).toBe(first);
    lab.pass(3600);
    expect(await isGood(next.current())).toBe(false);
    next.refused();
    expect(await isGood(next.current())).toBe(true);
    next.accepted();
    expect(inFile()).toBe(dying.current());
  },
);

test("a token that was made but never registered does no harm", async () => {
  const dying = keeper();
  await dying.rotate(await ask("1h"), () => Promise.reject(new Error("killed")));
  const next = keeper();
  next.refused();
  expect(next.current()).not.toBe(first);
  // Neither is that one: the file's again, which a person may have put right.
  next.refused();
  expect(next.current()).toBe(first);
  next.accepted();
  expect(inFile()).toBe(first);
});

test("a worker that may not write beside its token goes on with it, and says so once", async () => {
  const token = tokenKeeper(file, (line) => said.push(line));
  const id = await ask("1h");
  rmSync(dir, { recursive: true });
  writeFileSync(dir, "no folder");
  for (let n = 0; n < 2; n++) await token.rotate(id, register(token));
  expect(token.current()).toBe(first);
  expect(said).toHaveLength(1);
  expect(
    (await lab.api<{ token_rotation_asked?: string }>("/workers/bench")).token_rotation_asked,
  ).toBeDefined();
});

test("only what was asked for is taken, and only of the worker itself", async () => {
  const body = { rotation: "x", token_id: "0".repeat(16), token_hash: "0".repeat(64) };
  const post = async (token: string, request: object = body) =>
    (await lab.request("/worker/token", { token, body: request })).status;
  expect(await post(first)).toBe(409);
  const rotation = await ask("1h");
  const other = await lab.addWorker("other");
  expect(await post(other, { ...body, rotation })).toBe(409);
  expect(await post(lab.adminToken, { ...body, rotation })).toBe(403);
  expect(await post(first, { ...body, rotation })).toBe(204);
  const held = { protocol: 1, version: "test", runners: [], wait_seconds: 0 };
  expect(
    ((await lab.api("/worker/sync", { token: first, body: held })) as SyncResponse).rotate,
  ).toBeUndefined();
});
