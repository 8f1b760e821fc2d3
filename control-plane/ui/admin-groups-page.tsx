import type { GroupView } from "#protocol/lab-lists.ts";
import { Act, AdminFrame, Sure } from "./admin-frame.tsx";
import type { Said } from "./answer-form.ts";
import type { View } from "./view.ts";

interface GroupsProps {
  view: View;
  groups: readonly GroupView[];
  message?: Said | undefined;
}

const SHOWN_MEMBERS = 8;

/** `/admin/groups` */
export const GroupsPage = ({ view, groups, message }: GroupsProps) => (
  <AdminFrame view={view} title="Groups" tab="/admin/groups" message={message}>
    {groups.length === 0 ? (
      <p class="nothing">
        There is no group yet. What is granted to a group, its members may; everyone who is signed
        in is in the group everyone.
      </p>
    ) : (
      <table class="stacked">
        <thead>
          <tr>
            <th scope="col">Group</th>
            <th scope="col">Description</th>
            <th scope="col">Members</th>
          </tr>
        </thead>
        <tbody>
          {groups.map(({ name, description, members }) => (
            <tr>
              <td class="name">
                <a href={`/admin/groups/${encodeURIComponent(name)}`}>{name}</a>
              </td>
              <td data-label="Description">{description}</td>
              <td data-label="Members">
                {members.slice(0, SHOWN_MEMBERS).join(", ")}
                {members.length > SHOWN_MEMBERS && ` and ${members.length - SHOWN_MEMBERS} more`}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    )}
    <section aria-labelledby="add">
      <h2 id="add">Add a group</h2>
      <form method="post" action="/admin/groups" class="fields">
        <label>
          Name
          <input name="name" required maxlength={200} autocomplete="off" autocapitalize="none" />
        </label>
        <label>
          Description
          <input name="description" maxlength={200} autocomplete="off" />
        </label>
        <button class="primary">Add</button>
      </form>
    </section>
  </AdminFrame>
);

interface GroupProps {
  view: View;
  group: GroupView;
  message?: Said | undefined;
}

/** `/admin/groups/NAME` */
export function GroupPage({ view, group, message }: GroupProps) {
  const { name, description, members } = group;
  const path = `/admin/groups/${encodeURIComponent(name)}`;
  return (
    <AdminFrame view={view} title={name} tab="/admin/groups" message={message}>
      <form method="post" action={path} class="filters">
        <label>
          Description
          <input name="description" value={description} size={40} maxlength={200} />
        </label>
        <button>Save</button>
      </form>
      <section aria-labelledby="members">
        <h2 id="members">{`Members (${members.length})`}</h2>
        {members.length === 0 && <p class="nothing">Nobody yet.</p>}
        <ul class="plain">
          {members.toSorted().map((user) => (
            <li class="filters">
              <a href={`/admin/users/${encodeURIComponent(user)}`}>{user}</a>
              <Act
                action={`${path}/member`}
                fields={{ user, member: "no" }}
                label="Take out"
                words={`Take out ${user}`}
              />
            </li>
          ))}
        </ul>
        <form method="post" action={`${path}/member`} class="filters">
          <input type="hidden" name="member" value="yes" />
          <label>
            Users
            <input name="user" required size={30} autocomplete="off" autocapitalize="none" />
          </label>
          <button>Put in</button>
        </form>
      </section>
      <section aria-labelledby="away">
        <h2 id="away">Remove the group</h2>
        <Sure ask={`Remove ${name}`} action={`${path}/remove`} yes={`Remove ${name}`}>
          What was granted to it is then granted to nobody, and jobs for it alone are seen by their
          submitters and administrators only.
        </Sure>
      </section>
    </AdminFrame>
  );
}
