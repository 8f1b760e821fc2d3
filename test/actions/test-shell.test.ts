import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { journalSum } from "../../worker/actions/test/journal-lines.ts";
import { definitionTest } from "../../worker/actions/test/test-shell.ts";
import { Console } from "../../worker/console/console.ts";
import { ptyTransport } from "../../worker/drivers/pty-transport.ts";
import {
  consoleSlot,
  overlaySlot,
  promptsSlot,
  type OverlayDefinition,
} from "../../worker/pipeline/job-slots.ts";
import { aJobContext, run, type Ran } from "../support/plan-of.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-test-shell-"));
afterAll(() => rmSync(dir, { recursive: true }));
const open: Console[] = [];
afterEach(async () => {
  for (const console of open.splice(0)) await console.close();
});

const definition = (more: Partial<OverlayDefinition> = {}): OverlayDefinition => ({
  testrunId: "0_demo",
  uuid: "7_1.1.2.1",
  from: "inline",
  repository: "inline",
  path: "demo.yaml",
  revision: undefined,
  commitId: undefined,
  pattern: undefined,
  fixupdict: undefined,
  expected: undefined,
  ...more,
});

/**
 * Runs the test shell against a DUT that is a real shell at a prompt, whose test runner prints what is
 * given: for what a real test runner on a good DUT does not print.
 */
async function runTests(
  printed: string,
  { definitions = [definition()], expectExit = true, isDeployed = true } = {},
): Promise<Ran> {
  const file = path.join(dir, "printed");
  writeFileSync(file, `${printed}\n`);
  const script = `
    # A console as getty leaves it, which echoes.
    stty sane
    prompt() { printf '${isDeployed ? "dut# " : "lava-test: # "}'; }
    prompt
    while read -r line; do
      case "$line" in
        *environment*) printf '<LAVA_SIGNAL_RETRUNCODE 0>\\n' ;;
        */bin/lava-test-runner*) cat '${file}'
          ${expectExit ? "echo '<LAVA_TEST_RUNNER EXIT>'" : "exit 1"} ;;
      esac
      prompt
    done`;
  const transport = await ptyTransport(["/bin/sh", "-c", script]);
  const job = aJobContext({ actions: [{ test: { definitions: [] } }] });
  const block = definitionTest.action(
    { definitions: [] },
    { job, namespace: "common", overlayTests: [], hasShell: true, stage: 0 },
  );
  return run(
    {
      name: "block",
      steps: [
        {
          name: "prepare",
          gives: [consoleSlot],
          run: async ({ slots, log: records }) => {
            const console = new Console(transport, {
              log: (level, text) => records.write(level, text),
            });
            open.push(console);
            slots.put(consoleSlot, console);
            if (!isDeployed) return;
            slots.put(promptsSlot, ["dut# "]);
            slots.put(overlaySlot, {
              lavaDir: "/lava-7",
              shell: "/bin/sh",
              root: "",
              sourceDir: "",
              stages: [definitions],
            });
          },
        },
        block,
      ],
    },
    { job: { ...job, definition: { ...job.definition, actions: [{ boot: { method: "qemu" } }] } } },
  );
}

const started = "<LAVA_SIGNAL_STARTRUN 0_demo 7_1.1.2.1>";
const ended = "<LAVA_SIGNAL_ENDRUN 0_demo 7_1.1.2.1>";
const cases = ({ results }: Ran, suite = "0_demo"): Record<string, unknown>[] =>
  results.filter((record) => record["definition"] === suite);

