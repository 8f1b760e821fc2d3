import * as v from "valibot";
import { listOf, oneOf } from "./schema-parts.ts";

/** How people sign in: the section `sign_in` of the lab's settings, passwords, and secrets of providers and people. */

const text = (most: number) =>
  v.pipe(
    v.string("expected text"),
    v.minLength(1, "expected text"),
    v.maxLength(most, `expected at most ${most} characters`),
  );
const flag = v.boolean("expected true or false");
const days = v.pipe(
  v.number("expected a number of days"),
  v.minValue(1, "expected 1 day or more"),
  v.maxValue(366, "expected at most 366 days"),
);
const groupNames = v.pipe(listOf(text(200)), v.maxLength(200, "expected at most 200 groups"));

/** In addresses and in names of environment variables. */
export const providerName = v.pipe(
  v.string("expected a name"),
  v.regex(/^[a-z][a-z0-9-]{0,31}$/, "expected lower-case letters, digits and `-`"),
);

/** What both kinds of providers say of people. */
const peopleEntries = {
  name: providerName,
  /** On the sign-in page; the name when absent. */
  label: v.optional(text(60)),
  /** False: only whom an administrator has added and linked may come in. */
  create_users: v.optional(flag, true),
  /** A user of that name who has no password and no other account becomes the one who signs in: names there are names here. */
  adopt_users: v.optional(flag, false),
  /** Before the names of groups that come from there; only such groups are changed. */
  group_prefix: v.optional(v.pipe(v.string(), v.regex(/^([A-Za-z0-9][\w.-]{0,31})?$/))),
  /** Only members of one of these come in, by their names there; everybody when absent. */
  allowed_groups: v.optional(groupNames),
  /** Members of one of these are administrators, and nobody else of this provider is, when it is there. */
  admin_groups: v.optional(groupNames),
};

/** `https://`, or `http://` on this very machine. */
const issuer = v.pipe(
  text(500),
  v.check((url) => URL.canParse(url) && isSafe(new URL(url)), "expected an https:// address"),
);
function isSafe({ protocol, hostname }: URL): boolean {
  return (
    protocol === "https:" ||
    (protocol === "http:" && /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/.test(hostname))
  );
}

export const oidcProviderSchema = v.strictObject({
  ...peopleEntries,
  /** As its discovery document names itself. */
  issuer,
  client_id: text(300),
  /** `secret`: the lab has one, by environment or `pumice sign-in-secrets`. `none`: a public client, PKCE alone. */
  client_authentication: v.optional(oneOf("basic", "post", "none"), "basic"),
  scopes: v.optional(text(300), "openid profile email"),
  /** Of the ID token, or else of the userinfo answer. */
  name_claim: v.optional(text(100), "preferred_username"),
  /** A path of dots leads into objects: `realm_access.roles`. */
  groups_claim: v.optional(text(100)),
  /** Some clocks are wrong. */
  clock_tolerance_seconds: v.optional(
    v.pipe(v.number(), v.minValue(0), v.maxValue(300, "expected at most 300 seconds")),
    30,
  ),
});
export type OidcProvider = v.InferOutput<typeof oidcProviderSchema>;

const filter = v.pipe(
  text(1000),
  v.check(
    (value) => value.startsWith("(") && value.endsWith(")"),
    "expected an LDAP filter in brackets",
  ),
);

