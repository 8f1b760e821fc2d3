import type { UserView } from "#protocol/people.ts";
import type { AccountView } from "#protocol/sign-in.ts";
import type { TokenView } from "#protocol/tokens.ts";
import { Act, AdminFrame, Older, Sure, ToCopy } from "./admin-frame.tsx";
import { TokensTable } from "./admin-tokens-table.tsx";
import type { Said } from "./answer-form.ts";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

interface UsersProps {
  view: View;
  users: readonly UserView[];
  /** The name at which the list begins. */
  from: string | undefined;
  nextCursor: string | undefined;
  message?: Said | undefined;
}

/** `/admin/users` */
export const UsersPage = ({ view, users, from, nextCursor, message }: UsersProps) => (
  <AdminFrame view={view} title="Users" tab="/admin/users" message={message}>
    <form class="filters" role="search" aria-label="Users">
      <label>
        From the name
        <input name="from" value={from ?? ""} size={16} maxlength={100} autocomplete="off" />
      </label>
      <button>Show</button>
    </form>
    {users.length === 0 ? (
      <p class="nothing">Nobody from that name on.</p>
    ) : (
      <UsersTable users={users} now={view.now} />
    )}
    <Older
      of="users"
      href={nextCursor && `/admin/users?${new URLSearchParams({ cursor: nextCursor })}`}
    />
    <AddUser />
  </AdminFrame>
);

