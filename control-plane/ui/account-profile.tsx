import type { UserView } from "#protocol/people.ts";
import type { AccountView } from "#protocol/sign-in.ts";
import { Sure } from "./admin-frame.tsx";
import type { View } from "./view.ts";

/** Who the lab takes somebody for, and what their browser looks like. */
export const Profile = ({ view, user }: { view: View; user: UserView }) => (
  <section aria-labelledby="profile">
    <h2 id="profile">{user.full_name || user.name}</h2>
    <dl class="facts">
      <div>
        <dt>Name</dt>
        <dd>{user.name}</dd>
      </div>
      <div>
        <dt>Mail</dt>
        <dd>{user.email || "none"}</dd>
      </div>
      <div>
        <dt>Groups</dt>
        <dd>{user.groups.length === 0 ? "none" : user.groups.join(", ")}</dd>
      </div>
      <div>
        <dt>Administrator</dt>
        <dd>{view.user?.admin ? "yes" : "no"}</dd>
      </div>
      <div>
        <dt>Jobs</dt>
        <dd>
          <a href={`/?${new URLSearchParams({ submitter: user.name })}`}>Your jobs</a>
        </dd>
      </div>
    </dl>
    <div class="filters">
      <form method="post" action="/theme" class="filters">
        <label>
          Colours
          <select name="theme">
            {["auto", "light", "dark"].map((theme) => (
              <option value={theme} selected={theme === (view.theme ?? "auto")}>
                {theme === "auto" ? "as the system" : theme}
              </option>
            ))}
          </select>
        </label>
        <button>Set</button>
      </form>
      <form method="post" action="/sign-out">
        <button>Sign out of this browser</button>
      </form>
    </div>
    <p class="muted">
      {user.email === ""
        ? "Mails that jobs ask for cannot reach you: an administrator can note your address. "
        : "Mails that jobs ask for come to this address; an administrator changes it. "}
      <a href="/docs/notices">How a job asks for a mail or a callback</a>
    </p>
  </section>
);

const labelOf = (providers: ElsewhereProps["providers"], name: string): string =>
  providers.find((provider) => provider.name === name)?.label ?? name;

interface ElsewhereProps {
  providers: readonly { name: string; label: string; isLinked: boolean }[];
  accounts: readonly AccountView[];
}

/** Accounts of providers that sign somebody in, and those that could. */
export const Elsewhere = ({ providers, accounts }: ElsewhereProps) =>
  providers.length + accounts.length === 0 ? null : (
    <section aria-labelledby="elsewhere">
      <h2 id="elsewhere">Accounts elsewhere</h2>
      {accounts.map(({ id, provider, subject }) => (
        <div class="filters">
          <span>{`${labelOf(providers, provider)}: linked (${subject})`}</span>
          <Sure ask="Unlink" action="/account/unlink" fields={{ id }} yes="Unlink it">
            It no longer signs you in; browsers that it signed in are signed out.
          </Sure>
        </div>
      ))}
      {providers
        .filter(({ isLinked }) => !isLinked)
        .map(({ name, label }) => (
          <form method="post" action={`/account/link/${name}`}>
            <button>{`Link your account of ${label}`}</button>
          </form>
        ))}
    </section>
  );
