import type { JobList } from "#protocol/api.ts";
import type { BoardDevice } from "../domain/device-board.ts";
import { DeviceFrame } from "./device-frame.tsx";
import { DeviceStrip } from "./device-strip.tsx";
import { JobsTable } from "./jobs-table.tsx";
import type { View } from "./view.ts";

interface Props {
  view: View;
  device: BoardDevice;
  list: JobList;
  isFirstPage: boolean;
}

/** `/devices/HOSTNAME/jobs`: the jobs that it has and had, the newest first. */
export function DeviceJobsPage({ view, device, list, isFirstPage }: Props) {
  const here = `/devices/${encodeURIComponent(device.hostname)}/jobs`;
  return (
    <DeviceFrame view={view} device={device} tab="/jobs" script="list-page.js">
      <div id="live">
        <DeviceStrip hostname={device.hostname} jobs={device.recent} />
        {list.jobs.length > 0 && <JobsTable jobs={list.jobs} now={view.now} />}
        {list.jobs.length === 0 && (
          <p class="nothing">
            {isFirstPage
              ? "No job has run on it yet."
              : "There are no older jobs that you may see."}
          </p>
        )}
        <nav class="pages" aria-label="Pages of jobs">
          {!isFirstPage && <a href={here}>Newest</a>}
          {list.next_cursor !== undefined && (
            <a rel="next" href={`${here}?cursor=${encodeURIComponent(list.next_cursor)}`}>
              Older →
            </a>
          )}
        </nav>
      </div>
    </DeviceFrame>
  );
}
