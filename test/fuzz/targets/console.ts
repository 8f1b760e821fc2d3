import { journalSum } from "../../../worker/actions/test/journal-lines.ts";
import { readStage } from "../../../worker/actions/test/read-stage.ts";
import { SignalReader } from "../../../worker/actions/test/signal-reader.ts";
import { Console } from "../../../worker/console/console.ts";
import type { Transport } from "../../../worker/console/transport.ts";
import { kernelReportsOf } from "../../../worker/kernel/console-kernel.ts";
import type { OverlayDefinition } from "../../../worker/pipeline/job-slots.ts";
import { run } from "../../support/plan-of.ts";
import type { FuzzTarget } from "../engine/fuzz-target.ts";

const journalled = (text: string, number: number): string => {
  const line = `${text} ~abc.${number}.`;
  return `${line}${journalSum(line)}~\n`;
};
const definition = {
  ...{
    testrunId: "0_smoke",
    uuid: "7_1.2",
    from: "inline",
    repository: {},
    path: "a",
    revision: undefined,
  },
  ...{
    commitId: undefined,
    pattern: "(?P<test_case_id>\\w+)=(?P<result>\\w+)",
    fixupdict: { OK: "pass" },
  },
  ...{ params: {}, expected: ["a", "b"] },
} as unknown as OverlayDefinition;

/** What a DUT says while its tests run, in three pieces; then the connection ends. */
export const console: FuzzTarget = {
  about: "a console's bytes: lines, signals, the journal, kernel messages",
  words: [
    ...[
      "<LAVA_SIGNAL_STARTRUN 0_smoke 7_1.2>",
      "<LAVA_SIGNAL_ENDRUN 0_smoke 7_1.2>",
      "<LAVA_SIGNAL_",
    ],
    ...[
      "TESTCASE TEST_CASE_ID=a RESULT=pass",
      "UNITS=s MEASUREMENT=1e9",
      "TEST_SET_ID=b",
      "STARTTC a>",
    ],
    ...[
      "ENDTC a>",
      "TESTSET START b>",
      "TESTSET STOP>",
      "TESTREFERENCE a fail http://b>",
      "TESTRAISE c>",
    ],
    ...[
      "TESTEVENT d>",
      "<LAVA_TEST_RUNNER EXIT>",
      "<LAVA_TEST_RUNNER INSTALL_FAIL>",
      "<LAVA_JOURNAL ",
    ],
    ...[
      "STARTS",
      "HOLDS 3",
      "ENDS 3",
      "DONE",
      "~abc.1.",
      "~",
      "\r\n",
      "\n",
      "\r",
      "\0",
      "\u001b[31m",
    ],
    ...["\u001b]0;", "\xff\xfe", "[    1.000000] ", "Kernel panic - not syncing: a", "Call trace:"],
    ...["---[ end trace 0 ]---", "BUG: unable to handle", "WARNING: CPU: 1 PID: 2 at a", "CPU: 0 "],
    ...[
      "Linux version 6.1",
      "a=OK",
      "# ",
      "login: ",
      "<",
      ">",
      "<LAVA_SYNC a>",
      "<LAVA_MULTI_NODE> ",
    ],
    ...[journalled("<LAVA_SIGNAL_STARTTC a>", 1), journalled("<LAVA_SIGNAL_ENDTC a>", 2)],
  ],
  seeds: () => [
    "<LAVA_SIGNAL_STARTRUN 0_smoke 7_1.2>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass UNITS=s MEASUREMENT=1>\nb=OK\n<LAVA_SIGNAL_ENDRUN 0_smoke 7_1.2>\n<LAVA_TEST_RUNNER EXIT>\n",
    `<LAVA_JOURNAL STARTS abc>\n${journalled("<LAVA_SIGNAL_STARTRUN 0_smoke 7_1.2>", 1)}${journalled("<LAVA_SIGNAL_STARTTC a>", 2)}${journalled("<LAVA_TEST_RUNNER EXIT>", 3)}`,
    "[    1.000000] Kernel panic - not syncing: a\n[    1.000001] CPU: 0 PID: 1 Comm: b\n[    1.000002] Call Trace:\n[    1.000003]  c+0x1/0x2\n[    1.000004] ---[ end Kernel panic - not syncing: a ]---\n",
  ],
  open: async () => ({
    async run(input) {
      const { outcome } = await run({
        name: "read",
        run: async (context) => {
          const line = new Console(saying(input), {
            log: (level, text) => context.log.write(level, text),
          });
          const reports = kernelReportsOf(line);
          const reader = new SignalReader(context, 0, [definition]);
          try {
            await readStage(context, line, reader, () => {});
          } finally {
            reader.close();
            reports.take();
            await line.close();
          }
        },
      });
      if (outcome.error_type === "Bug") throw new Error(`${outcome.error_msg}`);
    },
  }),
};

function saying(input: Uint8Array): Transport {
  const third = Math.ceil(input.length / 3);
  return {
    onData(listener) {
      queueMicrotask(() => {
        for (const from of [0, third, 2 * third]) listener(input.subarray(from, from + third));
      });
    },
    onEnd: (listener) => void setImmediate(() => listener("it has said all")),
    write: async () => {},
    close: async () => {},
  };
}
