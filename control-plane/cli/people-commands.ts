import type { GroupView } from "#protocol/lab-lists.ts";
import {
  CHANGED_KINDS,
  type AuditEntry,
  type AuditPage,
  type LabUser,
  type Me,
  type PermissionsView,
  type UserView,
} from "#protocol/people.ts";
import {
  argumentsOf,
  countOf,
  JSON_HELP,
  JSON_OPTION,
  refuseBoth,
  textOf,
  UsageError,
  type Command,
  type Context,
} from "./command.ts";
import { printList } from "./print-list.ts";
import { printable } from "./printable.ts";
import { removeNamed } from "./remove-named.ts";
import { table, type Cell } from "./terminal.ts";

const FIELDS = {
  admin: { type: "boolean" },
  "no-admin": { type: "boolean" },
  email: { type: "string" },
  "full-name": { type: "string" },
} as const;
const FIELDS_HELP = [
  "--admin, --no-admin  may do everything, or no more",
  "--email TEXT, --full-name TEXT",
];

const at = (name: string): string => encodeURIComponent(name);

export const peopleCommands: readonly Command[] = [
  {
    usage: "whoami",
    about: "show whom the token in use speaks for",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: async (context) => {
      argumentsOf(context);
      const me = await context.client().json<Me>("GET", "/me");
      const { terminal, values } = context;
      if (values["json"]) terminal.out(JSON.stringify(me, undefined, 2));
      else
        terminal.out(
          printable(`${me.name}${me.admin ? ", an administrator" : ""}${inGroups(me.groups)}`),
        );
      return 0;
    },
  },
  {
    usage: "users",
    about: "list people (docs/people.md)",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList(
        context,
        "/users",
        "users",
        ["USER", "STATE", "GROUPS", "FROM", "E-MAIL", "NAME"],
        userRow,
      ),
  },
  {
    usage: "users show NAME",
    about: "show one of them",
    run: async (context) => {
      const [name = ""] = argumentsOf(context, "NAME");
      const user = await context.client().json<UserView>("GET", `/users/${at(name)}`);
      context.terminal.out(JSON.stringify(user, undefined, 2));
      return 0;
    },
  },
  {
    usage: "users add NAME",
    about: "add somebody; then give them a token or a password",
    options: FIELDS,
    help: FIELDS_HELP,
    run: addUser,
  },
  {
    usage: "users change NAME",
    about: "change what is said of somebody",
    options: FIELDS,
    help: FIELDS_HELP,
    run: (context) => changeUser(context, fieldsOf(context), "changed"),
  },
  {
    usage: "users deactivate NAME",
    about: "refuse somebody from now on; what is theirs stays, their waiting jobs wait",
    run: (context) =>
      changeUser(
        context,
        { active: false },
        "inactive: every token and session of theirs is refused",
      ),
  },
  {
    usage: "users activate NAME",
    about: "take somebody back",
    run: (context) => changeUser(context, { active: true }, "active"),
  },
  {
    usage: "groups",
    about: "list groups of people",
    options: JSON_OPTION,
    help: [JSON_HELP],
    run: (context) =>
      printList(context, "/groups", "groups", ["GROUP", "MEMBERS", "DESCRIPTION"], groupRow),
  },
  {
    usage: "groups add NAME",
    about: "make a group",
    options: { description: { type: "string" } },
    help: ["--description TEXT"],
    run: async (context) => {
      const [name = ""] = argumentsOf(context, "NAME");
      const { groups } = await context.client().json<{ groups: GroupView[] }>("GET", "/groups");
      if (groups.some((group) => group.name === name))
        throw new UsageError(`there is a group ${name} already`);
      const description = textOf(context.values, "description") ?? "";
      await context.client().json("PUT", `/groups/${at(name)}`, { description, members: [] });
      context.terminal.say(
        `group ${name} is there; put people into it: pumice groups join ${name} USER`,
      );
      return 0;
    },
  },
  {
    usage: "groups join GROUP USER",
    about: "put somebody into a group",
    run: (context) => setMember(context, "PUT", "is in"),
  },
  {
    usage: "groups leave GROUP USER",
    about: "take somebody out of a group",
    run: (context) => setMember(context, "DELETE", "is not in"),
  },
  {
    usage: "groups remove NAME",
    about: "remove a group; what was granted to it is granted to nobody",
    run: (context) => removeNamed(context, "groups", "NAME", (name) => `group ${name} is removed`),
  },
  {
    usage: "audit",
    about: "who did what, newest first",
    options: {
      kind: { type: "string" },
      name: { type: "string" },
      who: { type: "string" },
      from: { type: "string" },
      to: { type: "string" },
      limit: { type: "string" },
      ...JSON_OPTION,
    },
    help: [
      "--kind KIND         with --name NAME of that very one; kinds:",
      `                    ${CHANGED_KINDS.slice(0, 9).join(", ")},`,
      `                    ${CHANGED_KINDS.slice(9).join(", ")}`,
      "--who USER          what somebody did; lava-health is the lab itself",
      "--from, --to TIME   2026-11-22, or 2026-11-22T08:00:00Z",
      "--limit N           so many entries; 50 when not given",
      JSON_HELP,
    ],
    run: printAudit,
  },
];

