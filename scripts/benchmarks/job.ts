import type { JobView, LogPage } from "#protocol/api.ts";
import { exampleJob, realLab, until, type RealLab } from "../../test/support/real-lab.ts";
import type { Row } from "./main.ts";

/** Runs the smoke job `runs` times while its log is followed, and reads the times off job and log. */
export async function measureJob({ runs }: { runs: number }): Promise<Row[]> {
  const lab = await realLab();
  const definition = exampleJob("qemu-smoke.yaml");
  const all: Record<string, number>[] = [];
  try {
    for (let n = 0; n < runs; n++) all.push(await oneJob(lab, definition));
  } finally {
    await lab.close();
  }
  return Object.keys(all[0] ?? {}).map((name) => ({
    name,
    unit: "ms",
    values: all.map((times) => times[name] ?? NaN),
  }));
}

async function oneJob(lab: RealLab, definition: string): Promise<Record<string, number>> {
  const id = await lab.submit(definition);
  const records = await lab.follow(id);
  const job = await lab.job(id);
  if (job.health !== "Complete") throw new Error(`job ${id} is ${job.health}: ${job.error_msg}`);
  await until(
    async () => (await lab.api<{ state: string }>("GET", "/devices/qemu-01")).state === "Idle",
  );
  return times(job, records);
}

function times(job: JobView, records: LogPage["records"]): Record<string, number> {
  const at = (pattern: RegExp): number => {
    const found = records.find(({ msg }) => typeof msg === "string" && pattern.test(msg));
    return Date.parse(String(found?.["dt"]));
  };
  const submitted = Date.parse(job.submit_time);
  const finished = Date.parse(job.end_time ?? "");
  const booted = at(/^start: \S+ execute-qemu /);
  const tested = at(/<LAVA_TEST_RUNNER EXIT>/);
  return {
    "submission to runner start": Date.parse(String(records[0]?.["dt"])) - submitted,
    "end of test to Finished": finished - tested,
    "whole job": finished - submitted,
    "of that the guest's own time": tested - booted,
    "overhead beyond the guest's own time": finished - submitted - (tested - booted),
  };
}
