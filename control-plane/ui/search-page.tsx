import type { Child } from "hono/jsx";
import type { Found } from "../domain/search-lab.ts";
import { JobsTable } from "./jobs-table.tsx";
import { Page } from "./page.tsx";
import type { DocsHit } from "./search-docs.ts";
import type { View } from "./view.ts";

interface SearchProps {
  view: View;
  text: string;
  found: Found;
  docs: readonly DocsHit[];
}

/** `/search?q=`: what whoever asks may see of it, in groups. */
export function SearchPage({ view, text, found, docs }: SearchProps) {
  const jobs = [...(found.job ? [found.job] : []), ...found.jobs];
  const groups = groupsOf(found, docs, view.user?.admin ?? false);
  const isEmpty = jobs.length === 0 && groups.length === 0;
  return (
    <Page view={view} title={text === "" ? "Search" : `Search: ${text}`}>
      <h1>{text === "" ? "Search" : `Found for “${text}”`}</h1>
      <form class="filters" role="search" aria-label="Search again" action="/search">
        <label>
          Words, or a job’s number
          <input type="search" name="q" value={text} size={30} maxlength={200} autofocus />
        </label>
        <button>Search</button>
      </form>
      {isEmpty && <Nothing text={text} />}
      {jobs.length > 0 && (
        <Group name="Jobs">
          <JobsTable jobs={jobs} now={view.now} />
        </Group>
      )}
      {groups.map(({ name, hits }) => (
        <Group name={name}>
          <ul class="plain hits">
            {hits.map((hit) => (
              <li>
                <a href={hit.href}>{hit.name}</a>
                {hit.about !== "" && <small>{hit.about}</small>}
              </li>
            ))}
          </ul>
        </Group>
      ))}
      {!isEmpty && (
        <p class="muted">
          Of jobs the newest 1,000 are looked through, of everything else the first 1,000 by name;
          what you may not see is not among it. <a href={jobsPath(text)}>Older jobs</a> are found
          with the filter of the jobs.
        </p>
      )}
    </Page>
  );
}

const Group = ({ name, children }: { name: string; children: Child }) => {
  const id = `found-${name.toLowerCase().replaceAll(" ", "-")}`;
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{name}</h2>
      {children}
    </section>
  );
};

const Nothing = ({ text }: { text: string }) =>
  text === "" ? (
    <p class="nothing">
      Type words of a job’s description, a job’s number, or the name of a device, a device type, a
      worker, a query. The key <kbd>/</kbd> comes here from every page.
    </p>
  ) : (
    <div class="nothing">
      <p>Nothing that you may see fits. Of jobs the newest 1,000 were looked through.</p>
      <p>
        <a href={jobsPath(text)}>Look for older jobs with these words</a>
      </p>
    </div>
  );

const jobsPath = (text: string): string => `/?${new URLSearchParams({ text })}`;
const enc = encodeURIComponent;

interface HitGroup {
  name: string;
  hits: readonly { href: string; name: string; about: string }[];
}

/** All that was found but jobs, as the page lists it. */
function groupsOf(found: Found, docs: readonly DocsHit[], isAdmin: boolean): HitGroup[] {
  const { devices, deviceTypes, workers, queries, users, groups } = found;
  const named =
    (path: string) =>
    ({ name, description }: { name: string; description?: string }) => ({
      ...{ href: `${path}/${enc(name)}`, name, about: description ?? "" },
    });
  return [
    {
      name: "Devices",
      hits: devices.map(({ hostname, device_type, description }) => ({
        href: `/devices/${enc(hostname)}`,
        name: hostname,
        about: [device_type, description].filter(Boolean).join(" · "),
      })),
    },
    { name: "Device types", hits: deviceTypes.map(named("/device-types")) },
    { name: "Workers", hits: workers.map(named("/workers")) },
    {
      name: "Queries",
      hits: queries.map(({ owner, name, description }) => ({
        href: `/queries/${enc(owner)}/${enc(name)}`,
        name: `${owner}/${name}`,
        about: description,
      })),
    },
    {
      name: "Users",
      hits: users.map(({ name, full_name }) => ({
        ...{ href: `/admin/users/${enc(name)}`, name, about: full_name },
      })),
    },
    {
      name: "Groups",
      // Others look at their own on their page.
      hits: groups.map((group) => ({
        ...named("/admin/groups")(group),
        ...(isAdmin ? {} : { href: "/account" }),
      })),
    },
    {
      name: "Documentation",
      hits: docs.map(({ href, title, heading, excerpt }) => ({
        href,
        name: heading === title || heading === "" ? title : `${title}: ${heading}`,
        about: excerpt,
      })),
    },
  ].filter(({ hits }) => hits.length > 0);
}
