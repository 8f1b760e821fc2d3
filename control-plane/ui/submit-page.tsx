import type { SourceProblem } from "#protocol/api.ts";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

interface SubmitProps {
  view: View;
  text: string;
  /** Why it was refused, when it was. */
  refusal?: { message: string; problems: SourceProblem[] };
}

/** `/submit`: a text area, and, when the job was refused, what is wrong and where. */
export function SubmitPage({ view, text, refusal }: SubmitProps) {
  return (
    <Page view={view} title="Submit a job" section="/submit" script="list-page.js">
      <h1>Submit a job</h1>
      <form class="submit" method="post" action="/submit">
        {refusal && <Problems text={text} refusal={refusal} />}
        <label for="definition">Job definition, YAML</label>
        <textarea
          id="definition"
          name="definition"
          rows={28}
          required
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
          wrap="off"
          aria-describedby={refusal ? "problems" : undefined}
          aria-invalid={refusal ? "true" : undefined}
        >
          {/* A browser drops the first line break of a text area. */}
          {`\n${text}`}
        </textarea>
        <button class="primary">Submit</button>
      </form>
    </Page>
  );
}

function Problems({
  text,
  refusal,
}: {
  text: string;
  refusal: NonNullable<SubmitProps["refusal"]>;
}) {
  const lines = text.split("\n");
  const { problems, message } = refusal;
  return (
    <div id="problems" class="problems" role="alert">
      <h2>{`The job was refused: ${problems.length === 1 ? "one problem" : `${problems.length} problems`}`}</h2>
      {problems.length === 0 && <p>{message}</p>}
      <ol>
        {problems.map((problem) => (
          <li>
            <a href="#definition" data-line={problem.line} data-column={problem.column}>
              {`Line ${problem.line}, column ${problem.column}`}
            </a>
            {problem.path && (
              <>
                {" "}
                <code>{problem.path}</code>
              </>
            )}
            <p>{problem.message}</p>
            <Excerpt
              line={lines[problem.line - 1] ?? ""}
              number={problem.line}
              column={problem.column}
            />
          </li>
        ))}
      </ol>
    </div>
  );
}

const MAX_EXCERPT = 160;

function Excerpt({ line, number, column }: { line: string; number: number; column: number }) {
  const from = Math.max(0, column - 1 - MAX_EXCERPT / 2);
  const before = line.slice(from, column - 1);
  return (
    <pre class="excerpt">
      {`${number} | `}
      {before}
      <mark>{line.slice(column - 1, from + MAX_EXCERPT) || " "}</mark>
    </pre>
  );
}