function userRow({ name, admin, active, groups, source, email, full_name }: UserView): Cell[] {
  const state = active ? (admin ? "admin" : "active") : "inactive";
  return [name, state, groups.join(", "), source, email, full_name].map(printable);
}

const groupRow = ({ name, members, description }: GroupView): Cell[] =>
  [name, members.join(", "), description].map(printable);

const inGroups = (groups: readonly string[]): string =>
  groups.length > 0 ? `, in ${groups.join(", ")}` : "";

function fieldsOf({ values }: Context): LabUser {
  refuseBoth(values, "admin", "no-admin");
  const email = textOf(values, "email");
  const fullName = textOf(values, "full-name");
  return {
    ...(values["admin"] ? { admin: true } : {}),
    ...(values["no-admin"] ? { admin: false } : {}),
    ...(email === undefined ? {} : { email }),
    ...(fullName === undefined ? {} : { full_name: fullName }),
  };
}

async function addUser(context: Context): Promise<number> {
  const [name = ""] = argumentsOf(context, "NAME");
  const client = context.client();
  const user = await client.json<UserView>("POST", "/users", { name, ...fieldsOf(context) });
  const { terminal } = context;
  terminal.say(`user ${user.name} is there; let them in: pumice tokens add ${user.name}`);
  if (user.admin) return 0;
  const { permissions } = await client.json<PermissionsView>("GET", "/permissions/lab/lab");
  if (Object.keys(permissions).length > 0) return 0;
  terminal.say(
    "this lab grants nothing to anybody but administrators yet; to let everybody see it and submit: pumice permissions add lab everyone submit",
  );
  return 0;
}

async function changeUser(context: Context, fields: LabUser, said: string): Promise<number> {
  const [name = ""] = argumentsOf(context, "NAME");
  if (Object.keys(fields).length === 0) throw new UsageError("say what to change");
  await context.client().json("PATCH", `/users/${at(name)}`, fields);
  context.terminal.say(printable(`user ${name} is ${said}`));
  return 0;
}

async function setMember(
  context: Context,
  method: "PUT" | "DELETE",
  said: string,
): Promise<number> {
  const [group = "", user = ""] = argumentsOf(context, "GROUP", "USER");
  await context.client().json(method, `/groups/${at(group)}/members/${at(user)}`);
  context.terminal.say(printable(`${user} ${said} group ${group}`));
  return 0;
}

async function printAudit(context: Context): Promise<number> {
  argumentsOf(context);
  const { terminal, values } = context;
  const wanted = countOf(values, "limit") ?? 50;
  const query = new URLSearchParams({ limit: String(Math.min(wanted, 200)) });
  for (const name of ["kind", "name", "who", "from", "to"]) {
    const value = textOf(values, name);
    if (value !== undefined) query.set(name, value);
  }
  const entries: AuditEntry[] = [];
  for (let isMore = true; isMore && entries.length < wanted;) {
    const page = await context.client().json<AuditPage>("GET", `/audit?${query}`);
    entries.push(...page.entries);
    isMore = page.next_cursor !== undefined;
    if (page.next_cursor !== undefined) query.set("cursor", page.next_cursor);
  }
  const found = entries.slice(0, wanted);
  if (values["json"]) terminal.out(JSON.stringify({ entries: found }, undefined, 2));
  else
    terminal.out(table(terminal, ["TIME", "WHO", "WHAT", "CHANGED", "WHY"], found.map(auditRow)));
  return 0;
}

function auditRow({ time, who, kind, name, changed, reason = "" }: AuditEntry): Cell[] {
  const changes = Object.entries(changed).map(
    ([field, [from, to]]) => `${field}: ${from ?? "-"} → ${to ?? "-"}`,
  );
  return [time, who, `${kind} ${name}`, changes.join("; "), reason].map(printable);
}
