import { describe, expect, test } from "vitest";
import { pduReboot } from "../../../worker/actions/power/power-actions.ts";
import { resetDevice } from "../../../worker/actions/power/reset-device.ts";
import type { Action, JobContext } from "../../../worker/pipeline/action.ts";
import { consoleSlot } from "../../../worker/pipeline/job-slots.ts";
import { onConsole } from "../../support/on-console.ts";
import { aJobContext, run } from "../../support/plan-of.ts";

function aJob(commands: Record<string, unknown>): JobContext {
  const job = aJobContext();
  return { ...job, device: { ...job.device, commands } };
}

const await_ = (name: string, pattern: RegExp): Action => ({
  name,
  run: async ({ slots, signal }) => {
    const wait = { timeoutSeconds: 1, signal };
    await slots.take(consoleSlot).expect({ it: pattern }, wait);
  },
});

describe("a soft reboot", () => {
  /** Echoes what is typed until it is told to reboot for real. */
  const dut = `while read -r line; do
    echo "typed: $line"
    [ "$line" != "reboot -nf" ] || { echo "The system is going down for reboot NOW!"; }
  done`;

  test("types the usual commands until the DUT says that it goes down", async () => {
    const job = aJob({ connect: "x" });
    const { outcome, messages, results } = await run(
      onConsole({ script: dut }, [resetDevice(job)]),
      { job },
    );
    expect(outcome.result, messages.join("\n")).toBe("pass");
    const typed = messages.filter((line) => line.startsWith("typed: "));
    expect(typed).toEqual(["typed: reboot", "typed: reboot -n", "typed: reboot -nf"]);
    const result = results.find(({ case: name }) => name === "send-reboot-commands");
    expect(result).toMatchObject({ extra: { commands: ["reboot", "reboot -n", "reboot -nf"] } });
  });

  test("types the device's command, and the job's rather than that", async () => {
    const script = `read -r line; echo "got $line"; echo "going down"; read -r line`;
    const job = aJob({ soft_reboot: "adb reboot" });
    const block = { parameters: { "shutdown-message": "going down" } };
    const ofDevice = await run(onConsole({ script }, [resetDevice(job, block)]), { job });
    expect(ofDevice.messages).toContain("got adb reboot");
    const own = { ...block, soft_reboot: ["shutdown -r now"] };
    const ofJob = await run(onConsole({ script }, [resetDevice(job, own)]), { job });
    expect(ofJob.messages).toContain("got shutdown -r now");
    expect(ofJob.outcome.result).toBe("pass");
  });

  test("that the DUT does not mention fails with what it said instead", async () => {
    const job = { ...aJob({}), definition: { ...aJob({}).definition } };
    job.definition.timeouts = {
      job: { minutes: 1 },
      actions: { "send-reboot-commands": { seconds: 1 } },
    };
    const script = `while read -r line; do echo "sh: reboot: not found"; done`;
    const { outcome, messages } = await run(onConsole({ script }, [resetDevice(job)]), { job });
    expect(outcome).toMatchObject({ result: "fail", error_type: "Job" });
    expect(`${outcome.error_msg}\n${messages.join("\n")}`).toContain("sh: reboot: not found");
  });
});

describe("a hard reset", () => {
  test("forgets the prompt from before, not what comes while the power is switched", async () => {
    const job = aJob({ hard_reset: "true" });
    const before = onConsole({ script: `echo "old => "; read -r line` }, [
      { ...await_("seen", /old /g) },
      pduReboot,
      await_("stale", /=> /g),
    ]);
    const { outcome } = await run(before, { job });
    expect(outcome.error_msg).toMatch(/wait for prompt timed out after 1 s: awaited \/=> \//);
  });
});
