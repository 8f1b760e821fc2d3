import type { Deps } from "./deps.ts";
import { namedPage } from "./named-page.ts";
import type { UserRecord } from "./users.ts";

const MOST = 5;

/** Names of some who may do everything, for whoever is signed in and needs one; looks at the first 1,000 people at most. */
export async function someAdministrators(deps: Deps): Promise<string[]> {
  const { records } = await namedPage<UserRecord>(
    deps,
    "users",
    ({ name }) => name,
    { limit: MOST },
    ({ admin, active }) => admin && active,
  );
  return records.map(({ name, full_name }) => (full_name === "" ? name : `${full_name} (${name})`));
}
