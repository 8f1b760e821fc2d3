import { STAGES, type ReleaseKeyView, type ReleaseView } from "#protocol/release-api.ts";
import type { RolloutState, RolloutView, Stage } from "#protocol/release-api.ts";
import { Act, AdminFrame, Sure } from "./admin-frame.tsx";
import type { Said } from "./answer-form.ts";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

interface RolloutsProps {
  view: View;
  rollout: RolloutView | undefined;
  releases: readonly ReleaseView[];
  keys: readonly ReleaseKeyView[];
  message?: Said | undefined;
}

const STAGE_WORDS: Readonly<Record<Stage, string>> = {
  one: "one worker",
  "10%": "a tenth of the workers",
  all: "all workers",
};
const STATES: Readonly<Record<RolloutState, readonly [words: string, tone: string]>> = {
  upgraded: ["has it", "good"],
  downloading: ["downloads it", "run"],
  waiting: ["waits for its jobs to end", "run"],
  offered: ["is offered it", "run"],
  failed: ["could not take it", "bad"],
  rolled_back: ["went back", "bad"],
  pinned: ["pinned", "warn"],
  newer: ["has a newer one", ""],
  by_hand: ["is changed by hand", "warn"],
  later: ["comes later", ""],
};

/** `/admin/releases`: which version the workers have, and how the next comes to them. */
export const RolloutsPage = ({ view, rollout, releases, keys, message }: RolloutsProps) => (
  <AdminFrame view={view} title="Roll-outs" tab="/admin/releases" message={message}>
    {rollout ? (
      <Now rollout={rollout} now={view.now} />
    ) : (
      <p class="nothing">Nothing has been rolled out yet.</p>
    )}
    <section aria-labelledby="start">
      <h2 id="start">Roll a version out</h2>
      {releases.some(({ ready }) => ready) ? (
        <Start releases={releases} />
      ) : (
        <div class="nothing">
          <p>The lab has no release of the worker that is complete. Bring one from a shell:</p>
          <pre class="code">pumice releases add FOLDER</pre>
        </div>
      )}
    </section>
    <section aria-labelledby="pin">
      <h2 id="pin">Pin a worker</h2>
      <form method="post" action="/admin/releases/pin" class="fields">
        <label>
          Worker
          <input name="worker" required maxlength={200} autocomplete="off" autocapitalize="none" />
        </label>
        <label>
          Version
          <input name="version" required maxlength={100} autocomplete="off" />
        </label>
        <button>Pin</button>
      </form>
      <p class="muted">A pinned worker changes to this version only, whatever is rolled out.</p>
    </section>
    <Releases releases={releases} now={view.now} />
    <section aria-labelledby="keys">
      <h2 id="keys">Keys that releases are signed with</h2>
      {keys.length === 0 ? (
        <p class="nothing">
          None: <code>pumice releases keys add FILE</code> brings one.
        </p>
      ) : (
        <ul class="plain">
          {keys.map(({ id, user, added }) => (
            <li>
              <code>{id}</code> <span class="muted">{`by ${user}, `}</span>
              <Ago iso={added} now={view.now} />
            </li>
          ))}
        </ul>
      )}
    </section>
  </AdminFrame>
);

function Now({ rollout, now }: { rollout: RolloutView; now: number }) {
  const { version, stage, active, reason, user, started, workers } = rollout;
  const next = active ? STAGES[STAGES.indexOf(stage) + 1] : stage;
  const count = workers.filter(({ state }) => state === "upgraded").length;
  return (
    <section aria-labelledby="now">
      <h2 id="now">{`Version ${version} for ${STAGE_WORDS[stage]}`}</h2>
      <p>
        <span class={`chip ${active ? "run" : "warn"}`}>{active ? "goes on" : "stopped"}</span>
        {` ${count} of ${workers.length} workers have it. Begun by ${user} `}
        <Ago iso={started} now={now} />
        {reason && `; ${reason}`}.
      </p>
      <div class="filters">
        {next && (
          <form method="post" action="/admin/releases/next">
            <button class="primary">
              {active ? `Go on to ${STAGE_WORDS[next]}` : `Go on for ${STAGE_WORDS[next]}`}
            </button>
          </form>
        )}
        {active && (
          <Sure ask="Stop it" action="/admin/releases/stop" yes="Stop the roll-out">
            No worker is offered it any more; those that have it keep it.
          </Sure>
        )}
      </div>
      <Workers workers={workers} />
    </section>
  );
}

const Workers = ({ workers }: Pick<RolloutView, "workers">) => (
  <table class="stacked">
    <thead>
      <tr>
        <th scope="col">Worker</th>
        <th scope="col">Version</th>
        <th scope="col">Stands</th>
        <th scope="col">Pin</th>
      </tr>
    </thead>
    <tbody>
      {workers.map(({ name, version: has, state, detail }) => (
        <tr>
          <td class="name">
            <a href={`/workers/${encodeURIComponent(name)}`}>{name}</a>
          </td>
          <td data-label="Version">{has ?? "unknown"}</td>
          <td data-label="Stands">
            <span class={`chip ${STATES[state][1]}`}>{STATES[state][0]}</span>
            {detail && <small>{detail}</small>}
          </td>
          <td>
            {state === "pinned" && (
              <Act
                action="/admin/releases/pin"
                fields={{ worker: name }}
                label="Unpin"
                words={`Unpin ${name}`}
              />
            )}
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);

const Start = ({ releases }: Pick<RolloutsProps, "releases">) => (
  <form method="post" action="/admin/releases/start" class="fields">
    <label>
      Version
      <select name="version">
        {releases
          .filter(({ ready }) => ready)
          .toReversed()
          .map(({ version }) => (
            <option>{version}</option>
          ))}
      </select>
    </label>
    <label>
      For
      <select name="stage">
        {STAGES.map((stage) => (
          <option value={stage}>{STAGE_WORDS[stage]}</option>
        ))}
      </select>
    </label>
    <label>
      First worker
      <input name="worker" maxlength={200} placeholder="chosen" autocomplete="off" />
    </label>
    <button class="primary">Begin</button>
  </form>
);

const Releases = ({ releases, now }: Pick<RolloutsProps, "releases"> & { now: number }) =>
  releases.length === 0 ? null : (
    <section aria-labelledby="releases">
      <h2 id="releases">Releases</h2>
      <table class="stacked">
        <thead>
          <tr>
            <th scope="col">Version</th>
            <th scope="col">For</th>
            <th scope="col">Added</th>
            <th scope="col">Remove</th>
          </tr>
        </thead>
        <tbody>
          {releases.map(({ version, ready, files, user, added }) => (
            <tr>
              <td class="name">
                {version} {!ready && <span class="chip warn">waits for its files</span>}
              </td>
              <td data-label="For">{files.map(({ platform }) => platform).join(", ")}</td>
              <td data-label="Added">
                <Ago iso={added} now={now} />
                {` by ${user}`}
              </td>
              <td>
                <Sure
                  ask="Remove"
                  action="/admin/releases/remove"
                  fields={{ version }}
                  yes={`Remove ${version}`}
                >
                  Its files go, too; workers that have it keep it.
                </Sure>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
