import { DEVICE_HEALTHS, DEVICE_STATES } from "#protocol/states.ts";
import type { Board, BoardDevice, BoardFilter } from "../domain/device-board.ts";
import { StripLegend } from "./device-strip.tsx";
import { DeviceTable } from "./device-table.tsx";
import { Choice, Field } from "./filter-fields.tsx";
import { LabTabs } from "./lab-tabs.tsx";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import type { View } from "./view.ts";

/** What the query string of `/devices` says. */
export type DevicesQuery = BoardFilter & { cursor?: string | undefined };

interface DevicesProps {
  view: View;
  board: Board;
  query: DevicesQuery;
  /** To choose from: the first of many. */
  types: readonly string[];
}

const FILTERS = ["text", "device_type", "state", "health", "worker", "tag"] as const;

/** `/devices`: by type, how each device is, what it does and how its last jobs ended. */
export function DevicesPage({ view, board, query, types }: DevicesProps) {
  const { devices, next_cursor } = board;
  const isFiltered = FILTERS.some((name) => query[name] !== undefined);
  const isWhole = query.cursor === undefined && next_cursor === undefined;
  const isEmpty = devices.length === 0 && isWhole && !isFiltered;
  return (
    <Page view={view} title="Devices" section="/devices" script="list-page.js">
      <h1>Devices</h1>
      <LabTabs open="/devices" />
      {!isEmpty && <Filters query={query} types={types} isFiltered={isFiltered} />}
      <div id="live">
        {isEmpty && <NoDevices isAdmin={view.user?.admin ?? false} />}
        {devices.length > 0 && (
          <p class="board-sum">
            <Counts devices={devices} />
            {!isWhole && <span class="muted"> on this page</span>}
          </p>
        )}
        {devices.length === 0 && !isEmpty && (
          <p class="nothing">
            {next_cursor === undefined
              ? "No device fits this filter."
              : "None among these; others may fit."}
          </p>
        )}
        {groupsOf(devices).map(([type, group]) => (
          <Group type={type} devices={group} />
        ))}
        {devices.length > 0 && <StripLegend />}
        <Pages query={query} next={next_cursor} />
      </div>
    </Page>
  );
}

function Filters({
  query,
  types,
  isFiltered,
}: Pick<DevicesProps, "query" | "types"> & { isFiltered: boolean }) {
  return (
    <form class="filters" role="search" aria-label="Filter devices">
      <Field name="text" label="Name" value={query.text} />
      <Choice name="device_type" label="Type" options={types} value={query.device_type} />
      <Choice name="state" label="State" options={DEVICE_STATES} value={query.state} />
      <Choice name="health" label="Health" options={DEVICE_HEALTHS} value={query.health} />
      <Field name="worker" label="Worker" value={query.worker} />
      <Field name="tag" label="Tag" value={query.tag} />
      <button>Filter</button>
      {isFiltered && <a href="/devices">Clear</a>}
    </form>
  );
}

const NoDevices = ({ isAdmin }: { isAdmin: boolean }) => (
  <div class="nothing">
    <p>
      This lab has no devices yet.{" "}
      {isAdmin ? (
        <>
          <a href="/welcome">The first steps</a> lead to one, until there has been a job. From a
          shell:
        </>
      ) : (
        "An administrator adds one from a shell:"
      )}
    </p>
    <pre>pumice devices add HOSTNAME --type TYPE --worker WORKER --dictionary DEVICE.jinja2</pre>
    <p>
      <a href="/docs/devices">How devices are described</a>
    </p>
  </div>
);

function Group({ type, devices }: { type: string; devices: readonly BoardDevice[] }) {
  return (
    <details class="board" id={`type-${type}`} open>
      <summary>
        <h2>{type}</h2> <Counts devices={devices} />
      </summary>
      <p class="board-links">
        <a href={`/device-types/${encodeURIComponent(type)}`}>
          About<span class="hidden">{` ${type}`}</span> this type
        </a>
      </p>
      <DeviceTable devices={devices} label={`Devices of type ${type}`} belongs="worker" />
    </details>
  );
}

const STATES = ["Idle", "Running", "Reserved"] as const;
const HEALTHS = ["Bad", "Looping", "Maintenance", "Unknown", "Retired"] as const;

/** `12 devices: 8 idle, 3 running; 1 Bad`: a healthy device is not worth a word. */
export function Counts({ devices }: { devices: readonly Pick<BoardDevice, "state" | "health">[] }) {
  const states = STATES.map(
    (state) => [state, devices.filter((device) => device.state === state).length] as const,
  ).filter(([, count]) => count > 0);
  const healths = HEALTHS.map(
    (health) => [health, devices.filter((device) => device.health === health).length] as const,
  ).filter(([, count]) => count > 0);
  return (
    <span class="counts">
      <span>{`${devices.length} device${devices.length === 1 ? "" : "s"}`}</span>{" "}
      <span class="muted">
        {states.map(([state, count]) => `${count} ${state.toLowerCase()}`).join(", ")}
      </span>{" "}
      {healths.map(([health, count]) => (
        <>
          <Status value={health} count={count} />{" "}
        </>
      ))}
    </span>
  );
}

/** They come by type. */
function groupsOf(devices: readonly BoardDevice[]): [string, BoardDevice[]][] {
  const groups = new Map<string, BoardDevice[]>();
  for (const device of devices) {
    const group = groups.get(device.device_type);
    if (group) group.push(device);
    else groups.set(device.device_type, [device]);
  }
  return [...groups];
}

const Pages = ({ query, next }: { query: DevicesQuery; next: string | undefined }) => (
  <nav class="pages" aria-label="Pages of devices">
    {query.cursor !== undefined && <a href={addressOf({ ...query, cursor: undefined })}>First</a>}
    {next !== undefined && (
      <a rel="next" href={addressOf({ ...query, cursor: next })}>
        Next →
      </a>
    )}
  </nav>
);

function addressOf(query: DevicesQuery): string {
  const entries = Object.entries(query).filter((entry): entry is [string, string] =>
    Boolean(entry[1]),
  );
  const text = new URLSearchParams(entries).toString();
  return text === "" ? "/devices" : `/devices?${text}`;
}
