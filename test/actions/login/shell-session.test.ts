import { expect, test } from "vitest";
import { loginSteps } from "../../../worker/actions/login/login.ts";
import { exportDeviceEnv } from "../../../worker/actions/login/shell-session.ts";
import type { Action } from "../../../worker/pipeline/action.ts";
import { consoleSlot } from "../../../worker/pipeline/job-slots.ts";
import { onConsole } from "../../support/on-console.ts";
import { aJobContext, run } from "../../support/plan-of.ts";

/** A DUT that shows a prompt and obeys, as a shell on a terminal does; its first prompt is on the console already. */
const SHELL = `while printf 'dut# '; read -r line; do eval "$line"; done`;

const type = (line: string, awaited: RegExp): Action => ({
  name: "ask",
  run: async ({ connection, signal }) => {
    const console = connection.take(consoleSlot);
    await console.sendLine(line);
    await console.expect({ answer: awaited }, { timeoutSeconds: 20, signal });
  },
});

test("the shell knows where its root file system is on NFS", async () => {
  const placeholders = { NFSROOTFS: "/srv/it's", NFS_SERVER_IP: "10.0.0.1", KERNEL: "" };
  const dut = { script: SHELL, prompts: ["dut# "], placeholders };
  const ask = type('echo "<$NFS_ROOTFS|$NFS_SERVER_IP>"', /<\/srv\/it's\|10\.0\.0\.1>/g);
  const { outcome, messages } = await run(onConsole(dut, [exportDeviceEnv, ask]));
  expect(outcome, messages.join("\n")).toEqual({ result: "pass" });
});

test("without NFS and without variables of the lab nothing is typed", async () => {
  const dut = { script: SHELL, prompts: ["dut# "], placeholders: { NFSROOTFS: "" } };
  const { outcome, records } = await run(onConsole(dut, [exportDeviceEnv]));
  expect(outcome).toEqual({ result: "pass" });
  expect(records.filter(({ lvl }) => lvl === "input")).toEqual([]);
});

test("a method that always ends in a shell does so without a test that wants one", () => {
  const { job, ...context } = {
    job: aJobContext(),
    namespace: "common",
    overlayTests: [],
    stage: 0,
  };
  const names = (alwaysShell: boolean): string[] =>
    loginSteps(
      { method: "kexec", prompts: ["dut# "] },
      { ...context, job, hasShell: false },
      { alwaysShell },
    ).map(({ name }) => name);
  expect(names(false)).toEqual(["auto-login-action"]);
  expect(names(true)).toEqual([
    "auto-login-action",
    "expect-shell-connection",
    "export-device-env",
  ]);
});
