import { readYaml, type SourcePath } from "#protocol/read-yaml.ts";
import { secretName, type SecretView } from "#protocol/sign-in.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { secretKey } from "./keys.ts";
import { requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { requireName } from "./require-name.ts";
import { retrying } from "./retrying.ts";

/** A remote artefact token (SCHEDULER.md 6) in the table, sealed by the lab's secret. */
interface SecretRecord {
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

/**
 * A definition as its worker gets it: each value of `secrets` and of `headers` that is the name of one of the submitter's
 * secrets is that secret's value (SCHEDULER.md 6). All the rest stays byte for byte. `values` must not be seen in the log.
 */
export async function withSecrets(
  deps: Deps,
  submitter: string,
  definition: string,
): Promise<{ definition: string; values: string[] }> {
  if (!/\b(secrets|headers)\b/.test(definition)) return { definition, values: [] };
  const records = await readSecrets(deps, submitter);
  if (records.length === 0) return { definition, values: [] };
  const sealed = new Map(records.map((record) => [record.name, record]));
  const { value, leaves } = readYaml(definition);
  let text = definition;
  const values: string[] = [];
  for (const { path, start, end } of leaves().toSorted((a, b) => b.start - a.start)) {
    const record = isPlace(path) ? sealed.get(String(valueAt(value, path))) : undefined;
    const secret = record && opened(deps, submitter, record);
    if (secret === undefined) continue;
    // JSON is YAML; what it leaves as it is and YAML does not take is escaped, too.
    const quoted = JSON.stringify(secret).replace(
      /[\x7f-\u{10ffff}]/gu,
      (character) => `\\U${character.codePointAt(0)?.toString(16).padStart(8, "0")}`,
    );
    text = text.slice(0, start) + quoted + text.slice(end);
    values.push(secret);
  }
  return { definition: text, values: [...new Set(values)] };
}

/** Anywhere below `secrets`, and what stands directly in a mapping `headers`. */
const isPlace = (path: SourcePath): boolean => path[0] === "secrets" || path.at(-2) === "headers";

function valueAt(value: unknown, path: SourcePath): unknown {
  let inner = value;
  for (const name of path) {
    if (typeof inner !== "object" || inner === null || !Object.hasOwn(inner, name))
      return undefined;
    inner = (inner as Record<string | number, unknown>)[name];
  }
  return typeof inner === "string" ? inner : undefined;
}

async function readSecrets(deps: Deps, user: string): Promise<SecretRecord[]> {
  const records: SecretRecord[] = [];
  const { partition } = secretKey(user, "");
  for await (const { data } of queryAll<SecretRecord>(deps, "main", partition)) records.push(data);
  return records;
}

const opened = (
  { system, settings }: Deps,
  user: string,
  { name, sealed }: SecretRecord,
): string | undefined => system.unseal(settings.secret, placeOf(user, name), sealed);

/** A sealed value is good in its own place only. */
const placeOf = (user: string, name: string): string => `secret ${JSON.stringify([user, name])}`;
