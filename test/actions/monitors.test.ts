import { describe, expect, test } from "vitest";
import type { TestBlock } from "#protocol/job-actions.ts";
import { monitorTest } from "../../worker/actions/test/monitors.ts";
import { onConsole } from "../support/on-console.ts";
import { aJobContext, run, type Ran } from "../support/plan-of.ts";

type Monitor = NonNullable<TestBlock["monitors"]>[number];

const zephyr: Monitor = {
  name: "Kernel Common",
  start: "Booting",
  end: "PROJECT EXECUTION (SUCCESSFUL|FAILED)",
  pattern: "(?P<result>(PASS|FAIL)) - (?P<test_case_id>.*)\\.",
  fixupdict: { PASS: "pass", FAIL: "fail" },
};

/** What the DUT prints by itself, then silence until it is cut off. */
function monitored(printed: string, monitors: Monitor[], connection = 20): Promise<Ran> {
  const job = aJobContext({
    timeouts: { job: { minutes: 1 }, connection: { seconds: connection } },
  });
  const context = { job, namespace: "common", overlayTests: [], hasShell: false, stage: 0 };
  const script = `printf '%b' '${printed.replaceAll("\n", "\\r\\n").replaceAll("'", "'\\''")}'; exec cat`;
  return run(onConsole({ script }, [monitorTest.action({ monitors }, context)]), { job });
}
const cases = (ran: Ran, suite: string) =>
  ran.results.filter(({ definition }) => definition === suite);

describe("a monitor", () => {
  test("turns what matches between its start and its end into results of a suite named after it", async () => {
    const ran = await monitored(
      "PASS - too_early.\nBooting the firmware\nPASS - test add.\nnoise\nFAIL - Test/Sub-2.\nPROJECT EXECUTION SUCCESSFUL\n",
      [zephyr],
    );
    expect(ran.outcome.result).toBe("pass");
    expect(cases(ran, "kernel-common")).toMatchObject([
      { case: "test_add", result: "pass", level: "1.2.1" },
      { case: "test_sub_2", result: "fail" },
    ]);
  });

  test("takes a result that stands in the line that ends it, and an end whose line never ends", async () => {
    const ran = await monitored("Booting\nPASS - one. PASS - two.\nPASS - three. fw> ", [
      { ...zephyr, pattern: "(?P<result>(PASS|FAIL)) - (?P<test_case_id>\\w+)\\.", end: "fw> " },
    ]);
    expect(ran.outcome.result).toBe("pass");
    const names = cases(ran, "kernel-common").map(({ case: name }) => name);
    expect(names).toEqual(["one", "two", "three"]);
  });

  test("measures without a result, which is a pass", async () => {
    const ran = await monitored("Booting\nswitch 12.5 us\nheat 1e3 K\nPROJECT EXECUTION FAILED\n", [
      {
        ...zephyr,
        pattern: "(?P<test_case_id>\\w+) (?P<measurement>[\\d.e]+) (?P<units>\\w+)",
      },
    ]);
    expect(cases(ran, "kernel-common")).toMatchObject([
      { case: "switch", result: "pass", measurement: 12.5, units: "us" },
      { case: "heat", result: "pass", measurement: 1000, units: "K" },
    ]);
  });

  test("whose expected cases did not come, or came unexpected, has failed ones", async () => {
    const ran = await monitored(
      "Booting\nPASS - here.\nPASS - other.\nPROJECT EXECUTION FAILED\n",
      [{ ...zephyr, expected: ["here", "missing"] }],
    );
    expect(cases(ran, "kernel-common")).toMatchObject([
      { case: "here", result: "pass" },
      { case: "other", result: "fail" },
      { case: "missing", result: "fail", extra: { reason: expect.stringContaining("missing") } },
    ]);
  });

  test("that falls silent ends with an error in the log, and the next one begins", async () => {
    const ran = await monitored(
      "Booting\nPASS - one.\nBooting again\nPASS - two.\n",
      [
        { ...zephyr, end: "NEVER" },
        { ...zephyr, name: "second", start: "one|Booting" },
      ],
      1,
    );
    expect(ran.messages.some((text) => text.startsWith("monitor Kernel Common ended:"))).toBe(true);
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Job" });
    expect(ran.outcome.error_msg).toContain("one|Booting");
  });

  test("whose start never comes fails the job", async () => {
    const ran = await monitored("nothing of the kind\n", [zephyr], 1);
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Job" });
  });

  test("drops a result that is none, with a word in the log", async () => {
    const ran = await monitored("Booting\nMAYBE - one.\nPROJECT EXECUTION FAILED\n", [
      { ...zephyr, pattern: "(?P<result>\\w+) - (?P<test_case_id>.*)\\." },
    ]);
    expect(cases(ran, "kernel-common")).toEqual([]);
    expect(ran.messages.some((text) => text.startsWith("a result was dropped"))).toBe(true);
  });

  test("with a pattern that names no case is refused before anything happens", async () => {
    const ran = await monitored("Booting\n", [{ ...zephyr, pattern: "PASS" }]);
    expect(ran.outcome.error_msg).toContain("test_case_id");
    expect(ran.messages.some((text) => text.includes("prepare"))).toBe(false);
  });
});
