import { isIP } from "node:net";
import type { Client, Entry } from "ldapts";
import type { LdapProvider } from "#protocol/sign-in.ts";
import { AppError } from "../domain/app-error.ts";
import type { ProviderPerson } from "../domain/provider-person.ts";

const TIMEOUT_MS = 10_000;
const MOST_GROUPS = 1000;

/**
 * Who a name and a password belong to in a directory; undefined when they are not good there, or the person's entry is
 * disabled. Throws `unavailable` when the directory can't be asked; why is for the operator only.
 */
export async function askDirectory(
  provider: LdapProvider,
  secret: string | undefined,
  name: string,
  password: string,
): Promise<ProviderPerson | undefined> {
  // A bind without a password is one as nobody, and succeeds.
  if (name === "" || password === "") return undefined;
  // Only who signs in this way needs the code.
  const ldap = await import("ldapts");
  const client = new ldap.Client({
    url: provider.url,
    timeout: TIMEOUT_MS,
    connectTimeout: TIMEOUT_MS,
    ...(provider.url.startsWith("ldaps:") ? { tlsOptions: tlsOf(provider) } : {}),
  });
  const isRefusal = (error: unknown): boolean =>
    error instanceof ldap.InvalidCredentialsError ||
    error instanceof ldap.NoSuchObjectError ||
    error instanceof ldap.InvalidDNSyntaxError;
  try {
    if (provider.url.startsWith("ldap:") && provider.start_tls) {
      await client.startTLS(tlsOf(provider));
    }
    return provider.search
      ? await bySearch(client, provider, secret, { name, password, isRefusal })
      : await byDn(client, provider, { name, password, isRefusal });
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    throw new AppError(
      "unavailable",
      `the directory ${provider.name} can't be asked now; try again`,
      {
        context: { provider: provider.name, reason: reason.slice(0, 300) },
        cause: error,
      },
    );
  } finally {
    await client.unbind().catch(() => {});
  }
}

interface Asked {
  name: string;
  password: string;
  isRefusal: (error: unknown) => boolean;
}

/** The person's own rights are enough: they bind first. */
async function byDn(client: Client, provider: LdapProvider, asked: Asked) {
  const dn = (provider.user_dn ?? "").replaceAll("{name}", () => dnEscaped(asked.name));
  if (!(await binds(client, dn, asked))) return undefined;
  const entry = await entryOf(client, provider, dn, "(objectClass=*)", "base");
  return entry && (await personOf(client, provider, entry));
}

/** Reads all as the lab, and tries the password last. */
async function bySearch(
  client: Client,
  provider: LdapProvider,
  secret: string | undefined,
  asked: Asked,
) {
  const { bind_dn: as, base, filter } = provider.search ?? { base: "", filter: "" };
  if (as !== undefined) {
    if (secret === undefined) throw new Error(`this lab has no password of ${as}`);
    await client.bind(as, secret);
  }
  const wanted = filter.replaceAll("{name}", () => filterEscaped(asked.name));
  const entry = await entryOf(client, provider, base, wanted, "sub");
  const person = entry && (await personOf(client, provider, entry));
  return entry && (await binds(client, entry.dn, asked)) ? person : undefined;
}

async function binds(client: Client, dn: string, { password, isRefusal }: Asked): Promise<boolean> {
  try {
    await client.bind(dn, password);
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

/** The one entry that fits, unless it is disabled; undefined when there is none, or more than one. */
async function entryOf(
  client: Client,
  provider: LdapProvider,
  base: string,
  filter: string,
  scope: "base" | "sub",
): Promise<Entry | undefined> {
  const { disabled_filter: disabled } = provider;
  const attributes = [
    provider.name_attribute,
    provider.email_attribute,
    provider.full_name_attribute,
    provider.id_attribute,
  ];
  const { searchEntries } = await client.search(base, {
    scope,
    filter: disabled === undefined ? filter : `(&${filter}(!${disabled}))`,
    attributes,
    // Active Directory's is binary: as a text it could be another one's.
    explicitBufferAttributes: [provider.id_attribute],
    sizeLimit: 2,
  });
  return searchEntries.length === 1 ? searchEntries[0] : undefined;
}

async function personOf(
  client: Client,
  provider: LdapProvider,
  entry: Entry,
): Promise<ProviderPerson | undefined> {
  const name = firstOf(entry, provider.name_attribute);
  if (name === undefined) return undefined;
  return {
    issuer: `ldap:${provider.name}`,
    subject: firstOf(entry, provider.id_attribute) ?? entry.dn.toLowerCase(),
    name,
    email: firstOf(entry, provider.email_attribute),
    full_name: firstOf(entry, provider.full_name_attribute),
    groups: await groupsOf(client, provider, entry.dn, name),
  };
}

async function groupsOf(
  client: Client,
  { groups }: LdapProvider,
  dn: string,
  name: string,
): Promise<string[]> {
  if (!groups) return [];
  const filter = groups.filter
    .replaceAll("{dn}", () => filterEscaped(dn))
    .replaceAll("{name}", () => filterEscaped(name));
  const { searchEntries } = await client.search(groups.base, {
    scope: "sub",
    filter,
    attributes: [groups.name_attribute],
    paged: { pageSize: 200 },
  });
  return searchEntries
    .slice(0, MOST_GROUPS)
    .map((entry) => firstOf(entry, groups.name_attribute))
    .filter((one) => one !== undefined);
}

/** A directory's attribute names are of any case. */
function firstOf(entry: Entry, attribute: string): string | undefined {
  const key = Object.keys(entry).find((one) => one.toLowerCase() === attribute.toLowerCase());
  const value = key === undefined ? undefined : entry[key];
  const first = Array.isArray(value) ? value[0] : value;
  const text = Buffer.isBuffer(first) ? textOrHex(first) : first;
  return text === undefined || text === "" ? undefined : text;
}

function textOrHex(bytes: Buffer): string {
  const text = bytes.toString("latin1");
  return /^[\x20-\x7e]*$/.test(text) ? text : bytes.toString("hex");
}

/** RFC 4515, section 3: nothing that is typed is syntax. */
export const filterEscaped = (text: string): string =>
  text.replace(/[\\*()\0]|[^\x01-\x7e]/gu, (character) =>
    Buffer.from(character).toString("hex").replace(/../g, "\\$&"),
  );

/** RFC 4514, section 2.4. */
export const dnEscaped = (text: string): string =>
  text
    .replace(/[\\",+;<>=#]/g, "\\$&")
    .replaceAll("\0", "\\00")
    .replace(/^ | $/g, "\\ ");

/** The directory's certificate is checked, also after StartTLS, against the name in the address. */
function tlsOf({ url, ca }: LdapProvider) {
  const host = new URL(url.replace(/^ldaps?/, "http")).hostname.replace(/^\[|\]$/g, "");
  return {
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
    minVersion: "TLSv1.2" as const,
  };
}