export const ldapProviderSchema = v.pipe(
  v.strictObject({
    ...peopleEntries,
    url: v.pipe(
      text(500),
      v.regex(/^ldaps?:\/\/[^/?#\s]+$/, "expected ldap://HOST or ldaps://HOST"),
    ),
    /** TLS over ldap:// before anything is said. Without either of them passwords would be seen on the way. */
    start_tls: v.optional(flag, true),
    /** Certificates (PEM) that its own is checked by; those of public authorities when absent. */
    ca: v.optional(text(100_000)),
    /** Whose password is tried, `{name}` in it: `uid={name},ou=people,dc=example,dc=org`. In its place `search`. */
    user_dn: v.optional(text(500)),
    /** Finds the person first, as `bind_dn` with the lab's secret, or as nobody when that is absent. */
    search: v.optional(
      v.strictObject({
        bind_dn: v.optional(text(500)),
        base: text(500),
        /** `{name}` is what was typed. */
        filter: v.optional(filter, "(uid={name})"),
      }),
    ),
    /** Of a person's entry. */
    name_attribute: v.optional(text(100), "uid"),
    email_attribute: v.optional(text(100), "mail"),
    full_name_attribute: v.optional(text(100), "cn"),
    /** Never changes and never comes again; the DN when the entry has none. */
    id_attribute: v.optional(text(100), "entryUUID"),
    /** An entry that fits this may not sign in: `(pwdAccountLockedTime=*)`, `(nsAccountLock=TRUE)`. */
    disabled_filter: v.optional(filter),
    groups: v.optional(
      v.strictObject({
        base: text(500),
        /** `{dn}` and `{name}` are the person's. */
        filter: v.optional(filter, "(member={dn})"),
        name_attribute: v.optional(text(100), "cn"),
      }),
    ),
  }),
  v.check(
    ({ user_dn, search }) => (user_dn === undefined) !== (search === undefined),
    "expected user_dn, or search in its place",
  ),
  v.check(({ user_dn }) => user_dn?.includes("{name}") ?? true, "expected {name} in user_dn"),
);
export type LdapProvider = v.InferOutput<typeof ldapProviderSchema>;
export type PeopleOfProvider = Pick<
  OidcProvider,
  "name" | "create_users" | "adopt_users" | "group_prefix" | "allowed_groups" | "admin_groups"
>;

const once = (providers: readonly { name: string }[]): boolean =>
  new Set(providers.map(({ name }) => name)).size === providers.length;

export const signInSettingsSchema = v.pipe(
  v.strictObject({
    /** Whether passwords that the lab keeps are good. */
    passwords: v.optional(flag, true),
    /** A browser is signed out this long after it signed in, */
    session_days: v.optional(days, 30),
    /** and when nobody has used it for so long. */
    idle_days: v.optional(days, 14),
    /** The longest life of an API token that a person makes; no limit when absent. */
    longest_token_days: v.optional(days),
    oidc: v.optional(v.pipe(v.array(oidcProviderSchema), v.maxLength(10)), []),
    ldap: v.optional(v.pipe(v.array(ldapProviderSchema), v.maxLength(5)), []),
  }),
  v.check(({ oidc, ldap }) => once([...oidc, ...ldap]), "two providers have the same name"),
);

/** Length is what counts: no rules about which characters. */
export const passwordSchema = v.pipe(
  v.string("expected a password"),
  v.minLength(12, "expected a password of at least 12 characters; a few words are a good one"),
  v.maxLength(256, "expected a password of at most 256 characters"),
);
/** What somebody types to sign in is taken as it is, but for its length. */
export const typedPassword = v.pipe(v.string(), v.maxLength(256));

/** `PUT /api/v1/users/NAME/password`: `current` is needed for one's own. */
export const putPasswordSchema = v.strictObject({
  password: passwordSchema,
  current: v.optional(typedPassword),
  /** The person has to choose another one before anything else; an administrator sets it. */
  must_change: v.optional(flag, false),
});
export type PutPassword = v.InferOutput<typeof putPasswordSchema>;

/** `POST /api/v1/users/NAME/password-links`: where a person chooses their password, once, within a day. */
export const passwordLinkSchema = v.object({ url: v.string(), expires: v.string() });

/** `PUT /api/v1/secrets/NAME`: a remote artefact token (SCHEDULER.md 6). It is never shown again. */
export const putSecretSchema = v.strictObject({
  value: v.pipe(
    v.string("expected a value"),
    v.minLength(1, "expected a value"),
    v.maxLength(4096, "expected at most 4096 characters"),
  ),
});
export const secretName = v.pipe(
  v.string(),
  v.regex(
    /^[\w.@+ -]{1,100}$/,
    "expected a name of at most 100 letters, digits, `.`, `_`, `-`, `@`, `+` and spaces",
  ),
);
export const secretViewSchema = v.object({ name: v.string(), created: v.string() });
export type SecretView = v.InferOutput<typeof secretViewSchema>;
export const secretListSchema = v.object({ secrets: v.array(secretViewSchema) });

/** What a token is good for; one without scopes may do all that its person may. */
export const SCOPES = ["read", "submit", "workers", "admin"] as const;
export type Scope = (typeof SCOPES)[number];
export const scopesSchema = v.pipe(
  listOf(oneOf(...SCOPES)),
  v.minLength(1, "expected at least one scope"),
  v.maxLength(SCOPES.length),
);

/** `POST /api/v1/users/NAME/accounts` */
export const linkAccountSchema = v.strictObject({ provider: providerName, subject: text(500) });
export type LinkAccount = v.InferOutput<typeof linkAccountSchema>;
/** An account of a provider that signs somebody in. */
export const accountViewSchema = v.object({
  id: v.string(),
  provider: v.string(),
  issuer: v.string(),
  subject: v.string(),
  created: v.string(),
});
export type AccountView = v.InferOutput<typeof accountViewSchema>;
