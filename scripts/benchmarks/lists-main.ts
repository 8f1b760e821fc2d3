import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { numberOf, readCommandLine } from "../command-line.ts";
import { packedBlocks } from "../../control-plane/domain/job-list/job-blocks.ts";
import { jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import { system } from "../../control-plane/node-system.ts";
import { openLab } from "../../control-plane/serve.ts";
import { fillTable } from "./scale-lab.ts";

const { values: options } = readCommandLine("bench lists", () =>
  parseArgs({
    options: {
      jobs: { type: "string", default: "1000000" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  }),
);
if (options.help) {
  console.log(`usage: scripts/bench lists [--jobs N] [--json]

How long REST lists of jobs take in a lab that keeps N ended jobs (1,000,000), on the embedded engine, and that each counts right.
Exit 1 when one counts wrongly or takes longer than 30 s.`);
  process.exit(0);
}

const JOBS = numberOf("bench lists", "jobs", options.jobs, 1);
const HEALTHS = ["Complete", "Complete", "Complete", "Incomplete", "Canceled"] as const;
const START = Date.parse("2025-01-01T00:00:00Z");

const aJob = (id: number): JobRecord => {
  const time = (minutes: number) => new Date(START + id * 20_000 + minutes * 60_000).toISOString();
  const health = HEALTHS[(id * 7919) % 5]!;
  return {
    ...{ id, state: "Finished", health, priority: id % 101, tags: id % 9 === 0 ? ["kvm"] : [] },
    description: `kernel-ci ${id % 97} next-20260${id % 9}${id % 27} defconfig ${id}`,
    ...{
      device_type: `type-${id % 53}`,
      device: `device-${id % 500}`,
      worker: `worker-${id % 30}`,
    },
    ...{ submitter: `ci-${id % 7}`, submit_time: time(0), start_time: time(3), end_time: time(9) },
    ...(health === "Incomplete" ? { error_msg: `login-action timed out after ${id % 400} s` } : {}),
    log_lines: 700,
  };
};
function* jobs() {
  for (let id = 1; id <= JOBS; id++) yield jobItem(aJob(id));
}
const howMany = (fits: (job: JobRecord) => boolean): number => {
  let count = 0;
  for (let id = 1; id <= JOBS; id++) if (fits(aJob(id))) count += 1;
  return count;
};
const incomplete = howMany(({ health }) => health === "Incomplete");
const QUERIES: [query: string, count: number][] = [
  ["ordering=-id&limit=50", JOBS],
  [`limit=50&offset=${Math.max(0, JOBS - 20)}`, JOBS],
  ["health=Incomplete&ordering=-id&limit=256", incomplete],
  ["submitter__username=ci-3&limit=50", howMany(({ submitter }) => submitter === "ci-3")],
  [
    "requested_device_type__name=type-7&health=Complete&ordering=-submit_time",
    howMany((job) => job.device_type === "type-7" && job.health === "Complete"),
  ],
  [
    "description__icontains=DEFCONFIG%2099",
    howMany((job) => job.description.includes("defconfig 99")),
  ],
  ["ordering=-end_time&limit=50", JOBS],
  ["health=Incomplete&ordering=failure_comment,-priority&limit=50", incomplete],
];

const dataDir = mkdtempSync(path.join(tmpdir(), "pumice-lists-"));
const lab = await openLab({ dataDir, system: { ...system, log: () => {} } });
const token = readFileSync(path.join(dataDir, "admin-token"), "utf8").trim();
const ask = async (query: string) => {
  const began = performance.now();
  const answer = await lab.app.request(`/api/v0.2/jobs/?${query}`, {
    headers: { authorization: `Token ${token}` },
  });
  const body = (await answer.json()) as { count?: number };
  return { status: answer.status, count: body.count, seconds: (performance.now() - began) / 1000 };
};
let isRight = true;
const lines: object[] = [];
try {
  if (!options.json) console.log(`${JOBS} jobs, load ${loadavg()[0]?.toFixed(1)}; filling ...`);
  await fillTable(lab.engine.table, jobs());
  await lab.deps.table.raiseCounter("job", JOBS);
  let first = await ask("health=Incomplete");
  let [calls, seconds] = [1, first.seconds];
  for (; first.status === 503; calls++) {
    first = await ask("health=Incomplete");
    seconds += first.seconds;
  }
  const blocks = (await packedBlocks(lab.deps, 0, JOBS)).size;
  tell({ what: "first look, which packs the old jobs", seconds, calls, blocks });
  for (const [query, count] of QUERIES) {
    const found = await ask(query);
    const isGood = found.status === 200 && found.count === count && found.seconds < 30;
    isRight &&= isGood;
    tell({ what: query, ...found, ...(isGood ? {} : { wrong: `expected ${count}` }) });
  }
  tell({ what: "largest memory", MiB: Math.round(process.resourceUsage().maxRSS / 1024) });
  if (options.json) console.log(JSON.stringify({ jobs: JOBS, right: isRight, lines }));
} finally {
  await lab.close();
  rmSync(dataDir, { recursive: true });
}
process.exitCode = isRight ? 0 : 1;

function tell(line: { what: string; seconds?: number } & Record<string, unknown>): void {
  lines.push(line);
  if (options.json) return;
  const { what, seconds, ...rest } = line;
  const took = seconds === undefined ? "" : `${seconds.toFixed(2)} s`;
  console.log(`${what.padEnd(75)} ${took.padStart(8)}  ${JSON.stringify(rest)}`);
}
