import type { ResultView } from "#protocol/api.ts";
import { bySuite } from "./cases-yaml.ts";
import type { NoticedJob, NoticedState } from "./notice-record.ts";
import { pythonTime } from "./python-time.ts";

export interface MessageParts {
  job: NoticedJob;
  state: NoticedState;
  /** Whom it greets. */
  name: string;
  verbosity: "verbose" | "quiet" | "status-only";
  /** Where the job's page is, if the lab knows its own address. */
  url: string | undefined;
  /** Only for `verbose`. */
  metadata: Record<string, unknown>;
  results: readonly ResultView[];
  /** Lines about how it compares with others. */
  comparison: readonly string[];
}

/** Cases beyond these many are counted, not told. */
const MAX_CASES = 1000;

/** LAVA's subject (SCHEDULER.md 7), in one line whatever the job is called. */
export const subjectOf = ({ id, description }: NoticedJob): string =>
  // oxlint-disable-next-line no-control-regex
  `LAVA notification for Test Job ${id} ${description}`.replaceAll(/[\u0000-\u001f\u007f]+/g, " ");

/** The text of a mail: by verbosity, what SCHEDULER.md 7 lists for it. */
export function messageText(parts: MessageParts): string {
  const { job, state, name, url, verbosity } = parts;
  const blocks = [
    [`Hello ${name},`],
    [
      `job ${job.id} is now in state ${state} and health ${job.health}.`,
      ...(url === undefined ? [] : [url]),
    ],
  ];
  if (verbosity !== "status-only") blocks.push(errorLines(job), deviceLines(job), jobLines(job));
  if (verbosity === "verbose") {
    blocks.push(metadataLines(parts.metadata), resultLines(parts.results), [...parts.comparison]);
  }
  return `${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

function errorLines({ health, error_type, error_msg }: NoticedJob): string[] {
  if (health !== "Incomplete" || (error_type ?? error_msg) === undefined) return [];
  return [`Error type: ${error_type ?? "unknown"}`, `Error message: ${error_msg ?? ""}`];
}

const deviceLines = ({ device, device_type, worker }: NoticedJob): string[] => [
  `Device: ${device ?? "none"}`,
  `Device type: ${device_type}`,
  ...(worker === undefined ? [] : [`Worker: ${worker}`]),
];

function jobLines(job: NoticedJob): string[] {
  const { start_time, end_time } = job;
  const ms = Date.parse(end_time ?? "") - Date.parse(start_time ?? "");
  return [
    `Description: ${job.description}`,
    `Submitter: ${job.submitter}`,
    `Priority: ${job.priority}`,
    `Submitted: ${pythonTime(job.submit_time)}`,
    `Started: ${pythonTime(start_time)}`,
    ...(end_time === undefined ? [] : [`Finished: ${pythonTime(end_time)}`]),
    ...(Number.isFinite(ms) ? [`Duration: ${durationText(ms)}`] : []),
  ];
}

function metadataLines(metadata: Record<string, unknown>): string[] {
  const lines = Object.entries(metadata).map(
    ([key, value]) => `  ${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return lines.length > 0 ? ["Metadata:", ...lines] : [];
}

function resultLines(results: readonly ResultView[]): string[] {
  const lines: string[] = [];
  for (const [suite, cases] of bySuite(results.slice(0, MAX_CASES))) {
    lines.push(`Suite ${suite}:`);
    for (const { name, result, measurement, units = "" } of cases) {
      const measured = measurement === undefined ? "" : ` (${measurement} ${units})`.trimEnd();
      lines.push(`  ${name}: ${result}${measured}`);
    }
  }
  const more = results.length - MAX_CASES;
  return more > 0 ? [...lines, `... and ${more} more cases`] : lines;
}

function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