describe("the test shell's signals", () => {
  test("become results with set, measurement, units and lines of the log", async () => {
    const ran = await runTests(`${started}
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=plain RESULT=pass>
<LAVA_SIGNAL_STARTTC timed>
output of the case
<LAVA_SIGNAL_ENDTC timed>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=timed RESULT=fail UNITS=s MEASUREMENT=1.5>
<LAVA_SIGNAL_TESTSET START group>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=inside RESULT=SKIP>
<LAVA_SIGNAL_TESTREFERENCE ref pass http://example.com/x>
<LAVA_SIGNAL_TESTSET STOP>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=outside RESULT=unknown>
${ended}`);
    expect(ran.outcome.result).toBe("pass");
    const [plain, timed, inside, reference, outside] = cases(ran);
    expect(plain).toMatchObject({ case: "plain", result: "pass" });
    expect(timed).toMatchObject({ case: "timed", result: "fail", measurement: 1.5, units: "s" });
    expect(ran.records[Number(timed?.["starttc"])]?.msg).toBe("<LAVA_SIGNAL_STARTTC timed>");
    expect(ran.records[Number(timed?.["endtc"])]?.msg).toBe("<LAVA_SIGNAL_ENDTC timed>");
    expect(inside).toMatchObject({ case: "inside", result: "skip", set: "group" });
    expect(reference).toMatchObject({
      case: "ref",
      reference: "http://example.com/x",
      set: "group",
    });
    expect(outside).not.toHaveProperty("set");
    expect(cases(ran, "lava").find((record) => record["case"] === "0_demo")).toMatchObject({
      result: "pass",
      uuid: "7_1.1.2.1",
      revision: "unspecified",
    });
  });

  test("in a shell's trace are not counted: the command's own output is", async () => {
    const ran = await runTests(`${started}
+ echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=once RESULT=pass>'
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=once RESULT=pass>
+ ec[    4.815162] random: crng init done
ho '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=torn RESULT=pass>'
${ended}`);
    expect(cases(ran)).toHaveLength(1);
  });

  test("that are wrong are dropped with a word in the log, and the job goes on", async () => {
    const ran = await runTests(`${started}
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=two words RESULT=pass>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=odd RESULT=perhaps>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=nan RESULT=pass MEASUREMENT=fast>
<LAVA_SIGNAL_TESTCASE RESULT=pass>
<LAVA_SIGNAL_NONSENSE word>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=good RESULT=pass>
${ended}`);
    expect(ran.outcome.result).toBe("pass");
    expect(cases(ran).map((record) => record["case"])).toEqual(["good"]);
    expect(ran.messages.filter((text) => text.startsWith("a result was dropped"))).toHaveLength(4);
  });

  test("of results in one burst are all recorded, in order", async () => {
    const burst = Array.from(
      { length: 5000 },
      (_, n) => `noise ${n}\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=c${n} RESULT=pass>`,
    );
    const ran = await runTests(`${started}\n${burst.join("\n")}\n${ended}`);
    expect(cases(ran).map((record) => record["case"])).toEqual(burst.map((_, n) => `c${n}`));
  });

  test("that raise an error end the job as the test's fault", async () => {
    const ran = await runTests(`${started}\n<LAVA_SIGNAL_TESTRAISE out of cheese>`);
    expect(ran.outcome).toMatchObject({ error_type: "Test", error_msg: "out of cheese" });
  });

  test("before any run began are the test's fault", async () => {
    const ran = await runTests("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=early RESULT=pass>");
    expect(ran.outcome.error_type).toBe("Test");
  });

  test("that were cut off take no other along", async () => {
    const ran = await runTests(`${started}
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=cut RES
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=next RESULT=pass>
<LAVA_SIGNAL_TESTRAISE 1 < 2 is not
so>`);
    expect(cases(ran).map((record) => record["case"])).toEqual(["next"]);
    expect(ran.outcome.error_msg).toBe("1 < 2 is not\nso");
  });

  test("after a run's end count for it: something in its background still reports", async () => {
    const ran = await runTests(
      `${started}\n${ended}\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=late RESULT=pass>`,
    );
    expect(ran.outcome.result).toBe("pass");
    expect(cases(ran).map((record) => record["case"])).toEqual(["late"]);
  });

  test("of an event are logged as one", async () => {
    const ran = await runTests(`${started}\n<LAVA_SIGNAL_TESTEVENT reboot now>\n${ended}`);
    expect(ran.records.find(({ lvl }) => lvl === "event")?.msg).toBe("reboot now");
  });
});

