import type { TokenView } from "#protocol/tokens.ts";
import type { UserView } from "#protocol/people.ts";
import type { AccountView, SecretView } from "#protocol/sign-in.ts";
import { Elsewhere, Profile } from "./account-profile.tsx";
import { Message, Sure, ToCopy } from "./admin-frame.tsx";
import { Page } from "./page.tsx";
import { NewPasswordFields } from "./password-page.tsx";
import { Ago } from "./time.tsx";
import { TokenFields } from "./token-form.tsx";
import type { View } from "./view.ts";

export interface AccountProps {
  view: View;
  /** The person's own tokens and sessions. */
  tokens: readonly TokenView[];
  secrets: readonly SecretView[];
  /** Of providers with which an account may be linked, and whether one is. */
  providers: readonly { name: string; label: string; isLinked: boolean }[];
  /** Those that are linked. */
  accounts: readonly AccountView[];
  user: UserView;
  /** Undefined where the lab takes no passwords. */
  password: { isSet: boolean } | undefined;
  /** Id of the session that looks at it. */
  session: string;
  /** A token that has just been made; it is shown this once. */
  made?: string | undefined;
  /** Where a browser goes on to be linked. */
  goOn?: { label: string; url: string } | undefined;
  message?: { text: string; isBad: boolean } | undefined;
}

/** `/account`: a person's own password, accounts elsewhere, tokens, sessions and secrets. */
export function AccountPage(props: AccountProps) {
  const { view, message, made, goOn, tokens } = props;
  return (
    <Page view={view} title="Your account">
      <h1>Your account</h1>
      <Message message={message} />
      {made !== undefined && (
        <div class="notice good" role="status">
          <p>Your new token, shown this once:</p>
          <ToCopy id="made" text={made} label="the token" />
        </div>
      )}
      {goOn && (
        <p class="notice">
          <a href={goOn.url}>{`Go on to ${goOn.label} to link your account there`}</a>
        </p>
      )}
      <Profile view={view} user={props.user} />
      <Tokens tokens={tokens.filter(({ kind }) => kind === "user")} now={view.now} />
      <Sessions {...props} />
      <Secrets secrets={props.secrets} now={view.now} />
      {props.password && <Password isSet={props.password.isSet} />}
      <Elsewhere providers={props.providers} accounts={props.accounts} />
    </Page>
  );
}

function Tokens({ tokens, now }: { tokens: readonly TokenView[]; now: number }) {
  return (
    <section>
      <h2>API tokens</h2>
      <p>
        <a href="/account/terminal">Sign a terminal in</a>
        {" with the code that "}
        <code>pumice sign-in --browser</code> shows.
      </p>
      {tokens.length > 0 && (
        <table class="stacked">
          <thead>
            <tr>
              <th scope="col">Token</th>
              <th scope="col">Scopes</th>
              <th scope="col">Last used</th>
              <th scope="col">Expires</th>
              <th scope="col">Revoke</th>
            </tr>
          </thead>
          <tbody>
            {tokens.map(({ id, description, scopes, last_used, expires }) => (
              <tr>
                <td>
                  {id} <small>{description}</small>
                </td>
                <td data-label="Scopes">{scopes?.join(", ") ?? "all that you may"}</td>
                <td data-label="Last used">
                  {last_used ? <Ago iso={last_used} now={now} /> : "never"}
                </td>
                <td data-label="Expires">{expires ? expires.slice(0, 10) : "never"}</td>
                <td>
                  <Sure
                    ask="Revoke"
                    action="/account/tokens/revoke"
                    fields={{ id }}
                    yes={`Revoke ${id}`}
                  >
                    Whatever uses it is refused at once.
                  </Sure>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <form method="post" action="/account/tokens" class="filters">
        <TokenFields />
        <button>Make a token</button>
      </form>
    </section>
  );
}

const Sessions = ({ tokens, session, view }: AccountProps) => (
  <section>
    <h2>Browsers that are signed in</h2>
    <table>
      <tbody>
        {tokens
          .filter(({ kind }) => kind === "session")
          .map(({ id, description, created, last_used }) => (
            <tr>
              <td>{description || "a browser"}</td>
              <td>
                last used <Ago iso={last_used ?? created} now={view.now} />
              </td>
              <td>{id === session ? "this one" : <Revoke id={id} label="Sign out" />}</td>
            </tr>
          ))}
      </tbody>
    </table>
    <form method="post" action="/account/sign-out">
      <button class="danger">Sign out everywhere</button>
    </form>
  </section>
);

const Revoke = ({ id, label }: { id: string; label: string }) => (
  <form method="post" action="/account/tokens/revoke">
    <input type="hidden" name="id" value={id} />
    <button class="quiet">{label}</button>
  </form>
);

const Secrets = ({ secrets, now }: { secrets: readonly SecretView[]; now: number }) => (
  <section>
    <h2>Secrets of your jobs</h2>
    <p class="muted">
      A value of <code>secrets</code> or <code>headers</code> in a job that is the name of one of
      these becomes its value when a worker fetches the job. Nobody is shown it again.
    </p>
    <table>
      <tbody>
        {secrets.map(({ name, created }) => (
          <tr>
            <td>{name}</td>
            <td>
              set <Ago iso={created} now={now} />
            </td>
            <td>
              <form method="post" action="/account/secrets/remove">
                <input type="hidden" name="name" value={name} />
                <button class="quiet">Remove</button>
              </form>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
    <form method="post" action="/account/secrets" class="filters">
      <label>
        Name
        <input name="name" required maxlength={100} autocomplete="off" />
      </label>
      <label>
        Value
        <input name="value" type="password" required maxlength={4096} autocomplete="off" />
      </label>
      <button>Set</button>
    </form>
  </section>
);

const Password = ({ isSet }: { isSet: boolean }) => (
  <section class="narrow">
    <h2>{isSet ? "Another password" : "A password"}</h2>
    <form method="post" action="/account/password" class="stacked">
      {isSet && (
        <>
          <label for="current">Current password</label>
          <input
            id="current"
            name="current"
            type="password"
            required
            autocomplete="current-password"
            size={40}
          />
        </>
      )}
      <NewPasswordFields />
      <button>Set the password; other browsers are signed out</button>
    </form>
  </section>
);
