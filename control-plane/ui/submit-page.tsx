import type { JobView, SourceProblem } from "#protocol/api.ts";
import type { DryRun } from "#protocol/dry-run.ts";
import { DryRunOutcome } from "./dry-run-outcome.tsx";
import type { JobTemplate } from "./job-templates.ts";
import { Page } from "./page.tsx";
import { ProblemList } from "./problem-list.tsx";
import type { View } from "./view.ts";

export interface SubmitProps {
  view: View;
  text: string;
  /** The job or the template that the text is of. */
  from?: number | undefined;
  template?: string | undefined;
  /** Why it was refused, when it was. */
  refusal?: { message: string; problems: SourceProblem[] };
  /** What a dry run has found. */
  outcome?: DryRun;
  templates: readonly JobTemplate[];
  /** The person's last job. */
  last: JobView | undefined;
}

/** `/submit`: the definition in an editor, or a text area; what is wrong with it; and what a dry run found. */
export function SubmitPage(props: SubmitProps) {
  const { view, text, refusal, outcome } = props;
  const refused = refusal ?? refusalOf(outcome);
  return (
    <Page
      view={view}
      title="Submit a job"
      section="/submit"
      script="submit-page.js"
      style="submit.css"
    >
      <div class="submit-head">
        <h1>Submit a job</h1>
        <Sources {...props} />
      </div>
      <div
        class="submit-page"
        id="submit"
        data-user={view.user?.name}
        data-last={props.last?.id}
        data-words={view.assets.url("job-words.json")}
        data-new={String(props.from === undefined && props.template === undefined && text === "")}
      >
        <Definition text={text} isRefused={refused !== undefined} />
        <div class="submit-side">
          <div id="check">{refused && <Refused text={text} refusal={refused} />}</div>
          <p class="notice" id="stale" hidden>
            The text has changed since this dry run.
          </p>
          <div id="outcome">{outcome && <DryRunOutcome outcome={outcome} now={view.now} />}</div>
        </div>
      </div>
    </Page>
  );
}

const refusalOf = (outcome: DryRun | undefined): SubmitProps["refusal"] =>
  outcome && outcome.problems.length > 0 ? { message: "", problems: outcome.problems } : undefined;

/** Where a text can come from. */
function Sources({ from, template, templates, last }: SubmitProps) {
  return (
    <div class="sources">
      <details class="templates">
        <summary class="button">Templates</summary>
        <ul class="plain">
          {templates.map(({ name, title, about }) => (
            <li>
              <a
                href={`/submit?template=${name}`}
                aria-current={name === template ? "true" : undefined}
              >
                {title}
                <small>{about}</small>
              </a>
            </li>
          ))}
        </ul>
      </details>
      {last && last.id !== from && (
        <a class="button" href={`/submit?from=${last.id}`}>
          {`Your last job, ${last.id}`}
        </a>
      )}
      <label class="button" id="open" hidden>
        Open a file
        <input class="hidden" type="file" id="file" accept=".yaml,.yml,text/yaml,text/plain" />
      </label>
      {from !== undefined && <p class="muted">{`A copy of job ${from}`}</p>}
      <p class="muted" id="draft" hidden>
        Your draft of earlier.{" "}
        <button class="quiet" type="button" id="discard">
          Discard it
        </button>
      </p>
    </div>
  );
}

function Definition({ text, isRefused }: { text: string; isRefused: boolean }) {
  return (
    <form class="submit" id="submit-form" method="post" action="/submit">
      <label for="definition" id="definition-label">
        Job definition, YAML
      </label>
      <div id="editor" hidden></div>
      <textarea
        id="definition"
        name="definition"
        rows={28}
        required
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        wrap="off"
        aria-describedby={isRefused ? "problems" : undefined}
        aria-invalid={isRefused ? "true" : undefined}
      >
        {/* A browser drops the first line break of a text area. */}
        {`\n${text}`}
      </textarea>
      <div class="submit-buttons">
        <button class="primary">Submit</button>
        <button name="dry-run" value="yes" id="dry-run">
          Dry run
        </button>
        <p class="muted keys" id="keys" hidden>
          <kbd>Ctrl</kbd> <kbd>Space</kbd> proposes, <kbd>Ctrl</kbd> <kbd>Enter</kbd> submits,{" "}
          <kbd>Esc</kbd> then <kbd>Tab</kbd> leaves the editor
        </p>
      </div>
    </form>
  );
}

function Refused({
  text,
  refusal: { message, problems },
}: {
  text: string;
  refusal: NonNullable<SubmitProps["refusal"]>;
}) {
  const count = problems.length === 1 ? "one problem" : `${problems.length} problems`;
  return (
    <div id="problems" class="problems" role="alert">
      <h2>{problems.length === 0 ? "The job was refused" : `Refused: ${count}`}</h2>
      {problems.length === 0 && <p>{message}</p>}
      <ProblemList text={text} problems={problems} />
    </div>
  );
}
