import { aJob } from "./builders.ts";
import type { EmbeddedLab } from "./embedded-lab.ts";

/** A result record of a log, by its suite, case and result. */
export const resultLine = (
  definition: string,
  name: string,
  result: string,
  more: Record<string, unknown> = {},
) => ({
  dt: "2026-03-01T12:00:00.120331+00:00",
  lvl: "results",
  msg: { definition, case: name, result, ...more },
});

/** Has a job run to its end with this log, on the lab's only worker, which is `bench`. */
export async function testedJob(
  lab: EmbeddedLab,
  worker: string,
  records: object[],
  { lines = [], health = "pass" }: { lines?: string[]; health?: "pass" | "fail" } = {},
): Promise<number> {
  await lab.sync(worker);
  const id = await lab.submit(aJob({ lines }));
  await runsTo(lab, worker, id, records, health);
  return id;
}

/** Records of a chunk: its results have a limit. */
const AT_ONCE = 1000;

/** Has the worker run a job that waits. */
export async function runsTo(
  lab: EmbeddedLab,
  worker: string,
  id: number,
  records: object[],
  result: "pass" | "fail" = "pass",
): Promise<void> {
  const { start } = await lab.sync(worker);
  const { token } = start.find((ticket) => ticket.job_id === id)!;
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
  for (let at = 0; at < records.length; at += AT_ONCE) {
    await lab.ship(id, token, at, records.slice(at, at + AT_ONCE));
  }
  await lab.finish(id, token, { result, lines: records.length });
  await lab.sync(worker);
}
