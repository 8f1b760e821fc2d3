import type { QueryList, QueryView } from "#protocol/queries.ts";
import { conditionText } from "../domain/queries/conditions.ts";
import { ExportLinks } from "./export-links.tsx";
import { Page } from "./page.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

const ENTITY_NAMES = { testjob: "jobs", testsuite: "suites", testcase: "test cases" } as const;

/** `/queries`: those that one may use, one's own first. */
export function QueriesPage({ view, list }: { view: View; list: QueryList }) {
  const own = list.queries.filter(({ owner }) => owner === view.user?.name);
  const others = list.queries.filter(({ owner }) => owner !== view.user?.name);
  return (
    <Page view={view} title="Queries" section="/queries">
      <div class="toolbar">
        <h1>Queries</h1>
        {!view.archive && (
          <a class="button" href="/queries/new">
            New query
          </a>
        )}
      </div>
      {list.queries.length === 0 && list.next_cursor !== undefined && (
        <p class="nothing">None among these; others may be yours or shared with you.</p>
      )}
      {list.queries.length === 0 && list.next_cursor === undefined && (
        <p class="nothing">
          None yet. A query keeps conditions on jobs, suites or test cases, and draws how they did
          over time.
        </p>
      )}
      {own.length > 0 && <QueryTable title="Yours" queries={own} now={view.now} />}
      {others.length > 0 && <QueryTable title="Shared with you" queries={others} now={view.now} />}
      <nav class="pages" aria-label="Pages of queries">
        {list.next_cursor !== undefined && (
          <a rel="next" href={`?cursor=${encodeURIComponent(list.next_cursor)}`}>
            More →
          </a>
        )}
      </nav>
      {list.queries.length > 0 && <ExportLinks path="/queries" />}
    </Page>
  );
}

const QueryTable = ({
  title,
  queries,
  now,
}: {
  title: string;
  queries: QueryView[];
  now: number;
}) => (
  <section>
    <h2>{title}</h2>
    <table class="listed queries">
      <thead>
        <tr>
          <th scope="col">Query</th>
          <th scope="col">Of</th>
          <th scope="col">Conditions</th>
          <th scope="col">Shared with</th>
          <th scope="col">Changed</th>
        </tr>
      </thead>
      <tbody>
        {queries.map((query) => (
          <tr>
            <td class="name">
              <a href={queryPath(query)}>{`${query.owner}/${query.name}`}</a>
              {query.description !== "" && <small>{query.description}</small>}
            </td>
            <td>{ENTITY_NAMES[query.entity]}</td>
            <td class="conditions">
              {query.conditions.length === 0
                ? "all"
                : query.conditions.map((one) => <code>{conditionText(one)}</code>)}
            </td>
            <td>{sharedWith(query)}</td>
            <td class="when">
              <Ago iso={query.changed} now={now} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  </section>
);

export const queryPath = ({ owner, name }: Pick<QueryView, "owner" | "name">): string =>
  `/queries/${encodeURIComponent(owner)}/${encodeURIComponent(name)}`;

export function sharedWith({ published, group }: QueryView): string {
  if (published) return "everybody";
  return group === undefined ? "nobody" : `group ${group}`;
}
