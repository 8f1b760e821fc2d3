import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { ConsoleInputs, ConsoleList, ConsoleView, OpenedConsole } from "#protocol/consoles.ts";
import type { AuditPage } from "#protocol/people.ts";
import { findDescendants } from "../../worker/host/process-table.ts";
import { CONSOLE_VARIABLE } from "../../worker/services/left-consoles.ts";
import { kill } from "../support/agent-bench.ts";
import { aJob } from "../support/builders.ts";
import { consoleLab, type ConsoleLab } from "../support/console-lab.ts";
import { embeddedLab } from "../support/embedded-lab.ts";
import { workerProgram } from "../support/worker-program.ts";

let program: Awaited<ReturnType<typeof workerProgram>>;
let lab: ConsoleLab;
let agent: ReturnType<ConsoleLab["startAgent"]>;

beforeAll(async () => {
  program = await workerProgram();
});
afterAll(() => program.remove());
beforeEach(async () => {
  lab = await consoleLab(program.file, { hard_reset: "false" });
  agent = lab.startAgent();
});
afterEach(() => lab.close());

test("who has reserved a device types at its console; a piece that is sent again is typed once; all is recorded", async () => {
  await lab.reserve();
  const session = await lab.open();
  await lab.said(session.id, "ready");
  expect((await lab.type(session, "hello\n", "one")).status).toBe(204);
  expect((await lab.type(session, "hello\n", "one")).status).toBe(204);
  await lab.said(session.id, "you said hello");
  await lab.type(session, "world\n");
  const all = await lab.said(session.id, "you said world");
  expect(all.match(/you said hello/g)).toHaveLength(1);
  const { inputs } = await lab.api<ConsoleInputs>("GET", `/consoles/${session.id}/input`);
  expect(inputs.map(({ who, data }) => [who, Buffer.from(data!, "base64").toString()])).toEqual([
    ["admin", "hello\n"],
    ["admin", "world\n"],
  ]);
});

test("without the reservation the console stays closed; who may see the device watches, and types nothing", async () => {
  const { token } = await lab.api<{ token: string }>("POST", "/tokens", { subject: "bob" });
  await lab.api("PUT", "/settings", {
    settings: { access: { permissions: { submit: ["everyone"] } } },
  });
  const refused = await lab.ask("POST", "/consoles", { device: "board-01" });
  expect(refused.status).toBe(409);
  expect(await refused.text()).toContain("pumice reserve board-01 --for 1h");
  await lab.reserve();
  const session = await lab.open();
  await lab.said(session.id, "ready", token);
  const typed = { writer: session.writer, call: "1", data: "" };
  expect((await lab.ask("POST", `/consoles/${session.id}/input`, typed, token)).status).toBe(403);
  expect((await lab.ask("GET", `/consoles/${session.id}/input`, undefined, token)).status).toBe(
    403,
  );
});

test("a second window of the holder takes the console over: the first types no more", async () => {
  await lab.reserve();
  const first = await lab.open();
  await lab.said(first.id, "ready");
  const second = await lab.open();
  expect(second.id).toBe(first.id);
  const refused = await lab.type(first, "late\n");
  expect(refused.status).toBe(409);
  expect(await refused.text()).toContain("taken this console over");
  await lab.type(second, "mine\n");
  expect(await lab.said(first.id, "you said mine")).not.toContain("late");
});

test("the power buttons run the device's own commands, say what came of it, and are in the audit log", async () => {
  await lab.reserve();
  const { id } = await lab.open();
  await lab.said(id, "ready");
  await lab.api("POST", `/consoles/${id}/power`, { power: "off" });
  await lab.said(id, "[power off: done]");
  readFileSync(path.join(lab.dir, "is-off"));
  await lab.api("POST", `/consoles/${id}/power`, { power: "reset" });
  await lab.said(id, "[power reset: 'false' failed: exit code 1]");
  await lab.api("POST", `/consoles/${id}/power`, { power: "on" });
  await lab.said(id, "[power on: the device has no commands.power_on]");
  const { entries } = await lab.api<AuditPage>("GET", "/audit?limit=50");
  const powers = entries.flatMap(({ who, changed }) =>
    changed["power"] ? [[who, changed["power"][1]]] : [],
  );
  expect(powers).toEqual([
    ["admin", "on"],
    ["admin", "reset"],
    ["admin", "off"],
  ]);
});

