import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { readDeviceConfiguration } from "#protocol/device-configuration.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import type { LogRecord } from "#protocol/log-record.ts";
import { tmpfsDeploy } from "../../worker/actions/deploy/tmpfs.ts";
import type { JobContext } from "../../worker/pipeline/action.ts";
import { checkPlan } from "../../worker/pipeline/check-plan.ts";
import { planJob } from "../../worker/pipeline/plan.ts";
import { makeRecorder } from "../../worker/pipeline/recorder.ts";
import { runJob, type JobOutcome } from "../../worker/pipeline/run-job.ts";
import type { Slots } from "../../worker/pipeline/slot.ts";
import type { Strategy } from "../../worker/pipeline/strategy.ts";
import { root } from "../support/real-lab.ts";
import { aJobContext } from "../support/plan-of.ts";

const device = readFileSync(path.join(root, "docs/examples/qemu-device.yaml"), "utf8");

export interface Deployed {
  readonly outcome: JobOutcome;
  /** What the deployment left for boot and test; undefined when it failed. */
  readonly slots: Slots | undefined;
  readonly results: Record<string, unknown>[];
  readonly messages: string[];
  /** The plan without `finalize`: level and name of each action. */
  readonly plan: string[];
}

/** A job on the example device whose files are below a folder of its own; `remove` deletes it. */
export function deployJob(definition: Partial<JobDefinition>): JobContext & { remove(): void } {
  const { configuration } = readDeviceConfiguration(device);
  if (!configuration) throw new Error("docs/examples/qemu-device.yaml is wrong");
  const scratch = mkdtempSync(path.join(tmpdir(), "pumice-deploy-"));
  return {
    ...aJobContext({ context: { arch: "x86_64" }, ...definition }),
    device: configuration,
    scratch,
    remove: () => rmSync(scratch, { recursive: true }),
  };
}

/** Plans, validates and runs the job's deployments for real; boot and test blocks do nothing. */
export async function runDeploy(
  job: JobContext,
  more: readonly Strategy[] = [],
): Promise<Deployed> {
  let slots: Slots | undefined;
  const look = {
    name: "look",
    run: async (context: { slots: Slots }) => {
      slots = context.slots;
    },
  };
  const standIn = { name: "stand-in", refuses: () => undefined, action: () => look };
  const strategies: Strategy[] = [
    tmpfsDeploy,
    ...more,
    { ...standIn, family: "boot" },
    { ...standIn, family: "test" },
  ];
  const records: LogRecord[] = [];
  const recorder = makeRecorder({
    sink: (line) => void records.push(JSON.parse(line) as LogRecord),
  });
  const names: string[] = [];
  const plan = () => {
    const planned = planJob(job, strategies, { name: "finalize" });
    checkPlan(planned);
    const add = (all: typeof planned): void => {
      for (const { level, action, steps } of all) {
        names.push(`${level} ${action.name}`);
        add([...steps]);
      }
    };
    add(planned.slice(0, -1));
    return planned;
  };
  const signal = new AbortController().signal;
  const outcome = await runJob(job, plan, recorder, { cancel: signal, cancelAgain: signal });
  const ofLevel = (wanted: boolean) => records.filter(({ lvl }) => (lvl === "results") === wanted);
  return {
    outcome,
    slots,
    plan: names,
    results: ofLevel(true).map(({ msg }) => msg as Record<string, unknown>),
    messages: ofLevel(false).map(({ msg }) => String(msg)),
  };
}
