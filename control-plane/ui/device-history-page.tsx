import type { History } from "#protocol/history.ts";
import type { BoardDevice } from "../domain/device-board.ts";
import { ChangesTable } from "./changes-table.tsx";
import { DeviceFrame } from "./device-frame.tsx";
import type { View } from "./view.ts";

interface Props {
  view: View;
  device: BoardDevice;
  history: History;
  isFirstPage: boolean;
}

/** `/devices/HOSTNAME/history`: its health log, and whatever else changed of it, with who and why; its health checks. */
export function DeviceHistoryPage({ view, device, history, isFirstPage }: Props) {
  const here = `/devices/${encodeURIComponent(device.hostname)}/history`;
  const checks = device.recent.filter(({ isHealthCheck }) => isHealthCheck);
  return (
    <DeviceFrame view={view} device={device} tab="/history" script="list-page.js">
      <div id="live">
        <section>
          <h2>Health checks among its last jobs</h2>
          {checks.length === 0 ? (
            <p class="muted">None.</p>
          ) : (
            <p>
              {checks.map(({ id, health }, n) => (
                <>
                  {n > 0 && ", "}
                  <a href={`/jobs/${id}`}>{`#${id} ${health}`}</a>
                </>
              ))}
            </p>
          )}
        </section>
        <section>
          <h2>What happened to it</h2>
          <ChangesTable changes={history.changes} now={view.now} />
        </section>
        <nav class="pages" aria-label="Pages of changes">
          {!isFirstPage && <a href={here}>Newest</a>}
          {history.next_cursor !== undefined && (
            <a rel="next" href={`${here}?cursor=${encodeURIComponent(history.next_cursor)}`}>
              Older →
            </a>
          )}
        </nav>
      </div>
    </DeviceFrame>
  );
}
