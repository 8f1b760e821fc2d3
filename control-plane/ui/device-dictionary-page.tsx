import type { BoardDevice } from "../domain/device-board.ts";
import { DeviceFrame } from "./device-frame.tsx";
import { VersionedTextView, type VersionedText } from "./versioned-text.tsx";
import type { View } from "./view.ts";

interface Props {
  view: View;
  device: BoardDevice;
  /** Undefined: it has none. */
  shown: VersionedText | undefined;
  /** Whether who looks at it may change it. */
  mayChange: boolean;
}

/** `/devices/HOSTNAME/dictionary`: the text that says what the device is, its versions, and what changed between them. */
export function DeviceDictionaryPage({ view, device, shown, mayChange }: Props) {
  const { hostname } = device;
  const here = `/devices/${encodeURIComponent(hostname)}/dictionary`;
  const format = shown?.versions.find(({ version }) => version === shown.version)?.format;
  const label = format === "configuration" ? "Configuration" : "Dictionary";
  const isEditable = mayChange && view.user !== undefined && !view.archive;
  return (
    <DeviceFrame view={view} device={device} tab="/dictionary">
      {format === "configuration" && (
        <p class="muted">
          It has no dictionary: this is its configuration, which no template takes part in.
        </p>
      )}
      {shown ? (
        <VersionedTextView {...{ shown, here, label, now: view.now }} mayPutBack={isEditable} />
      ) : (
        <p class="nothing">It has no dictionary.</p>
      )}
      {isEditable && (
        <p class="muted">
          From a shell: <code>{`pumice devices dictionary ${hostname} FILE.jinja2`}</code>
        </p>
      )}
    </DeviceFrame>
  );
}
