import type { LogPage } from "#protocol/api.ts";
import { failureOf } from "./failure-sentence.ts";
import { GroupMembers } from "./group-members.tsx";
import { JobHeader, type HeaderProps } from "./job-header.tsx";
import { LogPanel } from "./log-panel.tsx";
import { Page } from "./page.tsx";
import { Results } from "./results-table.tsx";
import { TimelineChart } from "./timeline-chart.tsx";

interface JobPageProps extends HeaderProps {
  log: LogPage;
}

/** `/jobs/ID`: everything about one job. */
export function JobPage(props: JobPageProps) {
  const { view, job } = props;
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
      <LogPanel {...props} />
      <SideParts {...props} />
    </Page>
  );
}

/** The parts that change while the job runs; the script takes their elements over by id. */
export const JobParts = (props: HeaderProps) => (
  <>
    <HeaderPart {...props} />
    <SideParts {...props} />
  </>
);

const HeaderPart = (props: HeaderProps) => (
  <div
    id="job-header"
    data-state={props.job.state}
    data-health={props.job.health}
    data-failure={failureOf(props.job, props.timeline)?.line}
    data-retried={props.job.retried ? props.job.attempt : undefined}
  >
    <JobHeader {...props} />
  </div>
);

function SideParts({ view, job, timeline, results }: HeaderProps) {
  const isFinished = job.state === "Finished";
  return (
    <aside aria-label="Results and timeline">
      <div id="group">
        <GroupMembers job={job} />
      </div>
      <section class="part-results" aria-labelledby="results-title">
        <div class="suite-head">
          <h2 id="results-title">Results</h2>
          <label class="not-passed">
            <input type="checkbox" id="not-passed" /> only what did not pass
          </label>
        </div>
        <div id="results">
          <Results job={job} results={results} isFinished={isFinished} />
        </div>
      </section>
      <section class="part-timeline" aria-labelledby="timeline-title">
        <h2 id="timeline-title">Timeline</h2>
        <div id="timeline">
          <TimelineChart job={job} timeline={timeline} isFinished={isFinished} now={view.now} />
          {timeline.next < job.log_lines && !job.log_removed && (
            <p class="muted">{`As far as line ${timeline.next}; reload for more.`}</p>
          )}
        </div>
      </section>
    </aside>
  );
}
