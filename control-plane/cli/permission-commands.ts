import {
  PERMISSION_KINDS,
  PERMISSIONS,
  type PermissionKind,
  type PermissionsList,
  type PermissionsView,
} from "#protocol/people.ts";
import {
  argumentsOf,
  JSON_HELP,
  JSON_OPTION,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { printable } from "./printable.ts";
import { table, type Cell } from "./terminal.ts";

const THINGS = [
  "THING               lab, device-type NAME, device NAME or worker NAME",
  "WHO                 a group, user:NAME, everyone (who is signed in) or anonymous (everybody)",
  "PERMISSION          view, submit, change or admin; each one implies those before it",
];

export const permissionCommands: readonly Command[] = [
  {
    usage: "permissions",
    about: "list who may what (docs/people.md)",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: listPermissions,
  },
  {
    usage: "permissions add THING WHO PERMISSION",
    about: "grant a permission: pumice permissions add device-type qemu team submit",
    help: THINGS,
    run: (context) => change(context, false),
  },
  {
    usage: "permissions remove THING WHO PERMISSION",
    about: "take a permission back",
    help: THINGS,
    run: (context) => change(context, true),
  },
];

async function listPermissions(context: Context): Promise<number> {
  argumentsOf(context);
  const found: PermissionsView[] = [];
  for (const kind of PERMISSION_KINDS) {
    for (let cursor: string | undefined = ""; cursor !== undefined;) {
      const query = new URLSearchParams({ kind, ...(cursor === "" ? {} : { cursor }) });
      const page: PermissionsList = await context.client().json("GET", `/permissions?${query}`);
      found.push(...page.permissions);
      cursor = page.next_cursor;
    }
  }
  const { terminal, values } = context;
  if (values["json"]) {
    terminal.out(JSON.stringify({ permissions: found }, undefined, 2));
    return 0;
  }
  const rows = found.flatMap(({ kind, name, permissions }) =>
    PERMISSIONS.flatMap((permission) =>
      (permissions[permission] ?? []).map((who): Cell[] => [
        kind === "lab" ? "lab" : printable(`${kind} ${name}`),
        permission,
        printable(who),
      ]),
    ),
  );
  terminal.out(table(terminal, ["THING", "PERMISSION", "WHO"], rows));
  return 0;
}

async function change(context: Context, remove: boolean): Promise<number> {
  const [kind, ...rest] = context.positionals;
  const isKind = (text: string | undefined): text is PermissionKind =>
    PERMISSION_KINDS.some((one) => one === text);
  if (!isKind(kind)) throw new UsageError(`THING: expected ${PERMISSION_KINDS.join(", ")}`);
  const [name = "", to, permission] = kind === "lab" ? ["lab", ...rest] : rest;
  if (
    to === undefined ||
    permission === undefined ||
    context.positionals.length !== (kind === "lab" ? 3 : 4)
  ) {
    throw new UsageError("expected THING WHO PERMISSION");
  }
  const where = `/permissions/${kind}/${encodeURIComponent(name)}`;
  const after = await context
    .client()
    .json<PermissionsView>("POST", where, { to, permission, remove });
  const what = kind === "lab" ? "the lab" : `${kind} ${name}`;
  const now = PERMISSIONS.flatMap((one) =>
    after.permissions[one] ? [`${one}: ${after.permissions[one].join(", ")}`] : [],
  );
  context.terminal.say(
    printable(`${what} grants ${now.length > 0 ? now.join("; ") : "nothing of its own"}`),
  );
  return 0;
}
