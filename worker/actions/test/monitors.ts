import type { TestBlock } from "#protocol/job-actions.ts";
import type { Console } from "../../console/console.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import { withKernelRecord } from "../../kernel/kernel-record.ts";
import type { RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import type { TestStrategy } from "../../pipeline/strategy.ts";
import { checkTestCase } from "./signal-words.ts";
import { SuiteRecords } from "./suite-records.ts";

type Monitor = NonNullable<TestBlock["monitors"]>[number];

/** `test: monitors`: results read by regular expressions from what the DUT prints by itself (TEST-SHELL.md 10). */
export const monitorTest: TestStrategy = {
  family: "test",
  name: "monitor",
  refuses: ({ monitors }) => (monitors === undefined ? "the block has no monitors" : undefined),
  action: ({ monitors = [] }) => ({
    name: "lava-test-monitor-retry",
    retries: true,
    steps: [
      {
        name: "lava-test-monitor",
        needs: [consoleSlot],
        onTimeout: "LAVATimeout",
        validate: async () => monitors.forEach(patternsOf),
        run: (context) =>
          withKernelRecord(context, context.connection.find(consoleSlot), () =>
            runMonitors(context, monitors),
          ),
      },
    ],
  }),
};

async function runMonitors(context: RunContext, monitors: readonly Monitor[]): Promise<void> {
  const console = context.connection.find(consoleSlot);
  if (!console) throw new JobFailure("Job", "No connection to the DUT");
  for (const monitor of monitors) {
    const suite = monitor.name.toLowerCase().replaceAll(" ", "-");
    const records = new SuiteRecords(suite, monitor.expected, context);
    try {
      await runMonitor(context, console, monitor, records);
    } finally {
      records.reportMissing();
    }
  }
}

async function runMonitor(
  context: RunContext,
  console: Console,
  monitor: Monitor,
  records: SuiteRecords,
): Promise<void> {
  const { log, signal, connectionTimeoutSeconds: timeoutSeconds } = context;
  const { start, end, pattern } = patternsOf(monitor);
  const wait = { timeoutSeconds, signal };
  log.info(`monitor ${monitor.name} waits for its start: ${monitor.start}`);
  await console.expect({ start }, wait);
  for (;;) {
    // A result is whole when its line is; what ends a monitor may be a prompt, whose line never ends.
    const found = await console.tryExpect({ end, pattern }, { ...wait, inLine: ["pattern"] });
    if (!found) {
      log.error(
        `monitor ${monitor.name} ended: nothing that matches its pattern or its end came for ${timeoutSeconds} s ` +
          "(timeouts: connections: lava-test-monitor)",
      );
      return;
    }
    if (found.name === "pattern") {
      record(context, monitor, records, found.match, found.logLine);
      continue;
    }
    // Results in the very line that ends the monitor; a copy of the pattern, as it remembers where it searched last.
    for (const match of found.before.matchAll(new RegExp(pattern))) {
      record(context, monitor, records, match, found.logLine);
    }
    log.info(`monitor ${monitor.name} has ended`);
    return;
  }
}

function record(
  { log, level }: RunContext,
  { fixupdict }: Monitor,
  records: SuiteRecords,
  { groups = {} }: RegExpMatchArray,
  logLine: number,
): void {
  const { test_case_id: id, result = "pass", measurement, units } = groups;
  const name = id?.trim().toLowerCase().replace(/\W+/g, "_");
  const found = checkTestCase({ name, result, measurement, units }, fixupdict as Fixups);
  if (found instanceof Error) return log.error(`a result was dropped: ${found.message}`);
  records.record(found, { level, starttc: logLine, endtc: logLine });
}

type Fixups = Readonly<Record<string, string>> | undefined;

/** @throws JobFailure Test for one that is no regular expression, Job for one that can't name a case. */
function patternsOf({
  name,
  start,
  end,
  pattern,
}: Monitor): Record<"start" | "end" | "pattern", RegExp> {
  if (!pattern.includes("(?P<test_case_id>")) {
    const message = `monitor ${name}: pattern: expected a group (?P<test_case_id>...) and one of (?P<result>...) and (?P<measurement>...)`;
    throw new JobFailure("Job", message);
  }
  return {
    start: pythonRegex(start),
    end: pythonRegex(end),
    pattern: pythonRegex(pattern, "parse"),
  };
}
