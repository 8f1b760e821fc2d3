import type { JobList } from "#protocol/api.ts";
import { JOB_HEALTHS, JOB_STATES } from "#protocol/states.ts";
import type { JobsView } from "../domain/queries/job-views.ts";
import { addressOf, ExportLinks } from "./export-links.tsx";
import { Choice, Field } from "./filter-fields.tsx";
import { FILTERS, isFiltered, type JobsFilter } from "./jobs-filter.ts";
import { JobsTable } from "./jobs-table.tsx";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

/** What the query string of `/` says. */
interface JobsQuery extends JobsFilter {
  cursor?: string | undefined;
  /** Cursors of the pages before this one, oldest first, joined by dots. */
  trail?: string | undefined;
}

/** Jobs in a file. */
export const MOST_EXPORTED = 200;

interface JobsPageProps {
  view: View;
  list: JobList;
  query: JobsQuery;
  deviceTypes: string[];
  /** The person's own. */
  views: JobsView[];
}

/** `/`: jobs, newest first, filtered by what the address says. */
export function JobsPage({ view, list, query, deviceTypes, views }: JobsPageProps) {
  return (
    <Page view={view} title="Jobs" section="/" script="list-page.js">
      <h1>Jobs</h1>
      <Views view={view} query={query} views={views} />
      <Filters query={query} deviceTypes={deviceTypes} />
      <div id="live">
        {list.jobs.length > 0 && <JobsTable jobs={list.jobs} now={view.now} />}
        {list.jobs.length === 0 && <Nothing query={query} list={list} />}
        <Pages query={query} list={list} />
      </div>
      <footer class="page-foot">
        {view.user && !view.archive && <ThisView query={query} views={views} />}
        <ExportLinks path="/" query={filterOf(query)} what={`the newest ${MOST_EXPORTED}`} />
      </footer>
    </Page>
  );
}

const filterOf = (query: JobsQuery): JobsFilter =>
  Object.fromEntries(FILTERS.map((name) => [name, query[name]]));

const isSame = (one: JobsFilter, other: object): boolean =>
  FILTERS.every((name) => one[name] === (other as JobsFilter)[name]);

const FAILED = { health: "Incomplete" } as const;
const RUNNING = { state: "Running" } as const;

/** All, what most people look for, and what the person has kept. */
function Views({ view, query, views }: Pick<JobsPageProps, "view" | "query" | "views">) {
  const mine = view.user && ([["Mine", { submitter: view.user.name }]] as const);
  const tabs: readonly (readonly [string, object])[] = [
    ["All", {}],
    ...(mine ?? []),
    ["Running", RUNNING],
    ["Failed", FAILED],
    ...views.map(({ label, filter }) => [label, filter] as const),
  ];
  return (
    <nav class="tabs" aria-label="Views of the jobs">
      {tabs.map(([label, filter]) => (
        <a
          href={addressOf("/", filter as Record<string, string>)}
          aria-current={isSame(query, filter) ? "page" : undefined}
        >
          {label}
        </a>
      ))}
    </nav>
  );
}

/** Keeps a filter that has no tab yet, or removes the tab that it has. */
function ThisView({ query, views }: Pick<JobsPageProps, "query" | "views">) {
  if (!isFiltered(query)) return <span></span>;
  const kept = views.find(({ filter }) => isSame(query, filter));
  if (kept) {
    return (
      <form method="post" action="/views/remove">
        <input type="hidden" name="name" value={kept.name} />
        <button>{`Remove view “${kept.label}”`}</button>
      </form>
    );
  }
  return (
    <form method="post" action="/views" class="keep-view">
      {FILTERS.map(
        (name) => query[name] && <input type="hidden" {...{ name }} value={query[name]} />,
      )}
      <label>
        Keep this filter as a view
        <input name="name" required maxlength={60} size={18} placeholder="its name" />
      </label>
      <button>Keep</button>
    </form>
  );
}

function Filters({ query, deviceTypes }: Pick<JobsPageProps, "query" | "deviceTypes">) {
  const { device, submitter, since, until } = query;
  const isOpen = [device, submitter, since, until].some((value) => value !== undefined);
  return (
    <form class="filters" role="search" aria-label="Filter jobs">
      <label>
        Text
        <input type="search" name="text" value={query.text ?? ""} size={18} maxlength={200} />
      </label>
      <Choice name="state" label="State" options={JOB_STATES} value={query.state} />
      <Choice name="health" label="Health" options={JOB_HEALTHS} value={query.health} />
      <Choice name="device_type" label="Type" options={deviceTypes} value={query.device_type} />
      <details open={isOpen}>
        <summary>More</summary>
        <Field name="device" label="Device" value={device} />
        <Field name="submitter" label="Submitter" value={submitter} />
        <Field name="since" label="Since" value={since} type="date" />
        <Field name="until" label="Until" value={until} type="date" />
      </details>
      <button>Filter</button>
      {isFiltered(query) && <a href="/">Clear</a>}
    </form>
  );
}

function Nothing({ query, list }: Pick<JobsPageProps, "query" | "list">) {
  if (list.next_cursor !== undefined)
    return <p class="nothing">None among these; older jobs may fit.</p>;
  if (isFiltered(query)) {
    return (
      <p class="nothing">
        No job fits this filter. <a href="/">Show all</a>
      </p>
    );
  }
  if (query.cursor !== undefined) return <p class="nothing">There are no older jobs.</p>;
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

function Pages({ query, list }: Pick<JobsPageProps, "query" | "list">) {
  const trail = (query.trail ?? "").split(".").filter(Boolean);
  const newer = { cursor: trail.at(-1), trail: trail.slice(0, -1).join(".") };
  const older = {
    cursor: list.next_cursor,
    trail: [...trail, ...(query.cursor === undefined ? [] : [query.cursor])].slice(-50).join("."),
  };
  const filter = filterOf(query);
  return (
    <nav class="pages" aria-label="Pages of jobs">
      {query.cursor !== undefined && (
        <>
          <a href={addressOf("/", filter)}>Newest</a>
          <a rel="prev" href={addressOf("/", { ...filter, ...newer })}>
            ← Newer
          </a>
        </>
      )}
      {list.next_cursor !== undefined && (
        <a rel="next" href={addressOf("/", { ...filter, ...older })}>
          Older →
        </a>
      )}
    </nav>
  );
}
