import type { TextVersion, WorkerTextName } from "#protocol/lab.ts";
import { Page } from "./page.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

interface WorkerTextProps {
  view: View;
  name: string;
  field: WorkerTextName;
  text: string;
  /** Of the text that is shown, when it is an older one. */
  version?: number | undefined;
  /** The version that counts now; 0: there was none yet. */
  current: number;
  /** The newest first. */
  versions: TextVersion[];
  /** Why what was sent is not saved. */
  refusal?: string;
}

/** `/workers/NAME/texts/TEXT`: a text that goes with a worker's jobs, to be edited, and its versions. */
export function WorkerTextPage(props: WorkerTextProps) {
  const { view, name, field, text, version, current, versions, refusal } = props;
  const worker = `/workers/${encodeURIComponent(name)}`;
  const here = `${worker}/texts/${field}`;
  return (
    <Page view={view} title={`${field} of ${name}`} section="/workers">
      <h1>
        {field} of <a href={worker}>{name}</a>
      </h1>
      {version !== undefined && version !== current && (
        <p class="notice">
          This is version {version}; saving it puts it back. <a href={here}>The current one</a>
        </p>
      )}
      {refusal !== undefined && (
        <p class="notice bad" role="alert">
          {refusal}
        </p>
      )}
      <form method="post" action={here} class="text-form">
        <label for="text">YAML; jobs that begin after it is saved get it</label>
        <textarea id="text" name="text" rows={24} spellcheck={false} wrap="off">
          {/* A browser drops the first line break of a text area. */}
          {`\n${text}`}
        </textarea>
        <input type="hidden" name="version" value={String(current)} />
        <label for="comment">Why</label>
        <input id="comment" name="comment" maxlength={1000} size={50} autocomplete="off" />
        {!view.archive && <button class="primary">Save</button>}
      </form>
      <section>
        <h2>Versions</h2>
        {versions.length === 0 ? (
          <p class="nothing">None yet.</p>
        ) : (
          <table>
            <tbody>
              {versions.map((one) => (
                <tr>
                  <td>
                    <a href={`${here}?version=${one.version}`}>version {one.version}</a>
                  </td>
                  <td>
                    <Ago iso={one.time} now={view.now} />
                  </td>
                  <td>{one.user}</td>
                  <td>{one.removed ? "removed" : one.comment}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </section>
    </Page>
  );
}
