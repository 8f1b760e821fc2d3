import { Page } from "./page.tsx";
import { SourceText, VersionedTextView, type VersionedText } from "./versioned-text.tsx";
import type { View } from "./view.ts";

interface Props {
  view: View;
  type: string;
  which: "template" | "health-check";
  /** The lab's own with its versions, or Pumice's as it is. */
  shown: VersionedText | string;
}

const NAMES = { template: "Template", "health-check": "Health check" } as const;

/** `/device-types/NAME/template` and `/health-check`: what makes a type, and what changed of it. */
export function DeviceTypeTextPage({ view, type, which, shown }: Props) {
  const up = `/device-types/${encodeURIComponent(type)}`;
  const label = NAMES[which];
  return (
    <Page view={view} title={`${label} of ${type}`} section="/devices">
      <h1>
        {`${label} of `}
        <a href={up}>{type}</a>
      </h1>
      {typeof shown === "string" ? (
        <>
          <p class="muted">It is Pumice’s; one of the lab’s own of the same name would win.</p>
          <SourceText text={shown} label={label} />
        </>
      ) : (
        <VersionedTextView
          {...{ shown, label, here: `${up}/${which}`, now: view.now }}
          mayPutBack={false}
        />
      )}
    </Page>
  );
}
