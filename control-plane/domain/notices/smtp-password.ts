import { changeItem } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { smtpPasswordKey } from "../keys.ts";
import { requireAdmin, type Principal } from "../principal.ts";

interface SmtpPassword {
  sealed: string;
}

const PLACE = "mail server";

/** Keeps the password of the lab's mail server (settings, `notices.smtp`), or forgets it; it is shown to nobody. */
export async function putSmtpPassword(
  deps: Deps,
  principal: Principal,
  value: string | undefined,
): Promise<void> {
  const { name: who } = requireAdmin(principal);
  const changed: Record<string, [null, string]> = {
    "mail password": [null, value === undefined ? "removed" : "set"],
  };
  const change = changeItem(deps, { who, kind: "lab", name: "notices", changed });
  const { system, settings } = deps;
  const data = value !== undefined && { sealed: system.seal(settings.secret, PLACE, value) };
  await deps.table.transact([
    data ? { put: { key: smtpPasswordKey, data } } : { delete: smtpPasswordKey },
    { put: change, when: "absent" },
  ]);
}

/** Undefined where there is none, or where it was sealed by another lab. */
export async function smtpPassword({ table, system, settings }: Deps): Promise<string | undefined> {
  const item = await table.get<SmtpPassword>(smtpPasswordKey);
  return item && system.unseal(settings.secret, PLACE, item.data.sealed);
}
