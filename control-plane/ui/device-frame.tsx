import type { Child } from "hono/jsx";
import type { DeviceRecord } from "../domain/device-record.ts";
import type { AssetName } from "./assets.ts";
import { Page } from "./page.tsx";
import { Status } from "./status.tsx";
import type { View } from "./view.ts";

const TABS = [
  ["", "Overview"],
  ["/jobs", "Jobs"],
  ["/dictionary", "Dictionary"],
  ["/configuration", "Configuration"],
  ["/history", "History"],
  ["/console", "Console"],
] as const;

interface FrameProps {
  view: View;
  device: Pick<DeviceRecord, "hostname" | "state" | "health" | "device_type">;
  /** Which of its pages this is. */
  tab: (typeof TABS)[number][0];
  script?: AssetName;
  children?: Child;
}

/** What all pages of a device have in common: its name, how it is, the way to the others. */
export function DeviceFrame({ view, device, tab, script, children }: FrameProps) {
  const { hostname, state, health, device_type } = device;
  const name = TABS.find(([path]) => path === tab)?.[1];
  const title = tab === "" ? hostname : `${name} of ${hostname}`;
  return (
    <Page view={view} title={title} section="/devices" {...(script ? { script } : {})}>
      <div class="job-title device-title" id="device-title" data-live="">
        <h1>{hostname}</h1>
        <Status value={state} />
        <Status value={health} />
        <a href={`/device-types/${encodeURIComponent(device_type)}`}>{device_type}</a>
      </div>
      <DeviceTabs hostname={hostname} tab={tab} />
      {children}
    </Page>
  );
}

/** The way between the pages of a device. */
export function DeviceTabs({ hostname, tab }: { hostname: string; tab: FrameProps["tab"] }) {
  const here = `/devices/${encodeURIComponent(hostname)}`;
  return (
    <nav class="tabs" aria-label={`Pages of ${hostname}`}>
      {TABS.map(([path, label]) => (
        <a href={`${here}${path}`} aria-current={path === tab ? "page" : undefined}>
          {label}
        </a>
      ))}
    </nav>
  );
}
