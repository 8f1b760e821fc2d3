import type { JobView } from "#protocol/api.ts";
import { JobFrame } from "./job-frame.tsx";
import type { View } from "./view.ts";

/** `/jobs/ID/cancel`: asks once more. */
export const CancelPage = ({ view, job }: { view: View; job: JobView }) => (
  <JobFrame view={view} job={job} open="" what="Cancel">
    <form class="stacked ask" method="post" action={`/jobs/${job.id}/cancel`}>
      <h2>{`Cancel job #${job.id}?`}</h2>
      <p>{whatHappens(job)}</p>
      {job.members && (
        <p class="notice warn">{`All ${job.members.length} jobs of its group are canceled with it.`}</p>
      )}
      <p class="ask-answers">
        {job.state !== "Finished" && job.state !== "Canceling" && (
          <button class="danger">Cancel the job</button>
        )}
        <a class="button" href={`/jobs/${job.id}`}>
          {job.state === "Finished" ? "Back to it" : "Let it go on"}
        </a>
      </p>
    </form>
  </JobFrame>
);

function whatHappens({ state, device }: JobView): string {
  if (state === "Submitted") return "It leaves the queue at once and does not run.";
  if (state === "Finished") return "It has ended already: there is nothing to cancel any more.";
  if (state === "Canceling") return "It is being canceled already.";
  return `It runs on ${device ?? "a device"}: its worker stops it and switches the device off. What it has logged so far stays.`;
}
