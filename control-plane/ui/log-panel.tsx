import { raw } from "hono/html";
import type { JobView, LogPage } from "#protocol/api.ts";
import { LOG_LEVELS } from "#protocol/log-record.ts";
import { attemptQuery, startAddress } from "./line-address.ts";
import { lineHtml } from "./log-html.ts";
import type { View } from "./view.ts";

/** Lines of the log that the server renders; the browser's script shows all of them. */
export const SERVED_LINES = 500;

interface LogPanelProps {
  view: Pick<View, "assets">;
  job: JobView;
  log: LogPage;
}

/** Where the log begins that the server renders: a job that runs shows its end. */
export const firstServedLine = ({ state, log_lines }: JobView): number =>
  state === "Finished" ? 0 : Math.max(0, log_lines - SERVED_LINES);

/** The log of a job, and what one does with it. Without a script: some lines, and links to those before and after. */
export function LogPanel(props: LogPanelProps) {
  const { job } = props;
  return (
    <section class={hasNone(job) ? "log-panel no-lines" : "log-panel"} aria-labelledby="log-title">
      <div class="log-head">
        <h2 id="log-title">Log</h2>
        <span id="log-status" class="muted" role="status">
          {`${linesOf(job)} lines`}
        </span>
        <span id="selection" class="selection" hidden>
          <span id="selected"></span>
          <button id="copy-link" type="button">
            Copy link
          </button>
        </span>
        <button id="to-failure" type="button" class="danger" hidden>
          Jump to failure
        </button>
        <span class="links">
          <a href={textAddress(job, "text")} download={`job-${job.id}.log`}>
            Text
          </a>
          <a href={textAddress(job, "yaml")} download={`job-${job.id}.yaml`}>
            YAML
          </a>
          {job.state !== "Finished" && (
            <noscript>
              <a href={`/jobs/${job.id}`}>Reload</a>
            </noscript>
          )}
        </span>
      </div>
      <div class="log-bar">
        <FindForm />
        <Levels />
        <Tools />
      </div>
      <div class="log-frame">
        <Frame {...props} />
        <button id="to-end" class="to-end" type="button" hidden>
          ↓ End
        </button>
      </div>
    </section>
  );
}

/** Those that there still are. */
const linesOf = ({ log_lines, log_removed }: JobView): number => (log_removed ? 0 : log_lines);

/** There is nothing to be found, folded or waited for. */
const hasNone = (job: JobView): boolean => job.state === "Finished" && linesOf(job) === 0;

const textAddress = (job: JobView, format: "text" | "yaml"): string =>
  `/api/v1/jobs/${job.id}/log?${attemptQuery(job)}format=${format}`;

function Frame({ view, job, log }: LogPanelProps) {
  const { assets } = view;
  const text = `/api/v1/jobs/${job.id}/log?attempt=${job.attempt ?? 1}&format=text&`;
  return (
    <div
      id="log"
      class="log"
      tabindex={0}
      role="region"
      aria-label="Log of the job"
      data-job={job.id}
      data-attempt={job.attempt ?? 1}
      data-next={log.next}
      data-total={linesOf(job)}
      data-keys="l Link to the line; L to all from the one before"
      data-worker={assets.url("log-worker.js")}
      data-search={assets.url("log-search-worker.js")}
      data-text={text}
    >
      <p id="no-log" class="more muted" hidden={linesOf(job) > 0}>
        {job.log_removed
          ? "The log was removed by a rule of retention. Its results and its definition are kept."
          : "Nothing has been logged."}
      </p>
      <a
        id="older"
        class="more"
        href={startAddress(log.start - SERVED_LINES, job)}
        hidden={log.start === 0}
      >
        Older lines
      </a>
      <div id="lines">
        {raw(log.records.map((record, n) => lineHtml(record, log.start + n, text)).join(""))}
      </div>
      <a
        id="newer"
        class="more"
        href={startAddress(log.next, job)}
        hidden={log.next >= linesOf(job)}
      >
        Newer lines
      </a>
    </div>
  );
}

/** The script shows it: without one it does nothing. */
const FindForm = () => (
  <form id="log-find" class="log-find" role="search" aria-label="Log" hidden>
    <input
      id="find"
      type="search"
      placeholder="Find in the log"
      aria-label="Find in the log"
      data-keys="f Find in the log"
      autocomplete="off"
      autocapitalize="off"
      spellcheck={false}
      maxlength={500}
    />
    <label title="Match upper and lower case">
      <input id="find-case" type="checkbox" aria-label="Match upper and lower case" />
      Aa
    </label>
    <label title="Regular expression">
      <input id="find-regex" type="checkbox" aria-label="Regular expression" />
      .*
    </label>
    <button
      id="find-previous"
      type="button"
      aria-label="Previous match"
      title="Shift+Enter"
      data-keys="N Previous match"
      disabled
    >
      ↑
    </button>
    <button
      id="find-next"
      type="button"
      aria-label="Next match"
      title="Enter"
      data-keys="n Next match"
      disabled
    >
      ↓
    </button>
    <span id="find-count" class="muted" role="status"></span>
  </form>
);

const Levels = () => (
  <details id="levels" class="levels">
    <summary>
      Levels <span id="levels-shown" class="muted"></span>
    </summary>
    <fieldset>
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
          <span class="count muted" aria-hidden="true"></span>
        </label>
      ))}
    </fieldset>
  </details>
);

/** As the form for finding. */
const Tools = () => (
  <span id="log-tools" class="log-tools" hidden>
    <button id="fold-all" type="button">
      Fold all
    </button>
    <button id="unfold-all" type="button">
      Unfold all
    </button>
    <button id="wrap" type="button" aria-pressed="true">
      Wrap
    </button>
  </span>
);
