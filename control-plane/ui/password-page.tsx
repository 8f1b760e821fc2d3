import { Page } from "./page.tsx";
import type { View } from "./view.ts";

interface PasswordProps {
  view: View;
  /** Of the link. */
  code: string;
  message?: string | undefined;
}

/** `/password?code=`: where a person chooses a password. Opening it uses nothing up. */
export const PasswordPage = ({ view, code, message }: PasswordProps) => (
  <Page view={view} title="Choose a password" layout="narrow">
    <h1>Choose a password</h1>
    {message && (
      <p class="notice bad" role="alert">
        {message}
      </p>
    )}
    <form method="post" action="/password" class="stacked">
      <input type="hidden" name="code" value={code} />
      <NewPasswordFields />
      <button class="primary">Set the password and sign in</button>
    </form>
  </Page>
);

/** The new password, twice. */
export const NewPasswordFields = () => (
  <>
    <label for="password">New password</label>
    <input
      id="password"
      name="password"
      type="password"
      required
      minlength={12}
      maxlength={256}
      autocomplete="new-password"
      size={40}
    />
    <label for="again">The same again</label>
    <input id="again" name="again" type="password" required autocomplete="new-password" size={40} />
    <p class="muted">At least 12 characters; a few words are a good one.</p>
  </>
);
