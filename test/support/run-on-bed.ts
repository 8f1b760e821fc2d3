import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { stringify } from "yaml";
import { readJobDefinition, readRunnerJob } from "#protocol/job-definition.ts";
import type { LogRecord } from "#protocol/log-record.ts";
import type { Ticket } from "#protocol/worker-api.ts";
import { stockTemplates } from "../../control-plane/stock-templates.ts";
import { renderDevice } from "../../control-plane/templates/render-device.ts";
import type { Group } from "../../worker/pipeline/group.ts";
import type { RunnerResult } from "../../worker/host/runner-result.ts";
import { runTicket } from "../../worker/run-ticket.ts";

export interface BedRun {
  /** The job's YAML. */
  readonly job: string;
  /** The device's dictionary, rendered with Pumice's device types and the job's context. */
  readonly dictionary: string;
  /** The worker's settings: `dispatcher_ip` ... */
  readonly dispatcher?: Readonly<Record<string, unknown>>;
  readonly hostname?: string;
  readonly jobId?: number;
  /** Cancels the job. */
  readonly cancel?: AbortSignal;
  readonly onRecord?: (record: LogRecord) => void;
  /** The others, when the job is one that the control plane has made of a multinode job. */
  readonly group?: Group;
}

export interface BedRan {
  readonly outcome: RunnerResult;
  readonly records: readonly LogRecord[];
  /** What the result records say. */
  readonly results: readonly Record<string, unknown>[];
  /** The whole log as text, for messages of failed expectations. */
  readonly text: string;
}

/** The ticket that a control plane would make of a job and a dictionary. @throws with the problems of either. */
export function ticketFor({
  job,
  dictionary,
  dispatcher = {},
  hostname = "dut-01",
  jobId = 1,
  group,
}: BedRun): Ticket {
  const { definition, problems } = group ? readRunnerJob(job) : readJobDefinition(job);
  if (!definition) throw new Error(`the job is refused: ${JSON.stringify(problems)}`);
  const device_type = definition.device_type ?? "";
  const rendered = renderDevice({
    name: `${hostname}.jinja2`,
    dictionary,
    loader: stockTemplates(),
    context: {
      ...definition.context,
      scheduled_device_name: hostname,
      scheduled_device_type: device_type,
    },
  });
  if (rendered.problems.length > 0) {
    throw new Error(`the dictionary is refused: ${JSON.stringify(rendered.problems)}`);
  }
  return {
    job_id: jobId,
    token: "",
    definition: job,
    device: rendered.text,
    device_hostname: hostname,
    device_type,
    dispatcher: stringify(dispatcher),
    env_dut: "",
  };
}

/** Runs a job on a device in this process, from its ticket to its last record. */
export async function runOnBed(bed: BedRun): Promise<BedRan> {
  const ticket = ticketFor(bed);
  const temporary = mkdtempSync(path.join(tmpdir(), "pumice-bed-"));
  const records: LogRecord[] = [];
  const never = new AbortController().signal;
  try {
    const outcome = await runTicket(ticket, {
      scratch: path.join(temporary, "scratch"),
      group: bed.group,
      signals: { cancel: bed.cancel ?? never, cancelAgain: never },
      sink: (_line, record) => {
        records.push(record);
        bed.onRecord?.(record);
      },
    });
    const results = records
      .filter(({ lvl }) => lvl === "results")
      .map(({ msg }) => msg as Record<string, unknown>);
    return { outcome, records, results, text: records.map(asText).join("\n") };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

const asText = ({ lvl, msg }: LogRecord): string =>
  `${lvl} ${typeof msg === "string" ? msg : JSON.stringify(msg)}`;
