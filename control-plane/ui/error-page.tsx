import type { ErrorCode } from "#protocol/api.ts";
import { Page } from "./page.tsx";
import type { View } from "./view.ts";

export interface ErrorProps {
  view: View;
  code: ErrorCode;
  /** What happened, without its last full stop. */
  message: string;
  /** Names the entry of the control plane's log. */
  requestId?: string | undefined;
  /** When to come again. */
  retryAfterSeconds?: number | undefined;
  /** What may have been meant. */
  meant?: { href: string; name: string } | undefined;
  /** To look for what is not there. */
  words?: string | undefined;
  /** Who can give a right. */
  administrators?: readonly string[] | undefined;
  /** The page of the lab that led here. */
  from?: string | undefined;
}

const TITLES: Partial<Record<ErrorCode, string>> = {
  not_found: "Not found",
  forbidden: "Not allowed",
  invalid: "That cannot be understood",
  not_allowed: "Not here",
  conflict: "That is not possible now",
  too_large: "Too large",
  gone: "Gone",
  throttled: "Too many at a time",
  unavailable: "Not now",
};

/** What to do about it, where the code says. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  conflict: "Somebody may have changed it meanwhile. Go back, load the page again, and look.",
  too_large: "Send less at a time: a shorter text, a smaller file.",
  gone: "It was here and was removed.",
  unavailable: "Nothing was changed. The lab is busy, or being moved.",
  internal: "It is not your fault. An administrator finds more in the control plane’s log.",
};

/** A page for what cannot be shown: what happened, what to do, and where to go. */
export function ErrorPage(props: ErrorProps) {
  const { view, code, message, requestId, retryAfterSeconds, meant, words, from } = props;
  const title = TITLES[code] ?? "Something went wrong";
  return (
    <Page view={view} title={title} layout="narrow">
      <h1>{title}</h1>
      <p>
        {message[0]?.toUpperCase()}
        {message.slice(1)}.
      </p>
      {ADVICE[code] && <p>{ADVICE[code]}</p>}
      {requestId && (
        <p>
          The number of this error: <code>{requestId}</code>
        </p>
      )}
      {retryAfterSeconds !== undefined && (
        <p>{`Try again in ${retryAfterSeconds === 1 ? "a second" : `${retryAfterSeconds} seconds`}.`}</p>
      )}
      {code === "forbidden" && <WhoCanGive {...props} />}
      {meant && (
        <p>
          Did you mean <a href={meant.href}>{meant.name}</a>?
        </p>
      )}
      {view.user && words !== undefined && (
        <form class="filters" role="search" aria-label="Look for it" action="/search">
          <input type="search" name="q" value={words} maxlength={200} aria-label="Words" />
          <button>Search</button>
        </form>
      )}
      <p>
        {from && (
          <>
            <a href={from}>Back</a>
            {" · "}
          </>
        )}
        <a href="/">To the jobs</a>
        {" · "}
        <a href="/docs">Documentation</a>
      </p>
    </Page>
  );
}

const WhoCanGive = ({ view, administrators = [] }: ErrorProps) =>
  view.archive ? null : (
    <p>
      {view.user ? `You are signed in as ${view.user.name}. ` : ""}
      {administrators.length > 0
        ? `An administrator can give you the right: ${administrators.join(", ")}.`
        : "An administrator can give the right."}
    </p>
  );
