import { describe, expect, test } from "vitest";
import type { TestBlock } from "#protocol/job-actions.ts";
import { interactiveTest } from "../../worker/actions/test/interactive.ts";
import { onConsole } from "../support/on-console.ts";
import { aJobContext, run, type Ran } from "../support/plan-of.ts";
import { acked, aMember, standInGroup, type StandInGroup } from "../support/stand-in-group.ts";

type Script = NonNullable<TestBlock["interactive"]>[number];

/** A DUT at a prompt that echoes what is typed, as a bootloader does. */
const dut = `printf '=> '
while read -r line; do
  printf '%s\\r\\n' "$line"
  case "$line" in
    version) printf 'U-Boot 2026.01 (board x)\\r\\n' ;;
    'tftp '*) printf 'Bytes transferred = 64\\r\\n' ;;
    bad*) printf 'Unknown command\\r\\n' ;;
    hang) printf 'gone\\r\\n'; exec cat >/dev/null ;;
    bye) exit ;;
  esac
  printf '=> '
done`;

function typed(
  script: Script["script"],
  more: Partial<Script> = {},
  timeout = 30,
  group?: StandInGroup,
): Promise<Ran> {
  const definition = {
    timeouts: { job: { minutes: 1 }, action: { seconds: timeout }, connection: { seconds: 20 } },
    ...(group ? aMember() : {}),
  };
  const job = { ...aJobContext(definition), group };
  const interactive = [{ name: "uboot", prompts: ["=> "], script, ...more }];
  const context = { job, namespace: "common", overlayTests: [], hasShell: false, stage: 2 };
  const placeholders = { RAMDISK: "tftp/ramdisk.cpio" };
  const action = interactiveTest.action({ interactive }, context);
  return run(onConsole({ script: dut, placeholders }, [action]), { job });
}
const cases = (ran: Ran, suite = "2_uboot") =>
  ran.results.filter(({ definition }) => definition === suite);
const inputs = (ran: Ran) =>
  ran.records.filter(({ lvl }) => lvl === "input").map(({ msg }) => String(msg));

