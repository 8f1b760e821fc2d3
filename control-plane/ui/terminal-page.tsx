import type { Scope } from "#protocol/sign-in.ts";
import { Page } from "./page.tsx";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

export interface TerminalProps {
  view: View;
  /** The terminal that the code names, once one was typed. */
  asks?: {
    code: string;
    scopes: readonly Scope[];
    expires_seconds: number;
    machine: string;
    address: string;
    created: string;
    /** It does not come from where the browser is. */
    isElsewhere: boolean;
  };
  message?: { text: string; isBad: boolean };
}

/**
 * `/account/terminal`: a person types the code that their terminal shows, sees what it asks for, and says yes or no. No address
 * brings the code along: nobody can be sent here to confirm what they did not begin.
 */
export const TerminalPage = ({ view, asks, message }: TerminalProps) => (
  <Page view={view} title="Sign a terminal in" layout="narrow">
    <h1>Sign a terminal in</h1>
    {message && (
      <p class={message.isBad ? "notice bad" : "notice"} role={message.isBad ? "alert" : "status"}>
        {message.text}
      </p>
    )}
    {asks ? <Answer view={view} asks={asks} /> : <Typing />}
  </Page>
);

const Typing = () => (
  <form method="post" action="/account/terminal" class="stacked">
    <label for="code">The code that your terminal shows</label>
    <input
      id="code"
      name="code"
      required
      maxlength={20}
      size={12}
      autocomplete="off"
      autocapitalize="characters"
      spellcheck={false}
      autofocus
    />
    <button class="primary">Go on</button>
    <p class="muted">
      <code>pumice sign-in --browser</code> shows one. Type no code that somebody has sent or told
      you: whoever has it would work here in your name.
    </p>
  </form>
);

const Answer = ({ view, asks }: Required<Pick<TerminalProps, "view" | "asks">>) => (
  <form method="post" action="/account/terminal/answer" class="stacked">
    <input type="hidden" name="code" value={asks.code} />
    <p>
      {"The terminal that shows "}
      <strong>{asks.code}</strong>
      {` would get a token to work here as ${view.user?.name ?? "you"}:`}
    </p>
    <dl>
      <dt>May</dt>
      <dd>{asks.scopes.map((scope) => MEANS[scope]).join("; ")}</dd>
      <dt>For</dt>
      <dd>{lasting(asks.expires_seconds)}</dd>
      <dt>Machine</dt>
      <dd>{asks.machine === "" ? "it does not say" : asks.machine}</dd>
      <dt>Address</dt>
      <dd>{asks.address}</dd>
      <dt>Asked</dt>
      <dd>
        <Ago iso={asks.created} now={view.now} />
      </dd>
    </dl>
    {asks.isElsewhere && (
      <p class="notice bad" role="alert">
        The terminal asks from another address than this browser has.
      </p>
    )}
    <p>Say yes only if you have just begun this yourself, in a terminal that you sit at.</p>
    <button name="answer" value="no" class="primary">
      No, refuse it
    </button>
    <button name="answer" value="yes">
      Yes, sign it in
    </button>
  </form>
);

const MEANS: Readonly<Record<Scope, string>> = {
  read: "look at what you may see",
  submit: "submit, cancel and change jobs, reserve devices, save queries",
  workers: "change devices and workers",
  admin: "do everything that you may",
};

const lasting = (seconds: number): string => {
  const hours = Math.round(seconds / 3600);
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes`;
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
};
