import type { JobList } from "#protocol/api.ts";
import { JOB_HEALTHS, JOB_STATES } from "#protocol/states.ts";
import { JobsTable } from "./jobs-table.tsx";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

/** What the query string of `/` says. */
interface JobsQuery {
  state?: string | undefined;
  health?: string | undefined;
  device?: string | undefined;
  device_type?: string | undefined;
  submitter?: string | undefined;
  cursor?: string | undefined;
  /** Cursors of the pages before this one, oldest first, joined by dots. */
  trail?: string | undefined;
}

interface JobsPageProps {
  view: View;
  list: JobList;
  query: JobsQuery;
  deviceTypes: string[];
}

const FILTERS = ["state", "health", "device_type", "device", "submitter"] as const;

/** `/`: jobs, newest first, filtered by what the address says. */
export function JobsPage({ view, list, query, deviceTypes }: JobsPageProps) {
  const isFiltered = FILTERS.some((name) => query[name]);
  const isFirstPage = query.cursor === undefined;
  return (
    <Page view={view} title="Jobs" section="/" script="list-page.js">
      <h1>Jobs</h1>
      <Filters query={query} deviceTypes={deviceTypes} isFiltered={isFiltered} />
      <div id="live">
        {list.jobs.length > 0 && <JobsTable jobs={list.jobs} now={view.now} />}
        {list.jobs.length === 0 && (
          <Nothing isFiltered={isFiltered} isFirstPage={isFirstPage} list={list} />
        )}
        <Pages query={query} list={list} />
      </div>
    </Page>
  );
}

function Filters({
  query,
  deviceTypes,
  isFiltered,
}: Pick<JobsPageProps, "query" | "deviceTypes"> & { isFiltered: boolean }) {
  return (
    <form class="filters" role="search" aria-label="Filter jobs">
      <Choice name="state" label="State" options={JOB_STATES} value={query.state} />
      <Choice name="health" label="Health" options={JOB_HEALTHS} value={query.health} />
      <Choice name="device_type" label="Type" options={deviceTypes} value={query.device_type} />
      <Field name="device" label="Device" value={query.device} />
      <Field name="submitter" label="Submitter" value={query.submitter} />
      <button>Filter</button>
      {isFiltered && <a href="/">Clear</a>}
    </form>
  );
}

interface ChoiceProps {
  name: string;
  label: string;
  options: readonly string[];
  value: string | undefined;
}

function Choice({ name, label, options, value }: ChoiceProps) {
  return (
    <label>
      {label}
      <select name={name}>
        <option value="">any</option>
        {options.map((option) => (
          <option value={option} selected={option === value}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}

const Field = ({ name, label, value }: Omit<ChoiceProps, "options">) => (
  <label>
    {label}
    <input name={name} value={value ?? ""} size={12} autocomplete="off" spellcheck={false} />
  </label>
);

function Nothing({
  isFiltered,
  isFirstPage,
  list,
}: {
  isFiltered: boolean;
  isFirstPage: boolean;
  list: JobList;
}) {
  if (list.next_cursor !== undefined)
    return <p class="nothing">None among these; older jobs may fit.</p>;
  if (isFiltered) return <p class="nothing">No job fits this filter.</p>;
  if (!isFirstPage) return <p class="nothing">There are no older jobs.</p>;
  return (
    <div class="nothing">
      <p>No job has been submitted yet.</p>
      <p>
        <a href="/submit">Submit one here</a>, or from a shell:{" "}
        <code>pumice submit job.yaml --watch</code>
      </p>
    </div>
  );
}

function Pages({ query, list }: { query: JobsQuery; list: JobList }) {
  const trail = (query.trail ?? "").split(".").filter(Boolean);
  const newer = { ...query, cursor: trail.at(-1), trail: trail.slice(0, -1).join(".") };
  const older = {
    ...query,
    cursor: list.next_cursor,
    trail: [...trail, ...(query.cursor === undefined ? [] : [query.cursor])].slice(-50).join("."),
  };
  return (
    <nav class="pages" aria-label="Pages of jobs">
      {query.cursor !== undefined && (
        <>
          <a href={addressOf({ ...query, cursor: undefined, trail: undefined })}>Newest</a>
          <a rel="prev" href={addressOf(newer)}>
            ← Newer
          </a>
        </>
      )}
      {list.next_cursor !== undefined && (
        <a rel="next" href={addressOf(older)}>
          Older →
        </a>
      )}
    </nav>
  );
}

function addressOf(query: JobsQuery): string {
  const entries = Object.entries(query).filter((entry): entry is [string, string] =>
    Boolean(entry[1]),
  );
  const text = new URLSearchParams(entries).toString();
  return text === "" ? "/" : `/?${text}`;
}
