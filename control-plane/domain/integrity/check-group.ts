import type { StoredItem } from "../../ports/table.ts";
import type { GroupRecord } from "../group-record.ts";
import { findJobItem } from "../job-record.ts";
import type { Looking } from "./check-page.ts";

/** A multinode group and its jobs: all of them are there, and they begin together. */
export async function checkGroup({ deps, say }: Looking, { data }: StoredItem): Promise<void> {
  const { id, members, phase, ended } = data as GroupRecord;
  const what = `group ${id}`;
  // Its jobs are just being written, or were not all.
  if (phase?.name === "forming" || phase?.name === "unmade") return;
  const jobs = await Promise.all(members.map(({ job_id }) => findJobItem(deps, job_id)));
  const states = jobs.map((job) => job?.data.state);
  for (const [n, { job_id }] of members.entries()) {
    if (jobs[n] && jobs[n].data.group !== id) say("group", what, `job ${job_id} is of another one`);
    // Retention removes jobs one by one, once all have ended.
    if (!jobs[n] && ended === undefined) say("group", what, `its job ${job_id} is not there`);
    if (ended !== undefined && jobs[n] && states[n] !== "Finished") {
      say("group", what, `it has ended, and its job ${job_id} is ${states[n]}`);
    }
  }
  const begun = states.filter((state) => state === "Scheduled" || state === "Running");
  const waiting = states.filter((state) => state === "Submitted");
  if (phase === undefined && begun.length > 0 && waiting.length > 0) {
    say("group", what, `${begun.length} of its jobs have begun, ${waiting.length} wait`);
  }
}