describe("an interactive script", () => {
  test("passes a command whose prompt comes, and is a case of its own", async () => {
    const ran = await typed([{ command: null }, { command: "help", name: "help" }]);
    expect(ran.outcome.result).toBe("pass");
    expect(cases(ran)).toMatchObject([{ case: "help", result: "pass", level: "1.2.1" }]);
    expect(cases(ran, "lava")).toContainEqual(
      expect.objectContaining({ case: "2_uboot", result: "pass", namespace: "common" }),
    );
  });

  test("wants one of the successes when there are some: a prompt alone is a failure", async () => {
    const ran = await typed([
      { command: null },
      { command: "version", name: "v", successes: [{ message: "U-Boot \\d+" }] },
      { command: "help", name: "no", successes: [{ message: "U-Boot \\d+" }] },
    ]);
    expect(cases(ran)).toMatchObject([
      { case: "v", result: "pass" },
      { case: "no", result: "fail" },
    ]);
  });

  test("takes what a success named into the next commands, beside what the bootloader knew", async () => {
    const ran = await typed([
      { command: null },
      { command: "version", name: "v", successes: [{ message: "U-Boot (?P<year>\\d{4})" }] },
      { command: "tftp {year} {RAMDISK} {JOB_ID} {UNKNOWN}" },
    ]);
    expect(inputs(ran)).toContain("tftp 2026 tftp/ramdisk.cpio 7 {UNKNOWN}");
  });

  test("fails the job as a failure's exception says, with its error", async () => {
    const failures = [
      { message: "Unknown command", exception: "InfrastructureError" as const, error: "no such" },
    ];
    const ran = await typed([{ command: null }, { command: "bad", name: "bad", failures }]);
    expect(ran.outcome).toMatchObject({ error_type: "Infrastructure", error_msg: "no such" });
    expect(cases(ran)).toMatchObject([{ case: "bad", result: "fail" }]);
    expect(cases(ran, "lava")).toContainEqual(
      expect.objectContaining({ case: "2_uboot", result: "fail" }),
    );
  });

  test("fails the job for a command without a name, and goes on after one with a name", async () => {
    const failures = [{ message: "Unknown command" }];
    const named = await typed([
      { command: null },
      { command: "bad", name: "bad", failures },
      { command: "help", name: "after" },
    ]);
    expect(cases(named).map(({ case: name, result }) => [name, result])).toEqual([
      ["bad", "fail"],
      ["after", "pass"],
    ]);
    const unnamed = await typed([{ command: null }, { command: "bad 2", failures }]);
    expect(unnamed.outcome).toMatchObject({
      error_type: "Test",
      error_msg: "Failed to run command 'bad 2'",
    });
  });

  test("does not take the echo of a command for its answer when echoes are discarded", async () => {
    const step = { command: "say U-Boot 2026", name: "v", successes: [{ message: "U-Boot" }] };
    const fooled = await typed([{ command: null }, step]);
    expect(cases(fooled)).toMatchObject([{ result: "pass" }]);
    const careful = await typed([{ command: null }, step], { echo: "discard" });
    expect(cases(careful)).toMatchObject([{ result: "fail" }]);
  });

  test("ends with the test's fault when nothing comes, and with the lab's when the line is cut", async () => {
    const hung = await typed([{ command: null }, { command: "hang", name: "h" }], {}, 1);
    expect(hung.outcome).toMatchObject({ result: "fail", error_type: "Test" });
    const cut = await typed([{ command: null }, { command: "bye", name: "b" }]);
    expect(cut.outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
  });

  test("says which expected cases it missed", async () => {
    const ran = await typed([{ command: null }, { command: "help", name: "here" }], {
      expected: ["here", "there"],
    });
    expect(cases(ran)).toMatchObject([
      { case: "here", result: "pass" },
      { case: "there", result: "fail" },
    ]);
  });

  test("refuses what it can't do before anything happens", async () => {
    const multinode = await typed([{ "lava-sync": "go" }]);
    expect(multinode.outcome.error_msg).toContain("lava-sync: this is no multinode job");
    const regex = await typed([{ command: "x", successes: [{ message: "(" }] }]);
    expect(regex.outcome.error_type).toBe("Test");
  });
});

describe("an interactive script of a multinode job", () => {
  const inGroup = (group: StandInGroup, script: Script["script"], timeout = 30) =>
    typed(script, {}, timeout, group);

  test("sends and waits, and others' values stand in for their keys in its commands", async () => {
    const group = standInGroup({
      answers: (call) => (call.op === "wait" ? acked({ "8": { file: "kernel" } }) : acked({})),
    });
    const ran = await inGroup(group, [
      { command: null },
      { "lava-send": "ready port=69 note=two words" },
      { "lava-wait": "server" },
      { "lava-wait-all": "all role=server" },
      { "lava-sync": "go", command: "tftp {file}", name: "load" },
    ]);
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    expect(inputs(ran)).toContain("tftp kernel");
    const data = new Map([
      ["port", "69"],
      ["note", "two words"],
    ]);
    expect(group.calls).toEqual([
      { op: "send", id: "ready", data },
      { op: "wait", id: "server" },
      { op: "wait-all", id: "all", role: "server" },
      { op: "sync", id: "go" },
    ]);
    // Only the action's own time counts.
    expect(group.seconds).toEqual([90, 30, 30, 30, 30]);
  });

  test("ends as the test's fault when it can't be had, or not in the action's time", async () => {
    const nack = standInGroup({ answers: () => ({ kind: "nack", message: "nobody has sent it" }) });
    const refused = await inGroup(nack, [{ command: null }, { "lava-wait-all": "all" }]);
    expect(refused.outcome).toMatchObject({
      error_type: "Test",
      error_msg: "lava-wait-all all: nobody has sent it",
    });
    const late = standInGroup({ answers: () => ({ kind: "timeout" }) });
    const timedOut = await inGroup(late, [{ command: null }, { "lava-wait": "m" }], 5);
    expect(timedOut.outcome).toMatchObject({ error_type: "Test" });
  });

  test("wants a role by its name behind lava-wait-all", async () => {
    const ran = await inGroup(standInGroup(), [{ "lava-wait-all": "all server" }]);
    expect(ran.outcome.error_msg).toContain("expected role=ROLE behind all");
  });
});
