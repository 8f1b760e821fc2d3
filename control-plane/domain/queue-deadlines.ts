import type { NewItem, Operation } from "../ports/table.ts";
import type { JobRecord } from "./job-record.ts";
import { dueKey, queueDeadlineKey } from "./keys.ts";

/** When a job has waited long enough: found by the tick. There while the job waits and has a deadline. */
export const queueDeadlineItem = (deadline: string, job: number): NewItem => ({
  key: queueDeadlineKey(deadline, job),
  data: { deadline, job },
  keys: { i2: dueKey(deadline, `job ${job}`) },
});

/** For the transaction that changes a job: it waits from now on, or no more. */
export function queueDeadlines(before: JobRecord | undefined, after: JobRecord): Operation[] {
  const [old, now] = [deadlineOf(before), deadlineOf(after)];
  if (old === now) return [];
  return [
    ...(old === undefined ? [] : [{ delete: queueDeadlineKey(old, after.id) }]),
    ...(now === undefined ? [] : [{ put: queueDeadlineItem(now, after.id) }]),
  ];
}

const deadlineOf = (job: JobRecord | undefined): string | undefined =>
  job?.state === "Submitted" ? job.queue_deadline : undefined;
