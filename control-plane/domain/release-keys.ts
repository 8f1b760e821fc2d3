import { requireOnLab } from "./visible.ts";
import { editChange, removal } from "./changes.ts";
import type { ReleaseKeyView } from "#protocol/release-api.ts";
import { readReleaseKey } from "#protocol/release-key.ts";
import { AppError } from "./app-error.ts";
import { nowOf } from "./closed-lab.ts";
import type { Deps } from "./deps.ts";
import { signerKey } from "./keys.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";

/** The public keys that may have signed a release, oldest id first. */
export async function listReleaseKeys(
  deps: Deps,
  principal: Principal,
): Promise<{ release_keys: ReleaseKeyView[] }> {
  await requireOnLab(deps, principal, "view");
  return { release_keys: await allKeys(deps) };
}

/** PEM of all of them, one after the other, for a worker that enrols; empty when the lab has none. */
export async function releaseKeys(deps: Deps): Promise<string> {
  return (await allKeys(deps)).map(({ pem }) => pem).join("");
}

/** Adds a key; again does nothing. Throws `invalid` for what is no public Ed25519 key. */
export async function putReleaseKey(
  deps: Deps,
  principal: Principal,
  { pem: text }: { pem: string },
): Promise<ReleaseKeyView> {
  const { name: user } = requireAdmin(principal);
  let key: { id: string; pem: string };
  try {
    key = readReleaseKey(text);
  } catch (cause) {
    throw new AppError("invalid", `pem: ${(cause as Error).message}`, { cause });
  }
  const there = await deps.table.get<ReleaseKeyView>(signerKey(key.id));
  if (there) return there.data;
  const added: ReleaseKeyView = { ...key, added: nowOf(deps), user };
  await deps.table.transact([
    { put: { key: signerKey(key.id), data: added } },
    ...editChange(deps, "release", "keys", [{}, { [key.id]: "added" }], { who: user }),
  ]);
  return added;
}

/** Workers that have it go on trusting it: it is taken from each by hand. Throws `not_found`. */
export async function removeReleaseKey(
  deps: Deps,
  principal: Principal,
  id: string,
): Promise<void> {
  const user = requireAdmin(principal);
  if (!(await deps.table.get(signerKey(id)))) {
    throw new AppError("not_found", `there is no release key ${JSON.stringify(id)}`);
  }
  await deps.table.transact([
    { delete: signerKey(id) },
    ...removal(deps, "release", "keys", { [id]: "added" }, user),
  ]);
}

async function allKeys(deps: Deps): Promise<ReleaseKeyView[]> {
  const keys: ReleaseKeyView[] = [];
  const { partition } = signerKey("");
  for await (const { data } of queryAll<ReleaseKeyView>(deps, "main", partition)) keys.push(data);
  return keys;
}
