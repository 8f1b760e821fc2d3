import type { JobView } from "#protocol/api.ts";
import type { PlannedStep } from "#protocol/plan.ts";
import type { JobPlan } from "../domain/job-plan.ts";
import { formatDuration } from "./format-time.ts";
import { JobFrame } from "./job-frame.tsx";
import { lineAddress } from "./line-address.ts";
import { depthClass, rowsOf } from "./plan-steps.ts";
import { outcomeOf, type Timeline, type TimelineAction } from "./timeline.ts";
import type { View } from "./view.ts";

interface PlanProps {
  view: View;
  job: JobView;
  plan: JobPlan | undefined;
  timeline: Timeline;
}

/** `/jobs/ID/plan`: what the worker does for the job, step by step, and how far it came. */
export const PlanPage = ({ view, job, plan, timeline }: PlanProps) => (
  <JobFrame view={view} job={job} open="/plan" what="Plan">
    <div class="part-bar">
      <h2>Plan</h2>
      {plan && <span class="muted">{aboutPlan(plan)}</span>}
    </div>
    {!plan && (
      <p class="nothing">
        There is no device of type {job.device_type} that you may see, and a plan is always for a
        device.
      </p>
    )}
    {plan?.plan.problem !== undefined && (
      <p class="notice bad" role="note">
        <b>There is no plan.</b> {plan.plan.problem}
      </p>
    )}
    {plan?.plan.steps && <Steps job={job} steps={plan.plan.steps} timeline={timeline} />}
  </JobFrame>
);

function aboutPlan({ hostname, isOwn, isKept }: JobPlan): string {
  if (!isOwn) return `As it would be on ${hostname}: the job has no device yet.`;
  const when = isKept ? "as the device was configured for it" : "as the device is configured today";
  return `What a worker of this version does for it on ${hostname}, ${when}.`;
}

function Steps({ job, steps: tree, timeline }: Pick<PlanProps, "job" | "timeline"> & Planned) {
  const steps = rowsOf(tree);
  // Of one namespace nobody need be told.
  const spaces = new Set(steps.flatMap(({ namespace }) => namespace ?? [])).size > 1;
  const attempts = steps.some((step) => step.attempts !== undefined);
  const runs = new Map(timeline.actions.map((one) => [`${one.level} ${one.name}`, one]));
  const isFinished = job.state === "Finished";
  return (
    <div class="scroll-x" tabindex={0} role="region" aria-label="Steps of the plan">
      <table class="plan">
        <thead>
          <tr>
            <th scope="col" class="level">
              Level
            </th>
            <th scope="col">Action</th>
            <th scope="col" class="number">
              Time-out
            </th>
            <th scope="col" class="number">
              Took
            </th>
            <th scope="col">Strategy</th>
            {spaces && <th scope="col">Namespace</th>}
            {attempts && (
              <th scope="col" class="number">
                Attempts
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => (
            <tr class={depthClass(step)}>
              <td class="level">{step.level}</td>
              <th scope="row">{step.name}</th>
              <td class="number">{formatDuration(step.timeout_seconds * 1000)}</td>
              <Took
                run={runs.get(`${step.level} ${step.name}`)}
                job={job}
                isFinished={isFinished}
              />
              <td>{step.strategy ?? ""}</td>
              {spaces && <td>{step.namespace ?? ""}</td>}
              {attempts && <td class="number">{step.attempts ?? ""}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface Planned {
  steps: PlannedStep[];
}

interface TookProps {
  run: TimelineAction | undefined;
  job: JobView;
  isFinished: boolean;
}

function Took({ run, job, isFinished }: TookProps) {
  if (!run) return <td class="number muted">–</td>;
  const outcome = outcomeOf(run, isFinished);
  const took = run.end === undefined ? "" : formatDuration(run.end - run.start);
  return (
    <td class={`number ${outcome}`}>
      <a href={`/jobs/${job.id}${lineAddress(run.line, job)}`}>
        {outcome === "done" ? took : `${outcome} ${took}`.trim()}
      </a>
    </td>
  );
}
