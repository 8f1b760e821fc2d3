import { describe, expect, test } from "vitest";
import { DUT_SHELLS, lacksForShells } from "../../beds/noisy/shell-dut.ts";
import type { Ran } from "../../support/plan-of.ts";
import { runOnShell } from "./shell-stage.ts";

const verdicts = ({ results }: Ran, suite: string): string[] =>
  results
    .filter(({ definition }) => definition === suite)
    .map((record) => `${String(record["case"])} ${String(record["result"])}`);

const many = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

describe.skipIf(lacksForShells()).each(DUT_SHELLS)("the test shell under %s", (shell) => {
  test("loses nothing on a line of 1 kernel message in 200 characters, and counts nothing twice", async () => {
    const ran = await runOnShell({
      shell,
      noise: 7,
      steps: many(2).map((part) =>
        many(12).flatMap((at) => [
          `lava-test-case c${part}-${at} --result ${at % 3 === 0 ? "fail" : "pass"}`,
          ...(at === 5 ? ["lava-test-case shell --shell true"] : []),
          ...(at === 6 ? ["echo '<LAVA_SIGNAL_TESTREFERENCE own pass http://example.com/x>'"] : []),
        ]),
      ),
    });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    for (const part of many(2)) {
      // What a test prints itself has no second chance: it may be damaged, the rest may not.
      const found = verdicts(ran, `${part}_t${part}`).filter((text) => !text.startsWith("own"));
      expect(found).toEqual(
        many(12).flatMap((at) => [
          `c${part}-${at} ${at % 3 === 0 ? "fail" : "pass"}`,
          ...(at === 5 ? ["shell pass"] : []),
        ]),
      );
    }
    expect(verdicts(ran, "lava")).toEqual(expect.arrayContaining(["0_t0 pass", "1_t1 pass"]));
    expect(verdicts(ran, "lava").join()).not.toContain("test-journal");
  });

  test("takes signals of many processes at once, and those that tests print", async () => {
    const ran = await runOnShell({
      shell,
      more: { parse: { pattern: "^(?P<test_case_id>\\S+): (?P<result>pass|fail)$" } },
      steps: [
        [
          "echo 'first: pass'",
          ...many(5).map(
            (at) => `for n in 1 2 3 4 5; do lava-test-case p${at}-$n --result pass; done &`,
          ),
          "wait",
          "echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=own RESULT=fail>'",
          "echo 'last: fail'",
        ],
      ],
    });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    const found = verdicts(ran, "0_t0");
    expect([found[0], ...found.slice(-2)]).toEqual(["first pass", "own fail", "last fail"]);
    const expected = many(5).flatMap((at) => [1, 2, 3, 4, 5].map((n) => `p${at}-${n} pass`));
    expect(found.slice(1, -2).toSorted()).toEqual(expected);
  });

  test("is not to be interrupted by noise where it may be asked in the middle of tests", async () => {
    const look = "if stty -a | grep -q -e '-isig'; then echo deaf; else echo hears; fi";
    const ran = await runOnShell({ shell, steps: [[look]] });
    expect(ran.outcome.result).toBe("pass");
    const isAsked = ran.messages.some((text) => text.includes("<LAVA_JOURNAL STARTS POLLS>"));
    expect(isAsked).toBe(shell !== "dash");
    expect(ran.messages).toContain(isAsked ? "deaf" : "hears");
  });

  test("takes no signal of its tests' that is torn: its words may be anybody's", async () => {
    const torn = [
      "<LAVA_SIGNAL_TESTREFERENCE one facpufreq: CPU0: freq 1200000 kHz > max",
      "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=t\u{fffd}o RESULT=pass>",
      "<LAVA_SIGNAL_TESTSET START grofirmware: loading <brcm/brcmfmac43430-sdio.txt>",
    ];
    const ran = await runOnShell({
      shell,
      steps: [[...torn.map((text) => `echo '${text}'`), "lava-test-case a --result pass"]],
    });
    expect(ran.outcome.result).toBe("pass");
    expect(verdicts(ran, "0_t0")).toEqual(["a pass"]);
    expect(ran.results.some((one) => "set" in one)).toBe(false);
    expect(
      ran.messages.filter((text) => text.startsWith("a signal that is not whole")),
    ).toHaveLength(3);
  });

  test("prints plain signals for what its sum can't hold, and where the journal is off", async () => {
    const long = "x".repeat(1500);
    const steps = [[`lava-test-case grüße --result pass`, `lava-test-case ${long} --result skip`]];
    const on = await runOnShell({ shell, steps });
    const off = await runOnShell({ shell, steps, environment: { LAVA_JOURNAL: "off" } });
    for (const ran of [on, off]) {
      expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
      expect(verdicts(ran, "0_t0")).toEqual(["grüße pass", `${long} skip`]);
    }
    expect(off.messages.join("\n")).toContain("<LAVA_JOURNAL OFF>");
  });

  test("gives on a clean line what LAVA's gives, and answers at once", async () => {
    const ran = await runOnShell({
      shell,
      steps: [["lava-test-set start s", "lava-test-case a --result pass", "lava-test-set stop"]],
    });
    expect(ran.outcome).toEqual({ result: "pass" });
    const record = ran.results.find((one) => one["case"] === "a");
    expect(record).toMatchObject({ definition: "0_t0", result: "pass", set: "s" });
    const line = ran.records[Number(record?.["starttc"])]?.msg;
    expect(line).toMatch(/^<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass> ~\d+\.3\.[\d-]+~$/);
    // At the start and at the end: one definition needs no other.
    expect(ran.messages.filter((text) => text.startsWith("#LAVA_JOURNAL"))).toHaveLength(2);
  });

  test("goes on, and comes to its end, when its journal is taken away", async () => {
    const ran = await runOnShell({
      shell,
      steps: [
        ["lava-test-case a --result pass", 'rm -rf "$LAVA_JOURNAL"'],
        ["lava-test-case b --result pass"],
      ],
    });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    expect(verdicts(ran, "0_t0")).toEqual(["a pass"]);
    expect(verdicts(ran, "1_t1")).toEqual(["b pass"]);
  });

  test("goes on without the lab when somebody who runs it by hand says so", async () => {
    const byHand = [
      "mkdir -p own/t",
      'echo "$PWD/own/t" >own/lava-test-runner.conf',
      "echo 'echo by hand' >own/t/run.sh",
      'printf "off\\n" | LAVA_JOURNAL= lava-test-runner "$PWD/own"',
    ];
    const ran = await runOnShell({ shell, steps: [byHand] });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    expect(ran.messages).toContain("by hand");
    // Its own end is not awaited.
    expect(ran.messages.filter((text) => text.startsWith("<LAVA_JOURNAL ENDS>"))).toHaveLength(1);
  });
});
