import type { JobDefinition } from "#protocol/job-definition.ts";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import type { LogRecord } from "#protocol/log-record.ts";
import type { Action, JobContext } from "../../worker/pipeline/action.ts";
import { planJob, type PlannedAction } from "../../worker/pipeline/plan.ts";
import { makeRecorder } from "../../worker/pipeline/recorder.ts";
import { runJob, type JobOutcome, type JobSignals } from "../../worker/pipeline/run-job.ts";
import type { Strategy } from "../../worker/pipeline/strategy.ts";
import { aDeviceConfiguration } from "./builders.ts";

export function aJobContext(definition: Partial<JobDefinition> = {}): JobContext {
  const { configuration } = readDeviceConfiguration(aDeviceConfiguration());
  if (!configuration) throw new Error("the builder's device configuration is wrong");
  return {
    jobId: 7,
    definition: {
      job_name: "a job",
      timeouts: { job: { minutes: 1 } },
      visibility: "public",
      actions: [{ boot: { method: "qemu" } }],
      ...definition,
    },
    device: { ...configuration, timeouts: {}, constants: {} },
    deviceHostname: "dut-1",
    deviceType: "qemu",
    dispatcher: {},
    envDut: {},
    scratch: "/nonexistent",
  };
}

/** A plan whose only block is these actions under one wrapper named `block`. */
export function planOf(job: JobContext, block: Action, finalize: Action): PlannedAction[] {
  const strategy: Strategy = {
    family: "boot",
    name: "stand-in",
    refuses: () => undefined,
    action: () => block,
  };
  return planJob(job, [strategy], finalize);
}

export interface Ran {
  outcome: JobOutcome;
  records: LogRecord[];
  /** Texts of the log, results left out. */
  messages: string[];
  results: Record<string, unknown>[];
}

/** Runs one block and shows what is in the log. */
export async function run(
  block: Action,
  {
    job = aJobContext(),
    finalize = { name: "finalize" },
    signals = {
      cancel: new AbortController().signal,
      cancelAgain: new AbortController().signal,
    },
  }: { job?: JobContext; finalize?: Action; signals?: JobSignals } = {},
): Promise<Ran> {
  const records: LogRecord[] = [];
  const recorder = makeRecorder({
    sink: (line) => void records.push(JSON.parse(line) as LogRecord),
  });
  const outcome = await runJob(job, () => planOf(job, block, finalize), recorder, signals);
  recorder.close();
  return {
    outcome,
    records,
    messages: records.filter(({ lvl }) => lvl !== "results").map(({ msg }) => String(msg)),
    results: records
      .filter(({ lvl }) => lvl === "results")
      .map(({ msg }) => msg as Record<string, unknown>),
  };
}
