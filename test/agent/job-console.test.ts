import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { kill } from "../support/agent-bench.ts";
import { consoleLab, type ConsoleLab } from "../support/console-lab.ts";
import { until } from "../support/real-lab.ts";
import { workerProgram } from "../support/worker-program.ts";

let program: Awaited<ReturnType<typeof workerProgram>>;
let lab: ConsoleLab;
let agent: ReturnType<ConsoleLab["startAgent"]>;

beforeAll(async () => {
  program = await workerProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  lab = await consoleLab(program.file);
  agent = lab.startAgent();
});
afterEach(() => lab.close());

const untilWaiting = (id: number) =>
  until(async () => {
    const { state, waits_for_person, error_msg } = await lab.job(id);
    if (state === "Finished") throw new Error(`finished: ${error_msg}`);
    return waits_for_person === true;
  });
const untilFinished = (id: number) => until(async () => (await lab.job(id)).state === "Finished");

test("a job that waits for a person says so; its submitter types at its console and lets it go on", async () => {
  const id = await lab.submit();
  await untilWaiting(id);
  const session = await lab.open({ job: id });
  expect(session).toMatchObject({ job: id, device: "board-01", holder: "admin" });
  await lab.said(session.id, "ready");
  await lab.type(session, "hello\n");
  await lab.said(session.id, "you said hello");
  expect((await lab.ask("POST", `/consoles/${session.id}/continue`)).status).toBe(204);
  expect((await lab.ended(session.id)).reason).toBe("the job goes on");
  await untilFinished(id);
  expect(await lab.job(id)).toMatchObject({ health: "Complete" });
  expect(await lab.job(id)).not.toHaveProperty("waits_for_person");
});

test("nobody else gets a job's console, or what is said there: its log has that, masked", async () => {
  await lab.api("PUT", "/settings", {
    settings: { access: { permissions: { submit: ["everyone"] } } },
  });
  const { token } = await lab.api<{ token: string }>("POST", "/tokens", { subject: "bob" });
  const id = await lab.submit();
  const early = await lab.ask("POST", "/consoles", { job: id });
  expect([201, 409]).toContain(early.status);
  await untilWaiting(id);
  const session = await lab.open({ device: "board-01" });
  expect(session.job).toBe(id);
  await lab.said(session.id, "ready");
  expect((await lab.ask("POST", "/consoles", { job: id }, token)).status).toBe(403);
  const output = `/consoles/${session.id}/output`;
  expect((await lab.ask("GET", output, undefined, token)).status).toBe(403);
  const goOn = `/consoles/${session.id}/continue`;
  expect((await lab.ask("POST", goOn, undefined, token)).status).toBe(403);
});

test("an agent that is killed and started again goes on with the session in a job's pause: nothing is typed twice", async () => {
  const id = await lab.submit();
  await untilWaiting(id);
  const session = await lab.open({ job: id });
  await lab.said(session.id, "ready");
  await lab.type(session, "before\n");
  await lab.said(session.id, "you said before");
  await kill(agent);
  lab.startAgent();
  await lab.said(session.id, "[the worker's agent was away");
  await lab.type(session, "after\n");
  const all = await lab.said(session.id, "you said after");
  expect(all.match(/you said before/g)).toHaveLength(1);
  await lab.ask("POST", `/consoles/${session.id}/continue`);
  await untilFinished(id);
});

test("a session in a job's pause ends with the job, and one that is ended lets the job wait on", async () => {
  const id = await lab.submit();
  await untilWaiting(id);
  const first = await lab.open({ job: id });
  await lab.said(first.id, "ready");
  await lab.api("DELETE", `/consoles/${first.id}`);
  const second = await lab.open({ job: id });
  expect(second.id).not.toBe(first.id);
  await lab.said(second.id, "ready");
  await lab.api("POST", `/jobs/${id}/cancel`);
  await until(async () => (await lab.ended(second.id)).state === "ended");
  await untilFinished(id);
  expect((await lab.ask("POST", "/consoles", { job: id })).status).toBe(409);
});

test("pumice console --job types at it and ~c lets it go on; --continue does without a window", async () => {
  const id = await lab.submit();
  await untilWaiting(id);
  const window = lab.cli("console", "--job", String(id));
  let shown = "";
  window.stdout.on("data", (bytes) => (shown += String(bytes)));
  const exit = new Promise((resolve) => window.on("exit", resolve));
  await until(() => shown.includes("ready"));
  window.stdin.write("hello\n");
  await until(() => shown.includes("you said hello"));
  window.stdin.write("~c");
  expect(await exit).toBe(0);
  await untilFinished(id);
  const other = await lab.submit();
  await untilWaiting(other);
  const call = lab.cli("console", "--job", String(other), "--continue");
  expect(await new Promise((resolve) => call.on("exit", resolve))).toBe(0);
  await untilFinished(other);
});
