import type { TextVersion } from "#protocol/lab.ts";
import { lineDiff } from "#protocol/line-diff.ts";
import { Highlighted } from "./highlight.tsx";
import { Ago } from "./time.tsx";

/** A text at one of its versions, and what differs between two of them where somebody asks for that. */
export interface VersionedText {
  text: string;
  version: number;
  /** Of the text of a device. */
  format: TextVersion["format"];
  /** The one that counts now; undefined when it was removed. */
  current: number | undefined;
  /** The newest first. */
  versions: readonly TextVersion[];
  next_cursor?: string | undefined;
  compared?: { from: number; to: number; fromText: string; toText: string } | undefined;
}

interface Props {
  shown: VersionedText;
  /** Address of the page. */
  here: string;
  /** What the text is: `Dictionary`. */
  label: string;
  now: number;
  /** Who may change it gets a button that puts an old version back. */
  mayPutBack: boolean;
}

/** A text with its line numbers, or the changes between two versions, and the list of its versions. */
export function VersionedTextView({ shown, here, label, now, mayPutBack }: Props) {
  const { text, version, current, compared } = shown;
  return (
    <div class="text-and-versions">
      <div>
        {compared ? (
          <Changes compared={compared} here={here} />
        ) : (
          <>
            {version !== current && (
              <p class="notice">
                {`This is version ${version}${current === undefined ? "; the text was removed" : ""}. `}
                {current !== undefined && <a href={here}>{`The current one is ${current}`}</a>}
              </p>
            )}
            <SourceText text={text} label={label} />
          </>
        )}
      </div>
      <Versions {...{ shown, here, now, mayPutBack }} />
    </div>
  );
}

/** A text of YAML or Jinja2 with its line numbers, each an address: `#line-12`. */
export function SourceText({ text, label }: { text: string; label: string }) {
  const lines = text.replace(/\n$/, "").split("\n");
  return (
    <pre class="source" tabindex={0} role="region" aria-label={label}>
      {lines.map((line, n) => (
        <span id={`line-${n + 1}`} class="source-line">
          <Highlighted line={line} />
          {"\n"}
        </span>
      ))}
    </pre>
  );
}

function Changes({
  compared: { from, to, fromText, toText },
  here,
}: {
  compared: NonNullable<VersionedText["compared"]>;
  here: string;
}) {
  const lines = lineDiff(fromText, toText);
  return (
    <>
      <div class="toolbar">
        <h2>{`From version ${from} to ${to}`}</h2>
        <a href={here}>The current text</a>
      </div>
      {lines.length === 0 ? (
        <p class="nothing">They are the same.</p>
      ) : (
        <pre class="source diff" tabindex={0} role="region" aria-label="Changes">
          {lines.map((line) => (
            <span class={`diff-line ${KINDS[line[0] ?? " "] ?? ""}`}>{`${line}\n`}</span>
          ))}
        </pre>
      )}
    </>
  );
}

const KINDS: Record<string, string> = { "+": "added", "-": "removed", "@": "place" };

function Versions({ shown, here, now, mayPutBack }: Omit<Props, "label">) {
  const { versions, version, current, compared, next_cursor } = shown;
  const [newest, second] = versions;
  const picked = compared ?? { from: second?.version ?? 0, to: newest?.version ?? 0 };
  return (
    <section aria-label="Versions" class="versions">
      <h2>Versions</h2>
      {/* The radio buttons of the rows belong to it by their `form`: a row has a form of its own. */}
      <form id="compare" method="get" action={here} />
      {versions.length > 1 && (
        <p class="pick-names" aria-hidden="true">
          <span>from</span> <span>to</span>
        </p>
      )}
      <ol>
        {versions.map((one) => (
          <li class={one.version === version && !compared ? "open" : undefined}>
            <div class="version-line">
              {versions.length > 1 && (
                <>
                  <Pick name="from" version={one.version} isPicked={one.version === picked.from} />
                  <Pick name="to" version={one.version} isPicked={one.version === picked.to} />
                </>
              )}
              <a href={`${here}?version=${one.version}`}>{`Version ${one.version}`}</a>
              <span class="muted">
                {one.user}, <Ago iso={one.time} now={now} />
              </span>
            </div>
            {(one.comment || one.removed) && <small>{one.removed ? "removed" : one.comment}</small>}
            <div class="version-links">
              {one.version > 1 && (
                <a href={`${here}?from=${one.version - 1}&to=${one.version}`}>
                  Changes<span class="hidden">{` of version ${one.version}`}</span>
                </a>
              )}
              {mayPutBack && one.version !== current && !one.removed && (
                <form method="post" action={here}>
                  <input type="hidden" name="put_back" value={one.version} />
                  <button class="quiet">
                    Put back<span class="hidden">{` version ${one.version}`}</span>
                  </button>
                </form>
              )}
            </div>
          </li>
        ))}
      </ol>
      {versions.length > 1 && <button form="compare">Compare the two</button>}
      {next_cursor !== undefined && (
        <nav class="pages" aria-label="Older versions">
          <a href={`${here}?cursor=${encodeURIComponent(next_cursor)}`}>Older →</a>
        </nav>
      )}
    </section>
  );
}

const Pick = ({
  name,
  version,
  isPicked,
}: {
  name: "from" | "to";
  version: number;
  isPicked: boolean;
}) => (
  <input
    type="radio"
    form="compare"
    name={name}
    value={version}
    checked={isPicked}
    aria-label={`${name} version ${version}`}
  />
);
