import type { JobView, LogPage, ResultView } from "#protocol/api.ts";
import { GroupMembers } from "./group-members.tsx";
import { JobHeader } from "./job-header.tsx";
import { LogPanel } from "./log-panel.tsx";
import { Page } from "./page.tsx";
import { Results } from "./results-table.tsx";
import { TimelineChart } from "./timeline-chart.tsx";
import type { Timeline } from "./timeline.ts";
import type { View } from "./view.ts";

export interface JobPageProps {
  view: View;
  job: JobView;
  timeline: Timeline;
  results: ResultView[];
  log: LogPage;
}

/** `/jobs/ID`: everything about one job. */
export function JobPage(props: JobPageProps) {
  const { view, job, log } = props;
  return (
    <Page
      view={view}
      title={`#${job.id} ${job.description}`}
      section="/"
      script="job-page.js"
      layout="wide"
    >
      <HeaderPart {...props} />
      <p id="announce" class="hidden" role="status"></p>
      <LogPanel job={job} log={log} />
      <SideParts {...props} />
    </Page>
  );
}

type PartsProps = Omit<JobPageProps, "log">;

/** The parts that change while the job runs; the script takes their elements over by id. */
export const JobParts = (props: PartsProps) => (
  <>
    <HeaderPart {...props} />
    <SideParts {...props} />
  </>
);

const HeaderPart = (props: PartsProps) => (
  <div id="job-header" data-state={props.job.state} data-health={props.job.health}>
    <JobHeader {...props} />
  </div>
);

function SideParts({ view, job, timeline, results }: PartsProps) {
  const isFinished = job.state === "Finished";
  return (
    <aside aria-label="Timeline and results">
      <div id="group">
        <GroupMembers job={job} />
      </div>
      <section aria-labelledby="timeline-title">
        <h2 id="timeline-title">Timeline</h2>
        <div id="timeline">
          <TimelineChart job={job} timeline={timeline} isFinished={isFinished} now={view.now} />
          {timeline.next < job.log_lines && (
            <p class="muted">{`As far as line ${timeline.next}; reload for more.`}</p>
          )}
        </div>
      </section>
      <section aria-labelledby="results-title">
        <h2 id="results-title">Results</h2>
        <div id="results">
          <Results job={job} results={results} isFinished={isFinished} />
        </div>
      </section>
    </aside>
  );
}
