import type { DeviceTypeView } from "#protocol/api.ts";
import type { Grants } from "#protocol/people.ts";
import type { BoardDevice } from "../domain/device-board.ts";
import type { Durations } from "../domain/durations.ts";
import { DeviceTable } from "./device-table.tsx";
import { atMost, checksText } from "./device-types-page.tsx";
import { Counts } from "./devices-page.tsx";
import { FactList } from "./fact-list.tsx";
import { formatDuration } from "./format-time.ts";
import { GrantsTable } from "./grants-table.tsx";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

/** Where a text of a type comes from; undefined: there is none, or whoever asks may not see it. */
export type TextOrigin = "own" | "stock" | undefined;

export interface DeviceTypeProps {
  view: View;
  type: DeviceTypeView;
  /** Those that whoever asks may see, the first of many. */
  devices: readonly BoardDevice[];
  isPart: boolean;
  aliases: readonly string[];
  durations: Durations;
  /** Undefined: whoever asks may not see the lab's texts. */
  texts: { template: TextOrigin; healthCheck: TextOrigin } | undefined;
  /** For who may administer it. */
  grants: Grants | undefined;
}

/** `/device-types/NAME`: what the type is, its devices, how its jobs go, the texts that make it. */
export function DeviceTypePage(props: DeviceTypeProps) {
  const { view, type, devices, isPart, grants } = props;
  const name = encodeURIComponent(type.name);
  return (
    <Page view={view} title={type.name} section="/devices" script="list-page.js">
      <h1>{type.name}</h1>
      {type.description && <p>{type.description}</p>}
      <div id="live">
        <Facts {...props} />
        <section>
          <div class="toolbar">
            <h2>Devices</h2>
            <a href={`/devices?device_type=${name}`}>On the board</a>
          </div>
          {devices.length === 0 ? (
            <p class="nothing">There is no device of this type that you may see.</p>
          ) : (
            <>
              <p class="board-sum">
                <Counts devices={devices} />
                {isPart && <span class="muted"> among the first</span>}
              </p>
              <DeviceTable devices={devices} label="Devices of this type" belongs="worker" />
            </>
          )}
        </section>
      </div>
      <Texts {...props} />
      {grants && (
        <section>
          <h2>Permissions</h2>
          <GrantsTable grants={grants} others="the lab" />
        </section>
      )}
    </Page>
  );
}

function Facts({ type, devices, aliases, durations }: DeviceTypeProps) {
  const name = encodeURIComponent(type.name);
  const { samples, p50, p90 } = durations;
  const took =
    samples === 0
      ? undefined
      : `${formatDuration(p50 * 1000)} half of them, ${formatDuration(p90 * 1000)} nine of ten`;
  const facts: [string, unknown][] = [
    [
      "Waiting jobs",
      type.queued === 0 ? "none" : <a href={`/queue?device_type=${name}`}>{atMost(type.queued)}</a>,
    ],
    ["Last jobs", <a href={`/?device_type=${name}`}>{passText(devices) ?? "list"}</a>],
    ["Its jobs take", took],
    ["Other names", aliases.length === 0 ? undefined : aliases.join(", ")],
    ["Health checks", checksText(type)],
    ["Failed jobs", type.retry_on === undefined ? undefined : "the lab’s faults are tried again"],
    ["Lists", type.display ? undefined : "leave it out"],
  ];
  return <FactList facts={facts} />;
}

/** `92 % of 48 Complete`: of what its devices remember, without health checks and what somebody canceled. */
function passText(devices: readonly BoardDevice[]): string | undefined {
  const ended = devices
    .flatMap(({ recent }) => recent)
    .filter(({ id, health, isHealthCheck }) => {
      return (
        id !== undefined && !isHealthCheck && (health === "Complete" || health === "Incomplete")
      );
    });
  if (ended.length === 0) return undefined;
  const complete = ended.filter(({ health }) => health === "Complete").length;
  return `${Math.round((100 * complete) / ended.length)} % of ${ended.length} Complete`;
}

function Texts({ type, texts }: DeviceTypeProps) {
  if (!texts) return null;
  const here = `/device-types/${encodeURIComponent(type.name)}`;
  const rows = [
    ["template", `${type.name}.jinja2`, "what its dictionaries extend", texts.template],
    [
      "health-check",
      `${type.name}.yaml`,
      "the job that says whether a device is in order",
      texts.healthCheck,
    ],
  ] as const;
  return (
    <section>
      <h2>Texts</h2>
      <table>
        <thead class="hidden">
          <tr>
            <th scope="col">Text</th>
            <th scope="col">Whose it is</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(([path, file, about, origin]) => (
            <tr>
              <td class="name">
                {origin === undefined ? file : <a href={`${here}/${path}`}>{file}</a>}
                <small>{about}</small>
              </td>
              <td>{origin === undefined ? "there is none" : ORIGINS[origin]}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const ORIGINS = { own: "the lab’s own, with versions", stock: "Pumice’s" } as const;
