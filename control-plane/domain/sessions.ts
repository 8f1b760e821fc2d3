import type { Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { tokenKey } from "./people-keys.ts";
import { requireUser, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import type { TokenRecord } from "./tokens.ts";
import { findUser } from "./users.ts";

/** Room in one transaction. */
const AT_ONCE = 90;

/** Ends all of a person's sessions and links, except one; their API tokens stay. */
export async function endSessions(deps: Deps, name: string, except?: string): Promise<number> {
  const ending: Operation[] = [];
  for await (const { data } of queryAll<TokenRecord>(deps, "i2", `user-tokens#${name}`)) {
    if (data.kind !== "user" && data.id !== except) ending.push({ delete: tokenKey(data.id) });
  }
  for (let at = 0; at < ending.length; at += AT_ONCE) {
    await deps.table.transact(ending.slice(at, at + AT_ONCE));
  }
  return ending.length;
}

/** Signs a person out of every browser, for them or for an administrator; with `tokens` their API tokens end, too. */
export async function signOutEverywhere(
  deps: Deps,
  principal: Principal,
  name: string,
  { tokens }: { tokens: boolean },
): Promise<{ ended: number }> {
  const user = requireUser(principal);
  if (user.name !== name && !user.admin) {
    throw new AppError("forbidden", "only an administrator may do this");
  }
  let ended = await endSessions(deps, name);
  if (tokens) {
    for await (const { data } of queryAll<TokenRecord>(deps, "i2", `user-tokens#${name}`)) {
      if (data.kind !== "user") continue;
      await deps.table.transact([{ delete: tokenKey(data.id) }]);
      ended++;
    }
  }
  // One of an older lab may have sessions and no record yet.
  if (ended === 0 && !(await findUser(deps, name))) {
    throw new AppError("not_found", `there is no user ${JSON.stringify(name)}`);
  }
  const changed: Record<string, [string, null]> = {
    [tokens ? "sessions and tokens" : "sessions"]: [String(ended), null],
  };
  const change = changeItem(deps, { who: user.name, kind: "user", name, changed });
  await deps.table.transact([{ put: change, when: "absent" }]);
  return { ended };
}
