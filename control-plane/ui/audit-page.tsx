import { CHANGED_KINDS, type AuditEntry, type AuditPage as Entries } from "#protocol/people.ts";
import { AdminFrame } from "./admin-frame.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";
import { Who } from "./who.tsx";

/** What the query string of `/audit` says. */
export interface AuditQuery {
  kind?: string | undefined;
  name?: string | undefined;
  who?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  cursor?: string | undefined;
}

interface AuditProps {
  view: View;
  page: Entries;
  query: AuditQuery;
}

const FIELDS = [
  ["who", "Who", "lava-health is the lab itself, and its health checks"],
  ["name", "Name", "of the device, worker, user ..."],
  ["from", "From", "2026-11-22 or 2026-11-22T08:00:00Z"],
  ["to", "To", "2026-11-22 or 2026-11-22T08:00:00Z"],
] as const;

/** `/audit`: what people did and which healths changed, newest first, for administrators. */
export function AuditPage({ view, page, query }: AuditProps) {
  return (
    <AdminFrame view={view} title="Audit" tab="/audit">
      <form class="filters" role="search" aria-label="Filter entries">
        {FIELDS.map(([name, label, hint]) => (
          <label>
            {label}
            <input
              name={name}
              value={query[name] ?? ""}
              size={12}
              title={hint}
              autocomplete="off"
              spellcheck={false}
            />
          </label>
        ))}
        <label>
          Kind
          <select name="kind">
            <option value="">any</option>
            {CHANGED_KINDS.map((kind) => (
              <option selected={kind === query.kind}>{kind}</option>
            ))}
          </select>
        </label>
        <button>Filter</button>
        {Object.values(query).some(Boolean) && <a href="/audit">Clear</a>}
      </form>
      {page.entries.length > 0 ? (
        <Entries entries={page.entries} now={view.now} />
      ) : (
        <p class="nothing">
          {page.next_cursor === undefined
            ? "No entry fits this filter."
            : "None among these; older entries may fit."}
        </p>
      )}
      <nav class="pages" aria-label="Pages of entries">
        {page.next_cursor !== undefined && (
          <a rel="next" href={addressOf({ ...query, cursor: page.next_cursor })}>
            Older →
          </a>
        )}
      </nav>
    </AdminFrame>
  );
}

const Entries = ({ entries, now }: { entries: AuditEntry[]; now: number }) => (
  <table class="audit">
    <thead>
      <tr>
        <th scope="col">When</th>
        <th scope="col">Who</th>
        <th scope="col">What</th>
        <th scope="col">Changed</th>
        <th scope="col">Why</th>
      </tr>
    </thead>
    <tbody>
      {entries.map(({ time, who, kind, name, changed, reason }) => (
        <tr>
          <td>
            <Ago iso={time} now={now} />
          </td>
          <td>
            <Who who={who} reason={reason} href={addressOf({ who })} />
          </td>
          <td class="name">
            <a href={addressOf({ kind, name })}>{`${kind} ${name}`}</a>
          </td>
          <td>
            {Object.entries(changed).map(([field, [from, to]]) => (
              <div>{`${field}: ${from ?? "–"} → ${to ?? "–"}`}</div>
            ))}
          </td>
          <td>{reason ?? ""}</td>
        </tr>
      ))}
    </tbody>
  </table>
);

function addressOf(query: AuditQuery): string {
  const filled = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  return `/audit?${new URLSearchParams(filled as [string, string][])}`;
}
