import type { JobView } from "#protocol/api.ts";
import { JobFrame } from "./job-frame.tsx";
import { JobStatus } from "./status.tsx";
import { Ago, ranFor } from "./time.tsx";
import type { View } from "./view.ts";
import { submitterText } from "./who.tsx";

interface SimilarProps {
  view: View;
  job: JobView;
  /** The newest first, the job among them. */
  jobs: JobView[];
}

/** `/jobs/ID/similar`: other runs of the same thing. */
export const SimilarPage = ({ view, job, jobs }: SimilarProps) => (
  <JobFrame view={view} job={job} open="/similar" what="Similar jobs">
    <div class="part-bar">
      <h2>Similar jobs</h2>
      <span class="muted">
        {`By ${submitterText(job.submitter)} on ${job.health_check ? (job.device ?? "") : job.device_type}, with the same description but for numbers: those before and after it.`}
      </span>
    </div>
    {jobs.length === 1 ? (
      <p class="nothing">There is no other one like it among the jobs around it.</p>
    ) : (
      <>
        <Runs jobs={jobs} job={job} now={view.now} />
        <SimilarTable jobs={jobs} job={job} now={view.now} />
      </>
    )}
  </JobFrame>
);

interface ListProps {
  jobs: JobView[];
  job: JobView;
  now: number;
}

const HEIGHT = 40;

/** A bar for each, the oldest on the left: as high as it took long, in the colour of its health. The table says the same. */
function Runs({ jobs, job, now }: ListProps) {
  const longest = Math.max(1, ...jobs.map((one) => ranMs(one, now)));
  return (
    <ol class="runs" aria-hidden="true">
      {jobs.toReversed().map((one) => {
        const height = Math.max(3, (ranMs(one, now) / longest) * HEIGHT);
        return (
          <li class={one.id === job.id ? "this" : undefined}>
            <a
              href={`/jobs/${one.id}`}
              tabindex={-1}
              title={`#${one.id} ${healthOf(one)}, ${ranFor(one, now) ?? "not begun"}`}
            >
              <svg class={healthOf(one)} viewBox={`0 0 12 ${HEIGHT}`} width="12" height={HEIGHT}>
                <rect
                  x="1"
                  y={(HEIGHT - height).toFixed(1)}
                  width="10"
                  height={height.toFixed(1)}
                />
              </svg>
            </a>
          </li>
        );
      })}
    </ol>
  );
}

const healthOf = ({ state, health }: JobView): string => (state === "Finished" ? health : state);

function ranMs({ start_time, end_time }: JobView, now: number): number {
  if (start_time === undefined) return 0;
  return (end_time === undefined ? now : Date.parse(end_time)) - Date.parse(start_time);
}

const SimilarTable = ({ jobs, job, now }: ListProps) => (
  <table class="jobs">
    <thead>
      <tr>
        <th scope="col">Job</th>
        <th scope="col">Health</th>
        <th scope="col">Description</th>
        <th scope="col">Device</th>
        <th scope="col" class="number">
          Ran
        </th>
        <th scope="col">Submitted</th>
        <th scope="col">Compare</th>
      </tr>
    </thead>
    <tbody>
      {jobs.map((one) => (
        <tr class={one.id === job.id ? "this" : undefined}>
          <td class="id">
            <a href={`/jobs/${one.id}`}>#{one.id}</a>
          </td>
          <td>
            <JobStatus job={one} />
          </td>
          <td class="description">
            {one.description}
            {one.error_msg !== undefined && <small>{one.error_msg}</small>}
          </td>
          <td class="device">{one.device ?? ""}</td>
          <td class="number">{ranFor(one, now) ?? ""}</td>
          <td class="when">
            <Ago iso={one.submit_time} now={now} />
          </td>
          <td>
            {one.id === job.id ? (
              <span class="muted">this one</span>
            ) : (
              <a href={comparison(one, job)}>
                with this<span class="hidden">{`: #${one.id} and #${job.id}`}</span>
              </a>
            )}
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);

function comparison(one: JobView, other: JobView): string {
  const [before, after] = [one.id, other.id].toSorted((a, b) => a - b);
  return `/compare?before=${before}&after=${after}`;
}
