import type { QueryList } from "#protocol/queries.ts";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

/** `/queries`: those that one may use. */
export const QueriesPage = ({ view, list }: { view: View; list: QueryList }) => (
  <Page view={view} title="Queries" section="/queries">
    <h1>Queries</h1>
    {list.queries.length === 0 && (
      <p class="nothing">
        There is none that you may use. <code>pumice queries add</code> saves one.
      </p>
    )}
    <ul>
      {list.queries.map(({ owner, name, description }) => (
        <li>
          <a href={`/queries/${encodeURIComponent(owner)}/${encodeURIComponent(name)}`}>
            {`${owner}/${name}`}
          </a>{" "}
          <span class="muted">{description}</span>
        </li>
      ))}
    </ul>
    {list.next_cursor !== undefined && (
      <nav class="pages" aria-label="Pages of queries">
        <a rel="next" href={`?cursor=${encodeURIComponent(list.next_cursor)}`}>
          More →
        </a>
      </nav>
    )}
  </Page>
);
