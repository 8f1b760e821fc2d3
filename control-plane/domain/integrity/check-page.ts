import type { CheckedPage, Rule, Violation } from "#protocol/integrity.ts";
import type { StoredItem } from "../../ports/table.ts";
import { AppError } from "../app-error.ts";
import { findClosed } from "../closed-lab.ts";
import type { Deps } from "../deps.ts";
import { kindOf } from "../item-kinds.ts";
import { restoredKey } from "../keys.ts";
import { passFacts, type PassFacts } from "../pass-facts.ts";
import { requireAdmin, type Principal } from "../principal.ts";
import { checkDevice } from "./check-device.ts";
import { checkForm } from "./check-form.ts";
import { checkGroup } from "./check-group.ts";
import { checkJob } from "./check-job.ts";
import { checkAssignments, checkPart, checkReservation, checkSlot } from "./check-parts.ts";
import { checkWorker } from "./check-worker.ts";

/** What a check of an item is given beside it. */
export interface Looking {
  readonly deps: Deps;
  /** Found out once for a page. */
  readonly passed: PassFacts;
  /** Nothing is done in a closed lab, so nothing is late. */
  readonly isClosed: boolean;
  /** Histories are whole that begin after this, in ms since 1970: a backup of a living lab is of many moments, and a restore may be repeated. */
  readonly wholeSince: number;
  readonly say: (rule: Rule, what: string, text: string) => void;
}

/** Items that are looked at at a time: each asks for some others. */
const ABREAST = 16;

/**
 * Looks at a page of the table's items, each with what it must agree with (protocol/integrity.ts). It only reads, and bears a lab that goes on:
 * then something may be seen half-way, so what is found counts when it is found again.
 */
export async function checkPage(
  deps: Deps,
  principal: Principal,
  cursor?: string,
): Promise<CheckedPage> {
  requireAdmin(principal);
  const page = await deps.table.scan(cursor).catch((error: unknown) => {
    if (!(error instanceof SyntaxError)) throw error;
    throw new AppError("invalid", "cursor: expected the cursor of an earlier answer");
  });
  const violations: Violation[] = [];
  const restored = await deps.table.get<{ time: string }>(restoredKey);
  const looking: Looking = {
    deps,
    passed: passFacts(deps),
    isClosed: deps.settings.archive === true || (await findClosed(deps)) !== undefined,
    wholeSince: restored ? Date.parse(restored.data.time) : -Infinity,
    say: (rule, what, text) => void violations.push({ rule, what, text }),
  };
  const counts: Record<string, number> = {};
  for (let at = 0; at < page.items.length; at += ABREAST) {
    const some = page.items.slice(at, at + ABREAST);
    await Promise.all(some.map((item) => checkItem(looking, item)));
    for (const { key } of some) {
      const name = kindOf(key)?.name ?? "unknown";
      counts[name] = (counts[name] ?? 0) + 1;
    }
  }
  return { violations, counts, ...(page.cursor === undefined ? {} : { cursor: page.cursor }) };
}

async function checkItem(looking: Looking, item: StoredItem): Promise<void> {
  // What has not its own shape is not compared with others.
  if (!checkForm(looking, item)) return;
  await CHECKS[kindOf(item.key)!.name]?.(looking, item);
}

const CHECKS: Record<string, (looking: Looking, item: StoredItem) => Promise<void>> = {
  job: checkJob,
  device: checkDevice,
  worker: checkWorker,
  assignments: checkAssignments,
  "multinode group": checkGroup,
  reservation: checkReservation,
  "quota slot": checkSlot,
  attempt: checkPart,
  "log chunk": checkPart,
  results: checkPart,
  "kept job": checkPart,
  annotation: checkPart,
  notice: checkPart,
  "queue deadline": checkPart,
  "multinode state": checkPart,
  "health due": checkPart,
  "device photos": checkPart,
};
