import { Page } from "./page.tsx";
import type { View } from "./view.ts";

interface SignInProps {
  view: View;
  /** Of a one-time link. It is used up by the button, not by opening the page, so that link previews do no harm. */
  code?: string | undefined;
  /** Path to go to. */
  next: string;
  /** Why it did not work. */
  message?: string;
}

/** `/sign-in`: with a one-time link's code, or with a token. */
export function SignInPage({ view, code, next, message }: SignInProps) {
  return (
    <Page view={view} title="Sign in" layout="narrow">
      <h1>Sign in to Pumice</h1>
      {message && (
        <p class="notice bad" role="alert">
          {message}
        </p>
      )}
      {code !== undefined && (
        <form method="post" action="/sign-in">
          <input type="hidden" name="code" value={code} />
          <input type="hidden" name="next" value={next} />
          <p>This link signs this browser in. It works once.</p>
          <button class="primary" autofocus>
            Sign in
          </button>
        </form>
      )}
      {code === undefined && (
        <form method="post" action="/sign-in">
          <input type="hidden" name="next" value={next} />
          <label for="token">Token</label>
          <input
            id="token"
            name="token"
            type="password"
            required
            autocomplete="off"
            size={40}
            autofocus
          />
          <button class="primary">Sign in</button>
          <p class="muted">
            No token at hand? <code>pumice sign-in</code> prints a link that signs a browser in
            once. The token of the first administrator is in the file <code>admin-token</code> of
            the control plane’s data folder.
          </p>
        </form>
      )}
    </Page>
  );
}
