import * as v from "valibot";
import { plainRecord } from "./plain-record.ts";
import { listOf, oneOf } from "./schema-parts.ts";

/** Users, groups and what they may: `/api/v1/users`, `/groups`, `/permissions`, `/audit`, and their parts of a lab as code. */

/** Groups that nobody has to be put into: all who are signed in, and everybody else, too. */
export const BUILT_IN_GROUPS = ["everyone", "anonymous"] as const;
/** Names that would be taken for somebody else: the lab itself, and the built-in groups. */
const RESERVED_NAMES: readonly string[] = ["lava-health", ...BUILT_IN_GROUPS];
const RESERVED = "this name is the lab's own; take another one";
export const isReservedName = (name: string): boolean => RESERVED_NAMES.includes(name);

export const userName = v.pipe(
  v.string("expected a user's name"),
  v.regex(
    /^[A-Za-z0-9][\w.@-]{0,99}$/,
    "expected a user's name, of letters, digits, `.`, `_`, `-` and `@`",
  ),
  v.check((name) => !isReservedName(name), RESERVED),
);
export const groupName = v.pipe(
  v.string("expected a group's name"),
  v.regex(/^[A-Za-z0-9][\w.-]{0,199}$/, "expected a name of letters, digits, `.`, `_` and `-`"),
  v.check((name) => !isReservedName(name), RESERVED),
);

/** Each one implies those before it. */
export const PERMISSIONS = ["view", "submit", "change", "admin"] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Who is given a permission: a group, or `user:NAME`. */
export const granteeSchema = v.pipe(
  v.string("expected a group, or user:NAME"),
  v.regex(
    /^(user:[A-Za-z0-9][\w.@-]{0,99}|[A-Za-z0-9][\w.-]{0,199})$/,
    "expected a group, or user:NAME",
  ),
);
const grantees = v.optional(
  v.pipe(
    listOf(granteeSchema),
    v.maxLength(200, "expected at most 200 groups and users; make a group of them"),
    v.transform((names) => [...new Set(names)].toSorted()),
  ),
);
/** Who has which permission on something; a permission that is absent is granted to nobody. */
export const grantsSchema = v.pipe(
  v.strictObject({ view: grantees, submit: grantees, change: grantees, admin: grantees }),
  // One way to write each, so that two that mean the same are equal.
  v.transform((grants) => {
    const kept: { -readonly [P in Permission]?: string[] } = {};
    for (const permission of PERMISSIONS) {
      const names = grants[permission];
      if (names && names.length > 0) kept[permission] = names;
    }
    return kept as Grants;
  }),
);
export interface Grants {
  readonly view?: string[];
  readonly submit?: string[];
  readonly change?: string[];
  readonly admin?: string[];
}

/** What has permissions: the lab as a whole, each device type, device and worker. */
export const PERMISSION_KINDS = ["lab", "device-type", "device", "worker"] as const;
export type PermissionKind = (typeof PERMISSION_KINDS)[number];
/** `GET /api/v1/permissions/KIND/NAME`; of the lab the name is `lab`. */
export const permissionsViewSchema = v.object({
  kind: v.picklist(PERMISSION_KINDS),
  name: v.string(),
  permissions: grantsSchema,
});
export type PermissionsView = v.InferOutput<typeof permissionsViewSchema>;
/** `GET /api/v1/permissions`: everything that grants something, in pages; a page may be empty and have a cursor. */
export const permissionsListSchema = v.object({
  permissions: v.array(permissionsViewSchema),
  next_cursor: v.optional(v.string()),
});
export type PermissionsList = v.InferOutput<typeof permissionsListSchema>;
/** `POST /api/v1/permissions/KIND/NAME`: one more grant, or with `remove` one less. */
export const grantSchema = v.strictObject({
  to: granteeSchema,
  permission: oneOf(...PERMISSIONS),
  remove: v.optional(v.boolean(), false),
});
export type Grant = v.InferOutput<typeof grantSchema>;

const text = v.pipe(v.string("expected text"), v.maxLength(200, "expected at most 200 characters"));
const flag = v.boolean("expected true or false");

/** A user of a lab as code: no secrets. What is absent of one who is there stays as it is. */
export const labUserSchema = v.strictObject({
  admin: v.optional(flag),
  /** False: none of their tokens and sessions is good, and their jobs wait. */
  active: v.optional(flag),
  email: v.optional(text),
  full_name: v.optional(text),
});
export type LabUser = v.InferOutput<typeof labUserSchema>;
/** `POST /api/v1/users`; `PATCH /api/v1/users/NAME` takes a `LabUser`. */
export const addUserSchema = v.strictObject({ name: userName, ...labUserSchema.entries });
export type AddUser = v.InferOutput<typeof addUserSchema>;

export const userViewSchema = v.object({
  name: v.string(),
  admin: v.boolean(),
  active: v.boolean(),
  email: v.string(),
  full_name: v.string(),
  groups: v.array(v.string()),
  /** How the lab came to know of them: `added`, `token`, `group`, `first`, or the name of a sign-in provider. */
  source: v.string(),
  created: v.string(),
});
export type UserView = v.InferOutput<typeof userViewSchema>;
export const userListSchema = v.object({
  users: v.array(userViewSchema),
  next_cursor: v.optional(v.string()),
});
export type UserList = v.InferOutput<typeof userListSchema>;
/** `GET /api/v1/me` */
export const meSchema = v.object({
  name: v.string(),
  admin: v.boolean(),
  groups: v.array(v.string()),
});
export type Me = v.InferOutput<typeof meSchema>;

/** Of what a change is written down: jobs, what moves in the lab by itself, and what people administer. */
export const CHANGED_KINDS = [
  ...(["job", "device", "worker", "event", "device-type", "user", "group", "token"] as const),
  ...(["permission", "template", "health-check", "alias", "tag", "release", "rollout"] as const),
  ...(["reservation", "query", "lab"] as const),
] as const;
export type ChangedKind = (typeof CHANGED_KINDS)[number];

/** One change of the lab, as `GET /api/v1/audit` tells it. */
export const auditEntrySchema = v.object({
  id: v.string(),
  time: v.string(),
  who: v.string(),
  kind: v.string(),
  name: v.string(),
  changed: plainRecord(v.string(), v.tuple([v.nullable(v.string()), v.nullable(v.string())])),
  reason: v.optional(v.string()),
});
export type AuditEntry = v.InferOutput<typeof auditEntrySchema>;
/** Newest first; a page may be shorter than asked for, even empty, and have a cursor. */
export const auditPageSchema = v.object({
  entries: v.array(auditEntrySchema),
  next_cursor: v.optional(v.string()),
});
export type AuditPage = v.InferOutput<typeof auditPageSchema>;
