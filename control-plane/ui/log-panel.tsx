import { raw } from "hono/html";
import type { JobView, LogPage } from "#protocol/api.ts";
import { LOG_LEVELS } from "#protocol/log-record.ts";
import { attemptQuery, startAddress } from "./line-address.ts";
import { logHtml } from "./log-html.ts";

/** Lines of the log that the server renders; the browser's script fetches the rest. */
export const SERVED_LINES = 1000;
/** About so many lines a page keeps at a time; of a longer log it shows the end first. */
export const KEPT_LINES = 20_000;

/** The log of a job, and what one does with it. */
export function LogPanel({ job, log }: { job: JobView; log: LogPage }) {
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
