import type { AccountView, LinkAccount } from "#protocol/sign-in.ts";
import type { Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import type { Deps } from "./deps.ts";
import type { IdentityRecord } from "./identity-record.ts";
import { identityKey, tokenKey } from "./people-keys.ts";
import { labSettings } from "./lab-settings.ts";
import { requireUser, type Principal } from "./principal.ts";
import { identityHash, linking } from "./provider-person.ts";
import { queryAll } from "./query-all.ts";
import { retrying } from "./retrying.ts";
import type { TokenRecord } from "./tokens.ts";
import { findUser } from "./users.ts";

/** A person's accounts of providers, for themself or an administrator. Throws `not_found`. */
export async function listAccounts(
  deps: Deps,
  principal: Principal,
  name: string,
): Promise<{ accounts: AccountView[] }> {
  await requireThem(deps, principal, name);
  const accounts: AccountView[] = [];
  for await (const { data } of queryAll<IdentityRecord>(deps, "i1", `identities#${name}`)) {
    const { hash, provider, issuer, subject, created } = data;
    accounts.push({ id: hash.slice(0, 16), provider, issuer, subject, created });
  }
  return { accounts };
}

/**
 * Links somebody else's account of a provider with a person, so that it signs them in: an administrator knows its subject.
 * Throws `not_found`, `invalid` for a provider that the lab does not have, `conflict` when the account is another person's.
 */
export async function linkAccount(
  deps: Deps,
  principal: Principal,
  name: string,
  { provider: wanted, subject }: LinkAccount,
): Promise<void> {
  const { admin, name: who } = requireUser(principal);
  if (!admin) throw new AppError("forbidden", "only an administrator may do this");
  if (!(await findUser(deps, name))) throw noUser(name);
  const { oidc, ldap } = (await labSettings(deps)).sign_in;
  const found = [
    ...oidc.map((one) => ({ provider: one, issuer: one.issuer })),
    ...ldap.map((one) => ({ provider: one, issuer: `ldap:${one.name}` })),
  ].find(({ provider }) => provider.name === wanted);
  if (!found) {
    const known = [...oidc, ...ldap].map((one) => one.name).join(", ") || "none yet";
    const message = `provider: the lab has no provider ${JSON.stringify(wanted)}; it has: ${known}`;
    throw new AppError("invalid", message);
  }
  const person = { issuer: found.issuer, subject, name, groups: [] };
  await retrying(async () => {
    const key = identityKey(identityHash(deps, person));
    const linked = (await deps.table.get<IdentityRecord>(key))?.data;
    if (linked?.user === name) return;
    if (linked) {
      const message = `this account of ${wanted} is linked with ${linked.user}: pumice users unlink ${linked.user} ${linked.hash.slice(0, 16)}`;
      throw new AppError("conflict", message);
    }
    await deps.table.transact(linking(deps, found.provider, person, name, who));
  });
}

/** Takes an account away from a person, for them or an administrator; sessions that it began end. Throws `not_found`. */
export async function unlinkAccount(
  deps: Deps,
  principal: Principal,
  name: string,
  id: string,
): Promise<void> {
  const { name: who } = await requireThem(deps, principal, name);
  let account: IdentityRecord | undefined;
  for await (const { data } of queryAll<IdentityRecord>(deps, "i1", `identities#${name}`)) {
    if (data.hash.slice(0, 16) === id) account = data;
  }
  if (!account) throw new AppError("not_found", `${name} has no account ${JSON.stringify(id)}`);
  const { provider, issuer, subject, hash } = account;
  const changed: Record<string, [string, null]> = {
    account: [`${issuer} ${subject}`.slice(0, 500), null],
  };
  const ending: Operation[] = [];
  for await (const { data } of queryAll<TokenRecord>(deps, "i2", `user-tokens#${name}`)) {
    if (data.kind === "session" && data.provider === provider && ending.length < 90) {
      ending.push({ delete: tokenKey(data.id) });
    }
  }
  await deps.table.transact([
    { delete: identityKey(hash) },
    ...ending,
    { put: changeItem(deps, { who, kind: "user", name, changed }), when: "absent" },
  ]);
}

async function requireThem(deps: Deps, principal: Principal, name: string) {
  const user = requireUser(principal);
  if (user.name === name || (user.admin && (await findUser(deps, name)))) return user;
  throw noUser(name);
}

const noUser = (name: string): AppError =>
  new AppError("not_found", `there is no user ${JSON.stringify(name)}`);
