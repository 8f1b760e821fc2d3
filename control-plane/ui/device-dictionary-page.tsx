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
  refused?: RefusedText | undefined;
}

/** What somebody wanted it to be, and why it can't. */
export interface RefusedText {
  text: string;
  comment: string;
  reason: string;
}

/** `/devices/HOSTNAME/dictionary`: the text that says what the device is, its versions, and what changed between them. */
export function DeviceDictionaryPage({ view, device, shown, mayChange, refused }: Props) {
  const { hostname } = device;
  const here = `/devices/${encodeURIComponent(hostname)}/dictionary`;
  const format = shown?.format;
  const label = format === "configuration" ? "Configuration" : "Dictionary";
  const isEditable = mayChange && view.user !== undefined && !view.archive;
  return (
    <DeviceFrame view={view} device={device} tab="/dictionary">
      {format === "configuration" && (
        <p class="muted">
          It has no dictionary: this is its configuration, which no template takes part in.
        </p>
      )}
      {refused && (
        <p class="notice bad" role="alert">
          {refused.reason}
        </p>
      )}
      {shown ? (
        <VersionedTextView {...{ shown, here, label, now: view.now }} mayPutBack={isEditable} />
      ) : (
        <p class="nothing">It has no dictionary.</p>
      )}
      {isEditable && format !== "configuration" && (
        <Edit here={here} shown={shown} refused={refused} />
      )}
    </DeviceFrame>
  );
}

/** Folded until somebody wants it, or what they sent was refused. */
function Edit({ here, shown, refused }: Pick<Props, "shown" | "refused"> & { here: string }) {
  // One that was removed: it was so by its last version.
  const current = shown?.current ?? shown?.versions[0]?.version ?? 0;
  return (
    <details class="edit" id="edit" open={refused !== undefined}>
      <summary>Edit</summary>
      <form method="post" action={here} class="text-form">
        <label for="text">
          Jinja2; it is tried out before it is saved, and jobs that begin then get it
        </label>
        <textarea id="text" name="text" rows={20} spellcheck={false} wrap="off">
          {/* A browser drops the first line break of a text area. */}
          {`\n${refused?.text ?? shown?.text ?? ""}`}
        </textarea>
        <input type="hidden" name="version" value={String(current)} />
        <label for="comment">Why</label>
        <input
          id="comment"
          name="comment"
          value={refused?.comment ?? ""}
          maxlength={1000}
          size={50}
          autocomplete="off"
        />
        <button class="primary">Save</button>
      </form>
    </details>
  );
}
