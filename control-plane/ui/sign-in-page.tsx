import { Page } from "./page.tsx";
import type { View } from "./view.ts";

interface Provider {
  name: string;
  /** What people call it. */
  label: string;
}

interface SignInProps {
  view: View;
  /** Of a one-time link. It is used up by the button, not by opening the page, so that link previews do no harm. */
  code?: string | undefined;
  /** Path to go to. */
  next: string;
  /** To which a browser can be sent. */
  providers: readonly Provider[];
  /** Whether names and passwords are good here: the lab's own or a directory's. */
  takesPasswords: boolean;
  /** With which the browser was signed in, and where it still is. */
  left?: Provider | undefined;
  /** Why it did not work. */
  message?: string;
}

/** `/sign-in`: by a one-time link's code, a provider, a name and a password, or a token. */
export function SignInPage(props: SignInProps) {
  const { view, code, next, message, left } = props;
  return (
    <Page view={view} title="Sign in" layout="narrow">
      <h1>Sign in to Pumice</h1>
      {message && (
        <p class="notice bad" role="alert">
          {message}
        </p>
      )}
      {left && (
        <p class="notice">
          You are signed out of Pumice.{" "}
          <a href={`/sign-in/oidc/${left.name}/sign-out`}>{`Sign out of ${left.label}, too`}</a>
        </p>
      )}
      {code === undefined ? <Ways {...props} /> : <ByLink code={code} next={next} />}
    </Page>
  );
}

const ByLink = ({ code, next }: { code: string; next: string }) => (
  <form method="post" action="/sign-in">
    <input type="hidden" name="code" value={code} />
    <input type="hidden" name="next" value={next} />
    <p>This link signs this browser in. It works once.</p>
    <button class="primary" autofocus>
      Sign in
    </button>
  </form>
);

const Ways = ({ next, providers, takesPasswords }: SignInProps) => (
  <>
    {providers.map(({ name, label }) => (
      <p>
        <a class="button" href={`/sign-in/oidc/${name}?next=${encodeURIComponent(next)}`}>
          {`Sign in with ${label}`}
        </a>
      </p>
    ))}
    {takesPasswords && <ByPassword next={next} />}
    <ByToken next={next} />
  </>
);

const ByPassword = ({ next }: { next: string }) => (
  <form method="post" action="/sign-in" class="stacked">
    <input type="hidden" name="next" value={next} />
    <label for="name">Name</label>
    <input
      id="name"
      name="name"
      required
      maxlength={256}
      autocomplete="username"
      autocapitalize="none"
      spellcheck={false}
      size={40}
      autofocus
    />
    <label for="password">Password</label>
    <input
      id="password"
      name="password"
      type="password"
      required
      maxlength={256}
      autocomplete="current-password"
      size={40}
    />
    <button class="primary">Sign in</button>
    <p class="muted">Forgotten? An administrator makes a link to choose another one.</p>
  </form>
);

const ByToken = ({ next }: { next: string }) => (
  <form method="post" action="/sign-in" class="stacked">
    <input type="hidden" name="next" value={next} />
    <label for="token">Token</label>
    <input id="token" name="token" type="password" required autocomplete="off" size={40} />
    <button>Sign in with a token</button>
    <p class="muted">
      No token at hand? <code>pumice sign-in</code> prints a link that signs a browser in once. The
      token of the first administrator is in the file <code>admin-token</code> of the control
      plane’s data folder.
    </p>
  </form>
);