test("the end of the reservation ends the session; so does the end of the device's connection", async () => {
  await lab.reserve();
  const first = await lab.open();
  await lab.said(first.id, "ready");
  await lab.type(first, "bye\n");
  expect((await lab.ended(first.id)).reason).toContain("connection");
  const second = await lab.open();
  expect(second.id).not.toBe(first.id);
  await lab.said(second.id, "ready");
  await lab.api("DELETE", "/reservations/board-01");
  expect((await lab.api<ConsoleView>("GET", `/consoles/${second.id}`)).reason).toBe(
    "the reservation of admin is over",
  );
  expect((await lab.type(second, "x")).status).toBe(410);
  const { consoles } = await lab.api<ConsoleList>("GET", "/devices/board-01/consoles");
  expect(consoles.map(({ state }) => state)).toEqual(["ended", "ended"]);
});

test("an agent that is killed and started again goes on with the session; what was typed before is not typed again", async () => {
  await lab.reserve();
  const session = await lab.open();
  await lab.said(session.id, "ready");
  await lab.type(session, "before\n");
  await lab.said(session.id, "you said before");
  const programs = () => findDescendants(CONSOLE_VARIABLE, lab.bench.workDir, undefined);
  const old = programs();
  await kill(agent);
  lab.startAgent();
  await lab.said(session.id, "ready", undefined, 2);
  await lab.type(session, "after\n");
  const all = await lab.said(session.id, "you said after");
  expect(all.match(/you said before/g)).toHaveLength(1);
  // The console's program of before is gone, so that the port is free.
  expect(programs().filter((pid) => old.includes(pid))).toEqual([]);
});

test("a device that says much is heard whole", async () => {
  await lab.reserve();
  const session = await lab.open();
  await lab.said(session.id, "ready");
  await lab.type(session, "flood\n");
  const all = await lab.said(session.id, "flooded");
  expect(all.match(/x/g)).toHaveLength(300_000);
});

test("a running job of the holder's gets the device: the console is closed and cannot be opened", async () => {
  await lab.reserve();
  const session = await lab.open();
  await lab.said(session.id, "ready");
  await kill(agent);
  await lab.api("POST", "/jobs", aJob());
  await expect
    .poll(
      async () => (await lab.api<{ current_job?: number }>("GET", "/devices/board-01")).current_job,
    )
    .toBeGreaterThan(0);
  expect((await lab.api<ConsoleView>("GET", `/consoles/${session.id}`)).reason).toBe(
    "job 1 has the device",
  );
  expect((await lab.ask("POST", "/consoles", { device: "board-01" })).status).toBe(409);
});

test("pumice console shows and types, and ~. leaves; its record is an asciicast", async () => {
  await lab.reserve();
  const window = lab.cli("console", "board-01");
  const exit = once(window, "exit");
  await shows(window.stdout, "ready");
  window.stdin.write("hello\n");
  await shows(window.stdout, "you said hello");
  window.stdin.write("~.");
  expect((await exit)[0]).toBe(0);
  const { consoles } = await lab.api<ConsoleList>("GET", "/devices/board-01/consoles");
  const { id } = consoles[0]!;
  const record = lab.cli("consoles", "record", id);
  let text = "";
  for await (const part of record.stdout) text += String(part);
  const [head, ...events] = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  expect(head).toMatchObject({ version: 2, title: "console of board-01, admin" });
  expect(events).toContainEqual([expect.any(Number), "i", "hello\n"]);
  const output = events.filter((event) => (event as string[])[1] === "o");
  expect(output.map((event) => (event as string[])[2]).join("")).toContain("you said hello");
});

async function shows(stream: Readable, text: string): Promise<void> {
  let all = "";
  while (!all.includes(text)) all += String((await once(stream, "data"))[0]);
}

test("the idle time of the lab's settings ends a session in which nobody types", async () => {
  const lab = await embeddedLab();
  try {
    const worker = await lab.addWorker();
    await lab.addDevice("qemu-01");
    await lab.sync(worker);
    await lab.api("/reservations", { body: { device: "qemu-01", seconds: 7200 } });
    const { id } = await lab.api<OpenedConsole>("/consoles", { body: { device: "qemu-01" } });
    expect((await lab.sync(worker)).consoles).toMatchObject([{ id, device_hostname: "qemu-01" }]);
    await lab.api(`/worker/consoles/${id}/output`, { token: worker, body: { from: 0, data: "" } });
    lab.pass(9 * 60);
    expect(await lab.api(`/consoles/${id}`)).toMatchObject({ state: "open" });
    lab.pass(2 * 60);
    await lab.sync(worker);
    expect(await lab.api(`/consoles/${id}`)).toMatchObject({
      state: "ended",
      reason: "nobody has typed anything for 10 minutes",
    });
    expect((await lab.sync(worker)).consoles).toBeUndefined();
  } finally {
    await lab.close();
  }
});
