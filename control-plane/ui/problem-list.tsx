import type { SourceProblem } from "#protocol/api.ts";

/** What is wrong with a text, each with its line; client/submit-page.ts takes the reader there. */
export function ProblemList({
  text,
  problems,
  field = "definition",
}: {
  text: string;
  problems: readonly SourceProblem[];
  /** Id of the field that has the text. */
  field?: string;
}) {
  const lines = text.split("\n");
  return (
    <ol>
      {problems.map((problem) => (
        <li>
          <a href={`#${field}`} data-line={problem.line} data-column={problem.column}>
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