const UsersTable = ({ users, now }: Pick<UsersProps, "users"> & { now: number }) => (
  <table class="stacked">
    <thead>
      <tr>
        <th scope="col">Name</th>
        <th scope="col">Full name</th>
        <th scope="col">Groups</th>
        <th scope="col">May</th>
        <th scope="col">From</th>
        <th scope="col">Since</th>
      </tr>
    </thead>
    <tbody>
      {users.map((user) => (
        <tr>
          <td class="name">
            <a href={`/admin/users/${encodeURIComponent(user.name)}`}>{user.name}</a>
          </td>
          <td data-label="Full name">{user.full_name}</td>
          <td data-label="Groups">{user.groups.join(", ")}</td>
          <td data-label="May">
            <Standing user={user} />
          </td>
          <td data-label="From">{user.source}</td>
          <td data-label="Since">
            <Ago iso={user.created} now={now} />
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);

const AddUser = () => (
  <section aria-labelledby="add">
    <h2 id="add">Add a user</h2>
    <form method="post" action="/admin/users" class="fields">
      <label>
        Name
        <input name="name" required maxlength={100} autocomplete="off" autocapitalize="none" />
      </label>
      <label>
        Full name
        <input name="full_name" maxlength={200} autocomplete="off" />
      </label>
      <label>
        Mail
        <input name="email" type="email" maxlength={200} autocomplete="off" />
      </label>
      <label class="check">
        <input type="checkbox" name="admin" value="yes" /> Administrator
      </label>
      <button class="primary">Add</button>
    </form>
    <p class="muted">
      Who is added can sign in by a password link from their page, or by a provider whose account is
      linked.
    </p>
  </section>
);

const Standing = ({ user }: { user: UserView }) => (
  <>
    {user.admin && <span class="chip run">administrator</span>}{" "}
    {!user.active && <span class="chip bad">switched off</span>}
  </>
);

export interface UserShown {
  view: View;
  user: UserView;
  tokens: readonly TokenView[];
  accounts: readonly AccountView[];
  /** Names of all groups. */
  groups: readonly string[];
  message?: Said | undefined;
  /** To choose a password; shown this once. */
  link?: { url: string; expires: string } | undefined;
}

/** `/admin/users/NAME` */
export function UserPage(props: UserShown) {
  const { view, user, link, message, tokens } = props;
  const path = `/admin/users/${encodeURIComponent(user.name)}`;
  return (
    <AdminFrame view={view} title={user.name} tab="/admin/users" message={message}>
      <p class="muted">
        <Standing user={user} />
        {` Known since `}
        <Ago iso={user.created} now={view.now} />
        {` (${user.source}). `}
        <a href={`/audit?${new URLSearchParams({ kind: "user", name: user.name })}`}>
          What changed
        </a>
        {" · "}
        <a href={`/audit?${new URLSearchParams({ who: user.name })}`}>What they did</a>
        {" · "}
        <a href={`/?${new URLSearchParams({ submitter: user.name })}`}>Their jobs</a>
      </p>
      {link && (
        <div class="notice good" role="status">
          <p>
            {`Send ${user.name} this link. A password is chosen with it, once, until ${link.expires.slice(0, 16).replace("T", " ")} UTC.`}
          </p>
          <ToCopy id="link" text={link.url} label="the link" />
        </div>
      )}
      <section aria-labelledby="who">
        <h2 id="who">Who it is</h2>
        <form method="post" action={path} class="fields">
          <label>
            Full name
            <input name="full_name" value={user.full_name} maxlength={200} />
          </label>
          <label>
            Mail
            <input name="email" type="email" value={user.email} maxlength={200} />
          </label>
          <button>Save</button>
        </form>
      </section>
      <Groups {...props} path={path} />
      <SigningIn {...props} path={path} />
      <section aria-labelledby="tokens">
        <h2 id="tokens">Tokens and browsers</h2>
        <TokensTable tokens={tokens} now={view.now} next={path} />
      </section>
    </AdminFrame>
  );
}

const SigningIn = ({ view, user, accounts, path }: UserShown & { path: string }) => (
  <section aria-labelledby="sign-in">
    <h2 id="sign-in">Signing in</h2>
    <div class="filters">
      <form method="post" action={`${path}/password-link`}>
        <button>Make a password link</button>
      </form>
      <Sure ask="Sign out everywhere" action={`${path}/sign-out`} yes="Sign them out">
        Every browser is signed out.
        <label>
          <input type="checkbox" name="tokens" value="yes" /> Their API tokens end, too
        </label>
      </Sure>
      {view.user?.name !== user.name && <Flags user={user} path={path} />}
    </div>
    {accounts.map(({ id, provider, subject }) => (
      <div class="filters">
        {`Account of ${provider}: ${subject}`}
        <Sure ask="Unlink" action={`${path}/unlink`} fields={{ id }} yes="Unlink it">
          It no longer signs {user.name} in.
        </Sure>
      </div>
    ))}
  </section>
);

const Flags = ({ user, path }: { user: UserView; path: string }) => (
  <>
    {user.admin ? (
      <Sure ask="Administrator no more" action={path} fields={{ admin: "no" }} yes="Take it away">
        {`${user.name} may then do what groups and grants say.`}
      </Sure>
    ) : (
      <Sure
        ask="Make an administrator"
        action={path}
        fields={{ admin: "yes" }}
        yes="Make an administrator"
      >
        {`${user.name} may then do everything.`}
      </Sure>
    )}
    {user.active ? (
      <Sure ask="Switch off" action={path} fields={{ active: "no" }} yes="Switch them off">
        Refused at once, whatever they come with; their jobs wait.
      </Sure>
    ) : (
      <form method="post" action={path}>
        <input type="hidden" name="active" value="yes" />
        <button>Switch on again</button>
      </form>
    )}
  </>
);

const Groups = ({ user, groups, path }: UserShown & { path: string }) => {
  const others = groups.filter((name) => !user.groups.includes(name));
  return (
    <section aria-labelledby="groups">
      <h2 id="groups">Groups</h2>
      {user.groups.length === 0 && <p class="muted">In none.</p>}
      <ul class="plain filters">
        {user.groups.map((group) => (
          <li class="filters">
            <a href={`/admin/groups/${encodeURIComponent(group)}`}>{group}</a>
            <Act
              action={`${path}/group`}
              fields={{ group, member: "no" }}
              label="Take out"
              words={`Take out of ${group}`}
            />
          </li>
        ))}
      </ul>
      {others.length > 0 && (
        <form method="post" action={`${path}/group`} class="filters">
          <input type="hidden" name="member" value="yes" />
          <label>
            Group
            <select name="group" required>
              <option value="">choose</option>
              {others.map((name) => (
                <option>{name}</option>
              ))}
            </select>
          </label>
          <button>Put in</button>
        </form>
      )}
    </section>
  );
};
