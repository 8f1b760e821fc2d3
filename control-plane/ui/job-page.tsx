import { raw } from "hono/html";
import type { JobView, LogPage, ResultView } from "#protocol/api.ts";
import { LOG_LEVELS } from "#protocol/log-record.ts";
import { GroupMembers } from "./group-members.tsx";
import { JobHeader } from "./job-header.tsx";
import { attemptQuery, startAddress } from "./line-address.ts";
import { logHtml } from "./log-html.ts";
import { Page } from "./page.tsx";
import { Results } from "./results-table.tsx";
import { TimelineChart } from "./timeline-chart.tsx";
import type { Timeline } from "./timeline.ts";
import type { View } from "./view.ts";

/** Lines of the log that the server renders; the browser's script fetches the rest. */
export const SERVED_LINES = 1000;
/** About so many lines a page keeps at a time; of a longer log it shows the end first. */
export const KEPT_LINES = 20_000;

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

function LogPanel({ job, log }: { job: JobView; log: LogPage }) {
  const newer = log.next < job.log_lines;
  return (
    <section class="log-panel" aria-labelledby="log-title">
      <div class="log-bar">
        <h2 id="log-title">Log</h2>
        <fieldset class="levels">
          <legend class="hidden">Levels that are shown</legend>
          {LOG_LEVELS.map((level) => (
            <label>
              <input
                type="checkbox"
                name="level"
                value={level}
                id={`show-${level}`}
                checked={level !== "debug"}
              />
              {level}
            </label>
          ))}
        </fieldset>
        <span id="log-status" class="muted" role="status">
          {`${job.log_lines} lines`}
        </span>
        <span class="links">
          <a href={`/api/v1/jobs/${job.id}/log?${attemptQuery(job)}format=yaml`}>YAML</a>
          {job.state !== "Finished" && (
            <noscript>
              <a href={`/jobs/${job.id}`}>Reload</a>
            </noscript>
          )}
        </span>
      </div>
      <div class="log-frame">
        <div
          id="log"
          class="log"
          tabindex={0}
          role="region"
          aria-label="Log of the job"
          data-job={job.id}
          data-attempt={job.attempt ?? 1}
          data-first={log.start}
          data-next={log.next}
          data-complete={String(log.complete)}
        >
          <a
            id="older"
            class="more"
            href={startAddress(log.start - SERVED_LINES, job)}
            hidden={log.start === 0}
          >
            Older lines
          </a>
          <div id="lines">{raw(logHtml(log.records, log.start))}</div>
          <a id="newer" class="more" href={startAddress(log.next, job)} hidden={!newer}>
            Newer lines
          </a>
        </div>
        <button id="to-end" class="to-end" type="button" hidden>
          ↓ End
        </button>
      </div>
    </section>
  );
}
