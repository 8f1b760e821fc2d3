import type { DeviceTypeView } from "#protocol/api.ts";
import { addressOf } from "./export-links.tsx";
import { LabTabs } from "./lab-tabs.tsx";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

interface Props {
  view: View;
  types: readonly DeviceTypeView[];
  /** Whether the page shows types that lists leave out. */
  withHidden: boolean;
  cursor: string | undefined;
  nextCursor: string | undefined;
}

/** `/device-types`: what kinds of devices the lab has, how many of each, and how many jobs wait for them. */
export function DeviceTypesPage({ view, types, withHidden, cursor, nextCursor }: Props) {
  const shown = types.filter(({ display }) => withHidden || display);
  const left = types.length - shown.length;
  return (
    <Page view={view} title="Device types" section="/devices" script="list-page.js">
      <h1>Device types</h1>
      <LabTabs open="/device-types" />
      <div id="live">
        {shown.length > 0 && <TypesTable types={shown} />}
        {types.length === 0 && (
          <p class="nothing">
            {nextCursor === undefined
              ? "There is no device type that you may see. A type is made with its first device."
              : "None among these; others may be there."}
          </p>
        )}
        <nav class="pages" aria-label="Pages of device types">
          {left > 0 && (
            <a href={addressOf("/device-types", { cursor, all: "yes" })}>
              {`${left} that lists leave out`}
            </a>
          )}
          {nextCursor !== undefined && (
            <a
              rel="next"
              href={addressOf("/device-types", {
                cursor: nextCursor,
                all: withHidden ? "yes" : undefined,
              })}
            >
              Next →
            </a>
          )}
        </nav>
      </div>
    </Page>
  );
}

const TypesTable = ({ types }: { types: readonly DeviceTypeView[] }) => (
  <table class="devices">
    <thead>
      <tr>
        <th scope="col">Type</th>
        <th scope="col" class="number">
          Devices
        </th>
        <th scope="col" class="number">
          Waiting
        </th>
        <th scope="col">Health checks</th>
      </tr>
    </thead>
    <tbody>
      {types.map((type) => {
        const name = encodeURIComponent(type.name);
        return (
          <tr>
            <td class="name">
              <a href={`/device-types/${name}`}>{type.name}</a>
              {type.description && <small>{type.description}</small>}
            </td>
            <td class="number">
              {type.devices === 0 ? (
                "none"
              ) : (
                <a href={`/devices?device_type=${name}`}>
                  {atMost(type.devices)}
                  <span class="phone-only"> devices</span>
                </a>
              )}
            </td>
            <td class="number">
              {type.queued === 0 ? (
                <span class="muted">none</span>
              ) : (
                <a href={`/queue?device_type=${name}`}>{atMost(type.queued)}</a>
              )}
              <span class="phone-only"> waiting</span>
            </td>
            <td>{checksText(type)}</td>
          </tr>
        );
      })}
    </tbody>
  </table>
);

/** They are counted up to a hundred. */
export const atMost = (count: number): string => (count >= 100 ? "100 or more" : String(count));

export function checksText({
  health_disabled,
  health_frequency,
  health_denominator,
}: DeviceTypeView): string {
  if (health_disabled) return "switched off";
  if (health_frequency === 0) return "not by themselves";
  const unit = health_denominator === "hours" ? "h" : "jobs";
  return `each ${health_frequency} ${unit}`;
}
