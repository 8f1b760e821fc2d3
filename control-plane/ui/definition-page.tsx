import { Page } from "./page.tsx";
import type { View } from "./view.ts";

interface DefinitionProps {
  view: View;
  jobId: number;
  description: string;
  /** Of a multinode group: what was submitted is another text. */
  isOfGroup: boolean;
  text: string;
}

/** `/jobs/ID/definition`: the job as it was submitted. */
export function DefinitionPage({ view, jobId, description, isOfGroup, text }: DefinitionProps) {
  return (
    <Page view={view} title={`Definition of #${jobId}`} section="/">
      <div class="job-title">
        <h1>
          Definition of <a href={`/jobs/${jobId}`}>{`#${jobId} ${description}`}</a>
        </h1>
        <span class="actions">
          <a href={`/api/v1/jobs/${jobId}/definition`}>Raw</a>
          {isOfGroup && <a href={`/api/v1/jobs/${jobId}/multinode-definition`}>As submitted</a>}
          <a href={`/submit?from=${jobId}`}>Edit and submit</a>
        </span>
      </div>
      <Source text={text} label="Definition" />
    </Page>
  );
}

/** A text with its line numbers. */
export function Source({ text, label }: { text: string; label: string }) {
  const lines = text.replace(/\n$/, "").split("\n");
  return (
    <pre class="source" tabindex={0} role="region" aria-label={label}>
      {lines.map((line, n) => (
        <span id={`line-${n + 1}`} class="source-line">
          {line}
          {"\n"}
        </span>
      ))}
    </pre>
  );
}
