import { TableConflict } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import { setupKey } from "./keys.ts";
import { itemOfToken, makeToken } from "./tokens.ts";

/** Name of the administrator that a new lab has. */
const FIRST_ADMIN = "admin";

/** Whether the lab has its first administrator. */
export const isSetUp = async ({ table }: Deps): Promise<boolean> =>
  (await table.get(setupKey)) !== undefined;

/** The text of a token that `setUpLab` can make valid. */
export const firstAdminToken = (deps: Deps): string =>
  makeToken(deps, { kind: "user", subject: FIRST_ADMIN, admin: true, description: "" }).text;

/** Makes the token that of the lab's first administrator; once in a lab's life, later calls do nothing. */
export async function setUpLab(deps: Deps, token: string): Promise<void> {
  const description = "made at the first start";
  const admin = itemOfToken(deps, token, {
    kind: "user",
    subject: FIRST_ADMIN,
    admin: true,
    description,
  });
  try {
    await deps.table.transact([
      { put: { key: setupKey, data: {} }, when: "absent" },
      { put: admin, when: "absent" },
    ]);
  } catch (error) {
    if (!(error instanceof TableConflict)) throw error;
  }
}
