import { secretName, type SecretView } from "#protocol/sign-in.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { secretKey } from "./people-keys.ts";
import { requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { requireName } from "./require-name.ts";
import { retrying } from "./retrying.ts";

/** A remote artefact token (SCHEDULER.md 6) in the table, sealed by the lab's secret. */
export interface SecretRecord {
  name: string;
  created: string;
  sealed: string;
}

const MOST = 100;

/** A person's own remote artefact tokens by name; their values are shown to nobody. */
export async function listSecrets(
  deps: Deps,
  principal: Principal,
): Promise<{ secrets: SecretView[] }> {
  const { name: user } = requireUser(principal);
  const secrets: SecretView[] = [];
  for (const { name, created } of await readSecrets(deps, user)) secrets.push({ name, created });
  return { secrets };
}

/** Keeps a value under a name, for the person's own jobs; another one of that name is replaced. */
export async function putSecret(
  deps: Deps,
  principal: Principal,
  name: string,
  { value }: { value: string },
): Promise<SecretView> {
  const { name: user } = requireUser(principal);
  requireName(secretName, name, "secret");
  const key = secretKey(user, name);
  const view = { name, created: new Date(deps.system.now()).toISOString() };
  const sealed = deps.system.seal(deps.settings.secret, placeOf(user, name), value);
  await retrying(async () => {
    const item = await deps.table.get(key);
    if (!item && (await readSecrets(deps, user)).length >= MOST) {
      throw new AppError("invalid", `a person has ${MOST} secrets at the most; remove one first`);
    }
    const changed: Record<string, [string | null, string]> = {
      [`secret ${name}`]: [item ? "set" : null, "set"],
    };
    const change = changeItem(deps, { who: user, kind: "user", name: user, changed });
    await deps.table.transact([
      {
        put: { key, data: { ...view, sealed } },
        when: item ? { version: item.version } : "absent",
      },
      { put: change, when: "absent" },
    ]);
  });
  return view;
}

/** Throws `not_found`. */
export async function removeSecret(deps: Deps, principal: Principal, name: string): Promise<void> {
  const { name: user } = requireUser(principal);
  const key = secretKey(user, name);
  if (!(await deps.table.get(key))) {
    throw new AppError("not_found", `you have no secret ${JSON.stringify(name)}`);
  }
  const changed: Record<string, [string, null]> = { [`secret ${name}`]: ["set", null] };
  const change = changeItem(deps, { who: user, kind: "user", name: user, changed });
  await deps.table.transact([{ delete: key }, { put: change, when: "absent" }]);
}

/** The value that a person keeps under a name; undefined when there is none, or this lab can't open it. */
export async function secretValue(
  deps: Deps,
  user: string,
  name: string,
): Promise<string | undefined> {
  const item = await deps.table.get<SecretRecord>(secretKey(user, name));
  return item && opened(deps, user, item.data);
}

/** All of a person's, sealed. */
export async function readSecrets(deps: Deps, user: string): Promise<SecretRecord[]> {
  const records: SecretRecord[] = [];
  const { partition } = secretKey(user, "");
  for await (const { data } of queryAll<SecretRecord>(deps, "main", partition)) records.push(data);
  return records;
}

/** The value; undefined when this lab can't open it. */
export const opened = (
  { system, settings }: Deps,
  user: string,
  { name, sealed }: SecretRecord,
): string | undefined => system.unseal(settings.secret, placeOf(user, name), sealed);

/** A sealed value is good in its own place only. */
const placeOf = (user: string, name: string): string => `secret ${JSON.stringify([user, name])}`;
