import { TableConflict, type NewItem } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import { setupKey } from "./keys.ts";
import { userItem, type UserRecord } from "./users.ts";
import { itemOfToken, makeToken, newTokenItem } from "./tokens.ts";

/** Name of the administrator that a new lab has. */
export const FIRST_ADMIN = "admin";

const firstToken = {
  kind: "user",
  subject: FIRST_ADMIN,
  admin: true,
  description: "made at the first start",
} as const;

/** Whether the lab has its first administrator. */
export const isSetUp = async ({ table }: Pick<Deps, "table">): Promise<boolean> =>
  (await table.get(setupKey)) !== undefined;

/** The text of a token that `setUpLab` can make valid. */
export const firstAdminToken = (deps: Deps): string =>
  makeToken(deps, { kind: "user", subject: FIRST_ADMIN, admin: true, description: "" }).text;

/** Makes the token that of the lab's first administrator; once in a lab's life, later calls do nothing. */
export const setUpLab = (deps: Deps, token: string): Promise<void> =>
  setUp(deps, itemOfToken(deps, token, firstToken));

/**
 * The same for a token of which only the id and the SHA-256 are known here: whoever made the lab keeps the token. What
 * it costs later is one read.
 */
export async function makeFirstAdmin(
  deps: Pick<Deps, "table" | "system">,
  { id, hash }: { id: string; hash: string },
): Promise<void> {
  if (await isSetUp(deps)) return;
  await setUp(deps, newTokenItem(id, firstToken, hash, deps.system.now()));
}

async function setUp({ table, system }: Pick<Deps, "table" | "system">, admin: NewItem) {
  const user: UserRecord = {
    ...{ name: FIRST_ADMIN, admin: true, active: true, email: "", full_name: "", groups: [] },
    source: "first",
    created: new Date(system.now()).toISOString(),
  };
  try {
    await table.transact([
      { put: { key: setupKey, data: {} }, when: "absent" },
      { put: admin, when: "absent" },
      { put: userItem(user), when: "absent" },
    ]);
  } catch (error) {
    if (!(error instanceof TableConflict)) throw error;
  }
}
