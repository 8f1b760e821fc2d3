import {
  PERMISSION_KINDS,
  PERMISSIONS,
  type PermissionKind,
  type PermissionsView,
} from "#protocol/people.ts";
import { Act, AdminFrame, Older } from "./admin-frame.tsx";
import type { Said } from "./answer-form.ts";
import type { View } from "./view.ts";

const KIND_WORDS: Readonly<Record<PermissionKind, string>> = {
  lab: "The lab",
  "device-type": "Device types",
  device: "Devices",
  worker: "Workers",
};
const ONE: Readonly<Record<PermissionKind, string>> = {
  lab: "the lab",
  "device-type": "device type",
  device: "device",
  worker: "worker",
};
const RULES = {
  closed: "Closed lab: what grants a right to nobody is for administrators only.",
  open: "Open lab, as LAVA: what grants a right to nobody may be seen by all and used by every user; changing needs a grant.",
} as const;

interface PermissionsProps {
  view: View;
  kind: PermissionKind;
  permissions: readonly PermissionsView[];
  rule: "closed" | "open";
  nextCursor: string | undefined;
}

/** `/admin/permissions`: what grants something to somebody. */
export const PermissionsPage = ({
  view,
  kind,
  permissions,
  rule,
  nextCursor,
}: PermissionsProps) => (
  <AdminFrame view={view} title="Permissions" tab="/admin/permissions">
    <p class="muted">
      {RULES[rule]} <a href="/admin/settings#access">The rule is a setting.</a>
    </p>
    <nav class="tabs" aria-label="What grants">
      {PERMISSION_KINDS.map((one) => (
        <a href={`/admin/permissions?kind=${one}`} aria-current={one === kind ? "page" : undefined}>
          {KIND_WORDS[one]}
        </a>
      ))}
    </nav>
    {permissions.length === 0 && (
      <p class="nothing">{`No ${ONE[kind]} grants anything itself; what the lab grants holds.`}</p>
    )}
    {permissions.map((thing) => (
      <section aria-labelledby={`of-${thing.name}`}>
        {kind !== "lab" && (
          <h2 id={`of-${thing.name}`}>
            <a href={`/admin/permissions/${kind}/${encodeURIComponent(thing.name)}`}>
              {thing.name}
            </a>
          </h2>
        )}
        <Grants thing={thing} />
      </section>
    ))}
    <Older
      of="permissions"
      href={nextCursor && `/admin/permissions?${new URLSearchParams({ kind, cursor: nextCursor })}`}
    />
    <section aria-labelledby="grant">
      <h2 id="grant">Grant</h2>
      <GrantForm kind={kind} />
    </section>
  </AdminFrame>
);

/** `/admin/permissions/KIND/NAME`, also for who administers only this. */
export const ThingPage = ({
  view,
  thing,
  message,
}: {
  view: View;
  thing: PermissionsView;
  message?: Said | undefined;
}) => (
  <AdminFrame
    view={view}
    title={thing.kind === "lab" ? "Who may what with the lab" : `Who may what with ${thing.name}`}
    tab="/admin/permissions"
    message={message}
  >
    {thing.kind !== "lab" && (
      <p class="muted">
        {`Beside what the lab as a whole grants. `}
        <a href={`/${thing.kind}s/${encodeURIComponent(thing.name)}`}>
          {`To the ${ONE[thing.kind]}`}
        </a>
      </p>
    )}
    <Grants thing={thing} />
    <section aria-labelledby="grant">
      <h2 id="grant">Grant</h2>
      <GrantForm kind={thing.kind} name={thing.name} />
    </section>
  </AdminFrame>
);

function Grants({ thing: { kind, name, permissions } }: { thing: PermissionsView }) {
  const granted = PERMISSIONS.flatMap((permission) =>
    (permissions[permission] ?? []).map((to) => ({ permission, to })),
  );
  if (granted.length === 0) return <p class="nothing">Nothing is granted to anybody.</p>;
  return (
    <table class="stacked">
      <thead>
        <tr>
          <th scope="col">Who</th>
          <th scope="col">May</th>
          <th scope="col">Take back</th>
        </tr>
      </thead>
      <tbody>
        {granted.map(({ permission, to }) => (
          <tr>
            <td class="name">{to}</td>
            <td data-label="May">{permission}</td>
            <td>
              <Act
                action="/admin/permissions"
                fields={{ kind, name, to, permission, remove: "yes" }}
                label="Take back"
                words={`Take back ${permission} from ${to}`}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const GrantForm = ({ kind, name }: { kind: PermissionKind; name?: string }) => (
  <>
    <form method="post" action="/admin/permissions" class="fields">
      <input type="hidden" name="kind" value={kind} />
      {name !== undefined && <input type="hidden" name="name" value={name} />}
      {name === undefined && kind !== "lab" && (
        <label>
          {`Name of the ${ONE[kind]}`}
          <input name="name" required maxlength={200} autocomplete="off" autocapitalize="none" />
        </label>
      )}
      <label>
        To
        <input
          name="to"
          required
          maxlength={205}
          placeholder="group, or user:NAME"
          autocomplete="off"
          autocapitalize="none"
        />
      </label>
      <label>
        Permission
        <select name="permission">
          {PERMISSIONS.map((permission) => (
            <option>{permission}</option>
          ))}
        </select>
      </label>
      <button class="primary">Grant</button>
    </form>
    <p class="muted">
      Each one implies those before it: view, submit, change, admin. The group everyone is all who
      are signed in; anonymous is everybody else, too.
    </p>
  </>
);
