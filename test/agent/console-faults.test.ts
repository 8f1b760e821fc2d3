import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { ConsoleInputs, ConsoleView } from "#protocol/consoles.ts";
import { CONNECTING_JOB, consoleLab, type ConsoleLab } from "../support/console-lab.ts";
import { cutWire } from "../support/cut-wire.ts";
import { pumiceProgram } from "../support/pumice-program.ts";
import { until } from "../support/real-lab.ts";
import { workerProgram } from "../support/worker-program.ts";

let program: Awaited<ReturnType<typeof workerProgram>>;
let pumice: Awaited<ReturnType<typeof pumiceProgram>>;
let lab: ConsoleLab;

beforeAll(async () => {
  [program, pumice] = await Promise.all([workerProgram(), pumiceProgram()]);
});
afterAll(() => {
  program.remove();
  pumice.remove();
});
afterEach(() => lab.close());

test("a control plane that is killed and started again goes on with the session: nothing is lost, nothing is typed twice", async () => {
  lab = await consoleLab(program.file, {}, pumice.file);
  lab.startAgent();
  await lab.reserve();
  const window = lab.cli("console", "board-01");
  let shown = "";
  window.stdout.on("data", (bytes) => (shown += String(bytes)));
  await until(() => shown.includes("ready"));
  window.stdin.write("before\n");
  await until(() => shown.includes("you said before"));
  await lab.restart(async () => void window.stdin.write("meanwhile\n"));
  await until(() => shown.includes("you said meanwhile"));
  window.stdin.write("after\n");
  await until(() => shown.includes("you said after"));
  const said = shown.match(/you said \w+/g);
  expect(said).toEqual(["you said before", "you said meanwhile", "you said after"]);
});

test("a network that is away for a while, for the worker and the window, loses and doubles nothing", async () => {
  lab = await consoleLab(program.file);
  const wire = await cutWire(lab.url);
  try {
    lab.startAgent(wire.url);
    await lab.reserve();
    const window = lab.cli("console", "board-01", "--url", wire.url);
    let shown = "";
    window.stdout.on("data", (bytes) => (shown += String(bytes)));
    await until(() => shown.includes("ready"));
    for (const word of ["one", "two", "three"]) {
      // What is under way gets lost, answers too.
      window.stdin.write(`${word}\n`);
      await wire.cut();
      await wire.mend();
      await until(() => shown.includes(`you said ${word}`));
    }
    const said = shown.match(/you said \w+/g);
    expect(said).toEqual(["you said one", "you said two", "you said three"]);
    const { consoles } = await lab.api<{ consoles: ConsoleView[] }>(
      "GET",
      "/devices/board-01/consoles",
    );
    const where = `/consoles/${consoles[0]?.id}/input`;
    const { inputs } = await lab.api<ConsoleInputs>("GET", where);
    const typed = inputs.map(({ data }) => Buffer.from(data ?? "", "base64").toString());
    expect(typed.join("")).toBe("one\ntwo\nthree\n");
  } finally {
    await wire.close();
  }
});

/** A serial line that one program at a time may have, and that is let go of slowly. */
const ONE_AT_A_TIME = `exec 9>"$1"
flock -n 9 || { echo the port is in use; exit 1; }
trap 'sleep 1; exit' HUP TERM
echo ready
while read line; do echo "you said $line"; done
sleep 1
`;

test("a job of the holder's begins once the console has let go of the port", async () => {
  lab = await consoleLab(program.file);
  const port = path.join(lab.dir, "port.sh");
  writeFileSync(port, ONE_AT_A_TIME);
  await lab.putDevice({ connect: `bash ${port} ${path.join(lab.dir, "lock")}` });
  lab.startAgent();
  await lab.reserve();
  const { id } = await lab.open();
  await lab.said(id, "ready");
  const job = await lab.submit(CONNECTING_JOB);
  expect((await lab.ended(id)).reason).toBe(`job ${job} has the device`);
  await until(async () => (await lab.job(job)).state === "Finished");
  expect(await lab.job(job)).toMatchObject({ health: "Complete" });
  // A line that is in use would be tried again, and that be said.
  const log = await (await lab.ask("GET", `/jobs/${job}/log?format=ndjson`)).text();
  expect(log).toContain("ready");
  expect(log).not.toContain("in use");
});

test("the session's end switches the device off when that was asked for, and else leaves it as it is", async () => {
  lab = await consoleLab(program.file);
  lab.startAgent();
  const isOff = path.join(lab.dir, "is-off");
  await lab.reserve();
  const left = await lab.open();
  await lab.said(left.id, "ready");
  await lab.api("DELETE", `/consoles/${left.id}`);
  const off = await lab.open({ device: "board-01", off_at_end: true });
  expect(off.off_at_end).toBe(true);
  await lab.said(off.id, "ready");
  expect(existsSync(isOff)).toBe(false);
  await lab.api("DELETE", "/reservations/board-01");
  await until(() => existsSync(isOff));
});

test("the device's programs have the environment that the lab gives to the worker's jobs", async () => {
  lab = await consoleLab(program.file);
  const found = path.join(lab.dir, "found");
  await lab.putDevice({ power_on: `sh -c 'echo "$LAB_WORD $GONE_WORD" > ${found}'` });
  const env = "overrides: {LAB_WORD: hello}\nremoves: [GONE_WORD]\n";
  await lab.api("PUT", "/workers/bench/texts/env", env);
  lab.startAgent(lab.url, { LAB_WORD: "no", GONE_WORD: "gone" });
  await lab.reserve();
  const { id } = await lab.open();
  await lab.said(id, "ready");
  await lab.api("POST", `/consoles/${id}/power`, { power: "on" });
  await lab.said(id, "[power on: done]");
  expect(readFileSync(found, "utf8")).toBe("hello \n");
});
