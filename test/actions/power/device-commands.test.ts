import { existsSync, mkdtempSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { jobVariables } from "../../../worker/actions/power/device-commands.ts";
import { powerOff, powerOn, pduReboot } from "../../../worker/actions/power/power-actions.ts";
import { resetDevice } from "../../../worker/actions/power/reset-device.ts";
import { userCommand } from "../../../worker/actions/command/user-command.ts";
import { finalize } from "../../../worker/actions/finalize.ts";
import type { Action, JobContext } from "../../../worker/pipeline/action.ts";
import { JobFailure } from "../../../worker/pipeline/job-failure.ts";
import { aJobContext, run } from "../../support/plan-of.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-power-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => path.join(folder, name);
const lines = (name: string): string[] => readFileSync(at(name), "utf8").trim().split("\n");
/** A command that leaves its mark in a file. */
const mark = (word: string): string => `sh -c 'echo ${word} >> ${at("log")}'`;

function aJob(commands: Record<string, unknown>, secrets: Record<string, string> = {}): JobContext {
  const job = aJobContext({ secrets });
  return { ...job, device: { ...job.device, commands } };
}
const resultOf = (results: Record<string, unknown>[], name: string) =>
  results.find((result) => result["case"] === name);

describe("a device's commands", () => {
  test("are run in turn, their output in the log, without a shell", async () => {
    const job = aJob({ power_off: ["echo one; echo two", `touch ${at("$HOME")}`] });
    const { outcome, messages, results } = await run(powerOff, { job });
    expect(outcome.result).toBe("pass");
    expect(messages).toContain(">> one; echo two");
    expect(existsSync(at("$HOME"))).toBe(true);
    expect(resultOf(results, "power-off")).toMatchObject({ result: "pass" });
  });

  test("one that fails stops the list and is the lab's fault", async () => {
    const job = aJob({
      hard_reset: [mark("off"), `sh -c "echo no such outlet; exit 3"`, mark("on")],
    });
    const { outcome } = await run(pduReboot, { job });
    expect(outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(outcome.error_msg).toBe(
      `Unable to reboot: 'sh -c "echo no such outlet; exit 3"' failed: exit code 3; it said last: no such outlet`,
    );
    expect(lines("log")).toEqual(["off"]);
  });

  test("power on comes after what has to be done before", async () => {
    const job = aJob({ power_on: mark("on"), pre_power_command: mark("before") });
    expect((await run(powerOn, { job })).outcome.result).toBe("pass");
    expect(lines("log")).toEqual(["before", "on"]);
  });

  test("a device without power_off keeps its power, and that is well", async () => {
    const { outcome, results } = await run(powerOff, { job: aJob({ connect: "true" }) });
    expect(outcome.result).toBe("pass");
    expect(resultOf(results, "power-off")).toMatchObject({ result: "pass" });
    const { results: none } = await run(powerOff);
    expect(resultOf(none, "power-off")).toBeUndefined();
  });

  test("know the job's number and its secrets", async () => {
    const job = aJob(
      { power_on: `sh -c 'echo $LAVA_JOB_ID $TOKEN > ${at("env")}'` },
      { TOKEN: "s3" },
    );
    await run(powerOn, { job });
    expect(lines("env")).toEqual(["7 s3"]);
  });

  test("a secret can't change how the lab's own programs run", () => {
    const secrets = {
      LD_PRELOAD: "/tmp/x.so",
      PATH: "/tmp",
      PYTHONPATH: "/tmp",
      "A B": "x",
      OK: "1",
    };
    expect(jobVariables(aJob({}, secrets))).toEqual({ LAVA_JOB_ID: "7", OK: "1" });
  });

  test("a program that is not there is found out before anything is switched", async () => {
    const job = aJob({ hard_reset: [mark("off"), "/nonexistent/pdu --on"] });
    const { outcome } = await run(pduReboot, { job });
    expect(outcome.error_msg).toMatch(
      /^Cannot find command '\/nonexistent\/pdu' in \$PATH: .*doctor/,
    );
    expect(existsSync(at("log"))).toBe(false);
  });

  test("so is a native driver that there isn't, and a command that is none", async () => {
    const native = await run(pduReboot, { job: aJob({ hard_reset: "pumice-power nope a 1 on" }) });
    expect(native.outcome.error_msg).toMatch(
      /commands.hard_reset: pumice-power: there is no driver "nope" \(there are gpio, /,
    );
    const mapping = await run(pduReboot, { job: aJob({ hard_reset: { do: "x" } }) });
    expect(mapping.outcome).toMatchObject({
      error_type: "Configuration",
      error_msg: `commands.hard_reset of the device: expected a command or a list of commands, not {"do":"x"}`,
    });
  });

  test("what only a shell would understand is warned of", async () => {
    const { messages } = await run(powerOff, { job: aJob({ power_off: "echo off; echo later" }) });
    expect(messages.join("\n")).toMatch(
      /no shell runs "echo off; echo later", so "off;" is an argument of echo/,
    );
  });

  test("a password in one is not in the log", async () => {
    const job = aJob({ power_on: "pumice-power tasmota http://u:hush@127.0.0.1:9 1 on" });
    const { outcome, messages } = await run(powerOn, { job });
    expect(outcome.error_msg).toMatch(
      /^Unable to power-on: 'pumice-power tasmota http:\/\/\*\*\*@127/,
    );
    expect(messages.join("\n")).not.toContain("hush");
  });
});

describe("reset-device", () => {
  test("is by power where that can be had, else by words", () => {
    const names = (commands: Record<string, unknown>) =>
      resetDevice(aJob(commands)).steps?.map(({ name }) => name);
    expect(names({ hard_reset: "true" })).toEqual(["pdu-reboot"]);
    expect(names({ soft_reboot: "reboot" })).toEqual(["send-reboot-commands"]);
  });
});

describe("command", () => {
  const command = (name: string, job: JobContext): Action =>
    userCommand.action(
      { name },
      { job, namespace: "common", overlayTests: [], hasShell: false, stage: 0 },
    );

  test("what it did is undone when the job ends, also when it failed", async () => {
    const fails = `sh -c 'echo do >> ${at("log")}; exit 1'`;
    const users = { relay: { do: [mark("first"), fails], undo: mark("undo") } };
    const job = aJob({ users });
    const { outcome } = await run(command("relay", job), { job });
    expect(outcome).toMatchObject({ error_type: "Infrastructure" });
    expect(lines("log")).toEqual(["first", "do", "undo"]);
  });

  test("what it did is undone when the job is cancelled meanwhile", async () => {
    const cancel = new AbortController();
    const watcher = watch(folder, () => {
      // The file is there before what is written into it.
      if (!existsSync(at("log")) || !lines("log").includes("do")) return;
      cancel.abort(new JobFailure("Canceled", "The job was canceled"));
    });
    try {
      const script = `sh -c 'echo do >> ${at("log")}; sleep 60'`;
      const job = aJob({ users: { relay: { do: script, undo: mark("undo") } } });
      const signals = { cancel: cancel.signal, cancelAgain: new AbortController().signal };
      const { outcome } = await run(command("relay", job), { job, signals });
      expect(outcome).toMatchObject({ error_type: "Canceled" });
      expect(lines("log")).toEqual(["do", "undo"]);
    } finally {
      watcher.close();
    }
  });

  test("an undo that fails fails the job", async () => {
    const job = aJob({ users: { relay: { do: "true", undo: "false" } } });
    const { outcome, messages } = await run(command("relay", job), { job });
    expect(outcome).toMatchObject({
      error_type: "Infrastructure",
      error_msg: "Failed to clean after job",
    });
    expect(messages.join("\n")).toContain(
      "Unable to undo command relay: 'false' failed: exit code 1",
    );
  });

  test("the lab's own commands have names of their own", async () => {
    const job = aJob({ hard_reset: mark("reset"), recovery_mode: mark("recovery") });
    await run(command("hard_reset", job), { job });
    await run(command("recovery_mode", job), { job });
    await run(command("stop_test_services", job), { job });
    expect(lines("log")).toEqual(["reset", "recovery"]);
  });

  test("an unknown one is refused with what there is", async () => {
    const job = aJob({ power_off: "true", users: { blink: { do: "true" } } });
    const { outcome } = await run(command("power_of", job), { job });
    expect(outcome.error_msg).toMatch(
      /the device has no command power_of \(it has power_off, stop_test_services, blink\); did you mean power_off\?/,
    );
  });
});

describe("the end of a job", () => {
  test("switches the device off, and says when it can't", async () => {
    const ends = finalize(["common"]);
    await run({ name: "work" }, { job: aJob({ power_off: mark("off") }), finalize: ends });
    expect(lines("log")).toEqual(["off"]);
    const { outcome, messages } = await run(
      { name: "work" },
      { job: aJob({ power_off: "/nonexistent/pdu" }), finalize: ends },
    );
    expect(outcome.result).toBe("pass");
    expect(messages.join("\n")).toMatch(/power-off will fail: Cannot find command/);
    expect(messages.join("\n")).toMatch(/finalize: Unable to power-off|finalize: Cannot find/);
  });
});
