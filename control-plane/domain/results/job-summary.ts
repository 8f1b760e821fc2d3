import type { ResultView } from "#protocol/api.ts";
import type { SuiteView } from "#protocol/results.ts";
import type { TestResult } from "#protocol/states.ts";
import type { Deps } from "../deps.ts";
import { attemptOf, type JobRecord } from "../job-record.ts";
import { summaryKey } from "../keys.ts";
import { summaryBlob } from "../blob-names.ts";
import { readAttributes } from "./job-metadata.ts";
import { failedSpan, MAX_RESULTS, readResults, type Span } from "./read-results.ts";

/** A test case in short: enough to compare and to chart without its log. */
export interface CaseSummary {
  suite: string;
  set?: string;
  name: string;
  result: TestResult;
  /** Exact decimal text. */
  measurement?: string;
  units?: string;
  /** Line of its record in the log; no two have the same one. */
  line: number;
  /** Of an attempt that failed and that another one followed. */
  retried?: true;
}

/** What a job's results come to. */
export interface JobSummary {
  /** The definition's `metadata`. */
  metadata: Readonly<Record<string, string>>;
  /** Hash of the definition: jobs with the same one are the same. */
  definition: string;
  /** In the order in which they began. */
  suites: SuiteView[];
  /** In the order of the log. */
  cases: CaseSummary[];
  failed: Span[];
}

/** In the table; what is long is a blob. */
interface SummaryRecord {
  format: number;
  /** Lines that the log had: the summary is of no other state of it. */
  log_lines: number;
  packed?: Packed;
  blob?: string;
}
/** Of cases, in short: index of the suite, name, result's first letter, line, then what not every one has. */
type PackedCase = [number, string, string, number, string?, string?, string?, true?];
interface Packed extends Omit<JobSummary, "cases"> {
  cases: PackedCase[];
}

/** Grows when what is packed means something else. */
const FORMAT = 1;
const MAX_INLINE_BYTES = 64 * 1024;
const MAX_BLOB_TEXT_BYTES = 64 * 1024 * 1024;
/** What is longer is not told apart: a name is a name. */
const MAX_NAME = 300;

/**
 * What the results of a job, or of an attempt of it, come to. Read from its results only once after its end; `isNew` says that
 * it was. Whoever asks has to be somebody who may see the job.
 */
export async function summaryOf(
  deps: Deps,
  job: JobRecord,
): Promise<{ summary: JobSummary; isNew: boolean }> {
  const isOver = job.state === "Finished" && !job.taken_back;
  const known = isOver ? await findSummary(deps, job) : undefined;
  if (known) return { summary: known, isNew: false };
  const summary = await summarise(deps, job);
  if (isOver) await keepSummary(deps, job, summary);
  return { summary, isNew: true };
}

async function summarise(deps: Deps, job: JobRecord): Promise<JobSummary> {
  const { metadata, definition } = await readAttributes(deps, job.id);
  const cases: CaseSummary[] = [];
  const failed: Span[] = [];
  for await (const view of readResults(deps, job)) {
    cases.push(inShort(view));
    const span = failedSpan(view);
    if (span) failed.push(span);
    if (cases.length === MAX_RESULTS) break;
  }
  for (const one of cases) {
    if (failed.some(([first, last]) => one.line >= first && one.line <= last)) one.retried = true;
  }
  return { metadata, definition, suites: suitesOf(cases), cases, failed };
}

const inShort = ({
  suite,
  set,
  name,
  result,
  exact,
  units,
  log_line,
}: ResultView): CaseSummary => ({
  suite: suite.slice(0, MAX_NAME),
  ...(set === undefined ? {} : { set: set.slice(0, MAX_NAME) }),
  name: name.slice(0, MAX_NAME),
  result,
  ...(exact === undefined ? {} : { measurement: exact }),
  ...(units === undefined ? {} : { units: units.slice(0, MAX_NAME) }),
  line: log_line,
});

/** Results of failed attempts are in no count. */
function suitesOf(cases: readonly CaseSummary[]): SuiteView[] {
  const suites = new Map<string, SuiteView>();
  for (const { suite: name, set, result, line, retried } of cases) {
    let suite = suites.get(name);
    if (!suite) {
      suite = { name, first_line: line, last_line: line, pass: 0, fail: 0, skip: 0, unknown: 0 };
      suites.set(name, suite);
    }
    suite.last_line = line;
    if (!retried) suite[result] += 1;
    if (set !== undefined && !suite.sets?.includes(set) && (suite.sets?.length ?? 0) < 100) {
      suite.sets = [...(suite.sets ?? []), set];
    }
  }
  return [...suites.values()];
}

async function findSummary(deps: Deps, job: JobRecord): Promise<JobSummary | undefined> {
  const item = await deps.table.get<SummaryRecord>(summaryKey(job.id, attemptOf(job)));
  const { format, log_lines, packed, blob } = item?.data ?? {};
  if (format !== FORMAT || log_lines !== job.log_lines) return undefined;
  if (packed) return unpacked(packed);
  const bytes = blob === undefined ? undefined : await deps.blobs.get(blob);
  if (!bytes) return undefined;
  const text = new TextDecoder().decode(await deps.system.gunzip(bytes, MAX_BLOB_TEXT_BYTES));
  return unpacked(JSON.parse(text) as Packed);
}

async function keepSummary(deps: Deps, job: JobRecord, summary: JobSummary): Promise<void> {
  const packed = pack(summary);
  const text = JSON.stringify(packed);
  const record: SummaryRecord = { format: FORMAT, log_lines: job.log_lines };
  if (text.length <= MAX_INLINE_BYTES) {
    record.packed = packed;
  } else {
    const bytes = await deps.system.gzip(new TextEncoder().encode(text));
    record.blob = summaryBlob(job.id, attemptOf(job), deps.system.hash(bytes));
    await deps.blobs.put(record.blob, bytes);
  }
  const expires = job.expires === undefined ? {} : { expires: Date.parse(job.expires) };
  const key = summaryKey(job.id, attemptOf(job));
  await deps.table.transact([{ put: { key, data: record, ...expires } }]);
}

const LETTERS = { p: "pass", f: "fail", s: "skip", u: "unknown" } as const;

function pack({ cases, ...rest }: JobSummary): Packed {
  const index = new Map(rest.suites.map(({ name }, n) => [name, n]));
  return {
    ...rest,
    cases: cases.map(({ suite, set, name, result, measurement, units, line, retried }) => {
      const packed = [
        ...[index.get(suite) ?? 0, name, result.slice(0, 1), line],
        ...[set, measurement, units, retried],
      ];
      while (packed.at(-1) === undefined) packed.pop();
      return packed as PackedCase;
    }),
  };
}

function unpacked({ cases, ...rest }: Packed): JobSummary {
  const names = rest.suites.map(({ name }) => name);
  return {
    ...rest,
    // What is absent in the middle of a list is null in JSON.
    cases: cases.map(([suite, name, letter, line, set, measurement, units, retried]) => ({
      suite: names[suite] ?? "",
      ...(set ? { set } : {}),
      name,
      result: LETTERS[letter as keyof typeof LETTERS],
      ...(measurement ? { measurement } : {}),
      ...(units ? { units } : {}),
      line,
      ...(retried ? { retried } : {}),
    })),
  };
}
