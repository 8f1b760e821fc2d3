import { raw } from "hono/html";
import type { JobView } from "#protocol/api.ts";
import { escapeHtml } from "./escape-html.ts";
import { JobFrame } from "./job-frame.tsx";
import type { View } from "./view.ts";
import { yamlLines } from "./yaml-html.ts";

interface DefinitionProps {
  view: View;
  job: JobView;
  /** Of a multinode group: what was submitted for all of its jobs, rather than what was made of it for this one. */
  isOfAll: boolean;
  text: string;
}

/** `/jobs/ID/definition`: the job as it was submitted. */
export function DefinitionPage({ view, job, isOfAll, text }: DefinitionProps) {
  const raw = `/api/v1/jobs/${job.id}/${isOfAll ? "multinode-definition" : "definition"}`;
  return (
    <JobFrame view={view} job={job} open="/definition" what="Definition">
      <div class="part-bar">
        <h2>{isOfAll ? "As submitted, for all jobs of its group" : "Definition"}</h2>
        {job.group !== undefined && (
          <a href={`/jobs/${job.id}/definition${isOfAll ? "" : "?of=all"}`}>
            {isOfAll ? "As it ran: of this job only" : "As submitted: of all jobs of its group"}
          </a>
        )}
        <span class="actions">
          <a href={raw}>Raw</a>
          <a href={raw} download={`job-${job.id}.yaml`}>
            Download
          </a>
          <a class="button" href={`/submit?from=${job.id}`}>
            Edit and submit again
          </a>
        </span>
      </div>
      <Source text={text} label="Definition" />
    </JobFrame>
  );
}

interface SourceProps {
  text: string;
  label: string;
  /** Of what is no YAML nothing is marked. */
  language?: "yaml" | "text";
}

/** A text with its line numbers; each line has an address: `#line-12`. */
export function Source({ text, label, language = "yaml" }: SourceProps) {
  const lines = text.replace(/\n$/, "").split("\n");
  const marked = language === "yaml" ? yamlLines(lines) : lines.map((line) => escapeHtml(line));
  return (
    <pre class="source" tabindex={0} role="region" aria-label={label}>
      {raw(
        marked
          .map((line, n) => `<span id="line-${n + 1}" class="source-line">${line}\n</span>`)
          .join(""),
      )}
    </pre>
  );
}
