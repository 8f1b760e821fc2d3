import type { ConsoleView } from "#protocol/consoles.ts";
import type { DevicePowers } from "../domain/device-powers.ts";
import { DeviceTabs } from "./device-frame.tsx";
import { formatUtc } from "./format-time.ts";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

interface ConsoleProps {
  view: View;
  hostname: string;
  /** Whether somebody is signed in who may do anything at all. */
  isUser: boolean;
  powers: DevicePowers;
  /** The newest first. */
  sessions: ConsoleView[];
}

/** `/devices/HOSTNAME/console`: the terminal, its buttons and earlier sessions. client/console-page.ts does the rest. */
export function ConsolePage({ view, hostname, isUser, powers, sessions }: ConsoleProps) {
  const title = `Console of ${hostname}`;
  return (
    <Page
      view={view}
      title={title}
      section="/devices"
      script="console-page.js"
      style="terminal.css"
    >
      <div
        id="console"
        data-device={hostname}
        data-user={view.user?.name}
        data-uses={String(isUser && (powers.submits || powers.changes))}
        data-changes={String(isUser && powers.changes)}
        data-now={view.now}
      >
        <div class="job-title">
          <h1>{title}</h1>
        </div>
        <DeviceTabs hostname={hostname} tab="/console" />
        <noscript>
          <p class="notice">This page needs scripts.</p>
        </noscript>
        <p class="console-state">
          <span id="state" role="status"></span> <span id="times" class="muted"></span>
        </p>
        <p id="trouble" class="notice bad" role="alert" hidden></p>
        <ConsoleButtons />
        <div id="terminal"></div>
        <ReplayBar />
        <p class="muted recorded">
          All of it is recorded, what is typed too. The keys are the device’s: Ctrl+Shift+L leaves
          the terminal for the buttons.
        </p>
      </div>
      <h2>Sessions</h2>
      <div id="sessions">
        <Sessions sessions={sessions} />
      </div>
      <dialog id="confirm" aria-labelledby="confirm-text">
        <form method="dialog">
          <p id="confirm-text"></p>
          <div class="console-bar">
            <button value="yes" class="danger" id="confirm-yes"></button>
            <button value="no" autofocus>
              Not now
            </button>
          </div>
        </form>
      </dialog>
    </Page>
  );
}

const ConsoleButtons = () => (
  <div id="buttons" class="console-bar" role="toolbar" aria-label="Console">
    <button id="open" class="primary" hidden>
      Open the console
    </button>
    <label id="off-label" hidden>
      <input type="checkbox" id="off" /> <span class="muted">and switch it off at the end</span>
    </label>
    <button id="reserve" class="primary" hidden>
      Reserve for 1 h and open
    </button>
    <button id="take" class="primary" hidden>
      Type here
    </button>
    <span id="power" class="console-bar" role="group" aria-label="Power" hidden>
      <span class="muted">Power</span>
      <button data-power="on">On</button>
      <button data-power="off">Off</button>
      <button data-power="reset">Reset</button>
    </span>
    <button id="extend" hidden>
      Extend by 1 h
    </button>
    <button id="go-on" hidden>
      Let the job go on
    </button>
    <button id="end" class="danger" hidden>
      End the session
    </button>
    <label class="console-size">
      <span class="muted">Size</span>
      <select id="size">
        <option value="serial">80 columns, as on a serial line</option>
        <option value="window">the window’s</option>
      </select>
      <span id="size-now" class="muted"></span>
    </label>
  </div>
);

const ReplayBar = () => (
  <div id="replay" class="console-bar" role="group" aria-label="Replay" hidden>
    <button id="replay-play">Pause</button>
    <input id="replay-at" type="range" min={0} max={0} value="0" step="any" aria-label="Time" />
    <span id="replay-time" class="muted"></span>
    <label>
      <span class="muted">Speed</span>
      <select id="replay-speed">
        <option>0.5</option>
        <option selected>1</option>
        <option>2</option>
        <option>4</option>
        <option>16</option>
      </select>
    </label>
    <button id="replay-close">Close the replay</button>
  </div>
);

function Sessions({ sessions }: { sessions: ConsoleView[] }) {
  if (sessions.length === 0) return <p class="nothing">Nobody has opened its console yet.</p>;
  return (
    <table class="sessions">
      <thead>
        <tr>
          <th scope="col">Begun</th>
          <th scope="col">Who</th>
          <th scope="col">How it ended</th>
          <th scope="col">Record</th>
        </tr>
      </thead>
      <tbody>
        {sessions.map(({ id, created, holder, state, reason }) => (
          <tr>
            <td class="when">{formatUtc(created)}</td>
            <td>{holder}</td>
            <td>{state === "ended" ? (reason ?? "") : "it is open"}</td>
            <td>
              <span class="console-bar">
                <button class="quiet" data-replay={id}>
                  Replay
                </button>
                <button class="quiet" data-download={id}>
                  Download
                </button>
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