describe("a test run", () => {
  test("that never ends is recorded as failed, also when the next one begins", async () => {
    const second = definition({ testrunId: "1_next", uuid: "7_1.1.2.5" });
    const ran = await runTests(
      `${started}
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>
<LAVA_SIGNAL_STARTRUN 1_next 7_1.1.2.5>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=pass>`,
      { definitions: [definition(), second] },
    );
    const runs = cases(ran, "lava").filter((record) => /^\d_/.test(String(record["case"])));
    expect(runs.map((record) => [record["case"], record["result"]])).toEqual([
      ["0_demo", "fail"],
      ["1_next", "fail"],
    ]);
    expect(cases(ran, "1_next")).toHaveLength(1);
  });

  test("whose installation failed fails the job at the end", async () => {
    const ran = await runTests("<LAVA_TEST_RUNNER INSTALL_FAIL>");
    expect(ran.outcome.error_type).toBe("Test");
    expect(cases(ran, "lava")).toContainEqual({
      definition: "lava",
      case: "stage_0",
      result: "fail",
    });
  });

  test("finds results by its own pattern, with its own words for them", async () => {
    const parsing = definition({
      pattern: String.raw`^(?P<test_case_id>[\w-]+): (?P<result>\w+)( (?P<measurement>[\d.]+))?$`,
      fixupdict: { ok: "pass", bad: "fail" },
    });
    const ran = await runTests(
      `before: ok\n${started}\none: ok\ntwo: bad 2.5\nthree: pass\n${ended}\nafter: ok`,
      {
        definitions: [parsing],
      },
    );
    expect(cases(ran)).toMatchObject([
      { case: "one", result: "pass" },
      { case: "two", result: "fail", measurement: 2.5 },
      { case: "three", result: "pass" },
    ]);
    expect(cases(ran)).toHaveLength(3);
  });

  test("that never began is no success, however often the runner is started", async () => {
    const ran = await runTests("nothing");
    expect(ran.outcome.error_type).toBe("Infrastructure");
    // The terminal may echo the next line before the shell has printed its prompt, which then stands before the output.
    expect(ran.messages.filter((text) => /^(?:dut# )*nothing$/.test(text))).toHaveLength(3);
  });

  test("with expected cases fails those that are missing and those that are not expected", async () => {
    const ran = await runTests(
      `${started}
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass>
${ended}`,
      { definitions: [definition({ expected: ["a", "b"] })] },
    );
    expect(cases(ran).map((record) => [record["case"], record["result"]])).toEqual([
      ["a", "pass"],
      ["x", "fail"],
      ["b", "fail"],
    ]);
  });

  test.each([
    "<LAVA_SIGNAL_TEST[   12.345678] usb 1-1: new device\nCASE TEST_CASE_ID=b RESULT=pass> ~9.4.1-2",
    "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RRESULT=pass> ~9.4.1-2~",
  ])(
    "whose DUT goes away tells what came torn, also behind entries that it gave again: %s",
    async (torn) => {
      const line = (number: number, text: string): string =>
        `${text} ~9.${number}.${journalSum(`9.${number} ${text}`)}~`;
      const result = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>";
      const ran = await runTests(
        `${line(0, "<LAVA_JOURNAL STARTS>")}
${line(1, started)}
${line(3, "<LAVA_SIGNAL_TESTSET STOP>")}
${torn}
${line(2, result)}`,
        { expectExit: false },
      );
      expect(cases(ran)).toMatchObject([{ case: "a", result: "pass" }]);
      const journal = cases(ran, "lava").find((record) => record["case"] === "test-journal");
      expect(journal).toMatchObject({ result: "fail", extra: { lost: "4-" } });
    },
  );

  test("whose beginning is lost when its DUT goes away loses its results, and says so", async () => {
    const line = (number: number, text: string): string =>
      `${text} ~9.${number}.${journalSum(`9.${number} ${text}`)}~`;
    const printed = [
      line(0, "<LAVA_JOURNAL STARTS>"),
      line(1, started),
      line(2, "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>"),
      line(3, ended),
      line(5, "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=pass>"),
    ];
    const ran = await runTests(printed.join("\n"), { expectExit: false });
    expect(cases(ran).map((record) => record["case"])).toEqual(["a"]);
    const journal = cases(ran, "lava").find((record) => record["case"] === "test-journal");
    expect(journal).toMatchObject({ extra: { lost: "4-5" } });
  });

  test("whose DUT goes away is the lab's fault, and what arrived stands", async () => {
    const ran = await runTests(`${started}\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>`, {
      expectExit: false,
    });
    expect(ran.outcome.error_type).toBe("Infrastructure");
    expect(cases(ran)).toHaveLength(1);
  });
});

test("a DUT that has its overlay from elsewhere, and no prompt that the job says, is tested as in LAVA", async () => {
  const { outcome, messages } = await runTests("<LAVA_SIGNAL_TESTEVENT hello>", {
    isDeployed: false,
  });
  expect(outcome, messages.join("\n")).toEqual({ result: "pass" });
  expect(messages).toContain("/lava-7/bin/lava-test-runner /lava-7/0");
});
