import { Page } from "./page.tsx";
import type { View } from "./view.ts";

interface ErrorProps {
  view: View;
  title: string;
  message: string;
  /** Names the entry of the control plane's log. */
  requestId?: string;
}

/** A page for what cannot be shown: what happened, and where to go. */
export function ErrorPage({ view, title, message, requestId }: ErrorProps) {
  return (
    <Page view={view} title={title} layout="narrow">
      <h1>{title}</h1>
      <p>
        {message[0]?.toUpperCase()}
        {message.slice(1)}.
      </p>
      {requestId && <p class="muted">The control plane’s log has more under {requestId}.</p>}
      <p>
        <a href="/">To the jobs</a>
      </p>
    </Page>
  );
}
