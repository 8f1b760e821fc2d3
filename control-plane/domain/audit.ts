import { nearestWord } from "#protocol/nearest-word.ts";
import { CHANGED_KINDS, type AuditEntry, type AuditPage } from "#protocol/people.ts";
import { AppError } from "./app-error.ts";
import type { ChangeRecord } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { changeKey } from "./keys.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { queryAll } from "./query-all.ts";
import { without } from "./without.ts";

export interface AuditFilter {
  kind?: string | undefined;
  /** With `kind`: of this very thing, also what happens with each job. */
  name?: string | undefined;
  who?: string | undefined;
  /** ISO 8601, both inclusive. */
  from?: string | undefined;
  to?: string | undefined;
  /** 1 to 200; 50 when not given. */
  limit?: number | undefined;
  cursor?: string | undefined;
}

/** How many entries one call looks at, at most, to fill its page. */
const MOST_SEEN = 1000;

/**
 * What people did, and every health that changed, newest first. A page may be shorter than `limit`, even empty, and yet have
 * a cursor: what a filter finds rarely is looked for in several calls. A kind that there is not is `invalid`.
 */
export async function readAudit(
  deps: Deps,
  principal: Principal,
  filter: AuditFilter = {},
): Promise<AuditPage> {
  requireAdmin(principal);
  const { kind, name, who, from, to, cursor } = filter;
  if (kind !== undefined) requireKind(kind);
  const limit = Math.min(Math.max(1, filter.limit ?? 50), 200);
  const source =
    kind !== undefined && name !== undefined
      ? (["main", changeKey(kind, name, "").partition] as const)
      : (["i2", "audit"] as const);
  const range = {
    reverse: true,
    limit: 200,
    ...(from === undefined ? {} : { from: timeOf(from) }),
    ...(cursor === undefined ? (to === undefined ? {} : { to: `${timeOf(to)}~` }) : { to: cursor }),
  };
  const entries: AuditEntry[] = [];
  let seen = 0;
  let last: string | undefined;
  const [index, partition] = source;
  for await (const { data } of queryAll<ChangeRecord>(deps, index, partition, range)) {
    // The cursor is that of the last one seen, which comes first now.
    if (data.id === cursor) continue;
    if (entries.length === limit || seen === MOST_SEEN) {
      return { entries, ...(last === undefined ? {} : { next_cursor: last }) };
    }
    seen += 1;
    last = data.id;
    const fits =
      (kind ?? data.kind) === data.kind &&
      (name ?? data.name) === data.name &&
      (who ?? data.who) === data.who;
    if (fits) entries.push(without(data, "data", "routine"));
  }
  return { entries };
}

function requireKind(kind: string): void {
  const known: readonly string[] = CHANGED_KINDS;
  if (known.includes(kind)) return;
  const near = nearestWord(kind, known);
  const hint = near === undefined ? `expected ${known.join(", ")}` : `did you mean ${near}?`;
  throw new AppError("invalid", `kind: there is no ${JSON.stringify(kind.slice(0, 50))}; ${hint}`);
}

function timeOf(text: string): string {
  const time = Date.parse(text);
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  const message = `${JSON.stringify(text.slice(0, 50))}: expected a time such as 2026-11-22T08:00:00Z`;
  throw new AppError("invalid", message);
}
