import type { Page } from "../../ports/table.ts";
import { AppError } from "../app-error.ts";
import type { Deps } from "../deps.ts";
import { listenerKey } from "../keys.ts";
import type { Principal } from "../principal.ts";
import { queryAll } from "../query-all.ts";
import { addressGroup } from "../sign-in-limits.ts";
import { MOST_OF_A_PERSON } from "./follow-events.ts";

/** Somebody who listens to LAVA's events where no process of ours keeps the connection: API Gateway does. */
export interface ListenerRecord {
  /** API Gateway's. */
  id: string;
  principal: Principal;
  /** An address, or the network of an IPv6 one. */
  from: string;
  /** Milliseconds since 1970. */
  since: number;
}

/** Of LAVA's event stream, wherever it is. `ofAddress`: also workers behind one router have room. */
export const MOST_LISTENERS = { all: 500, ofAddress: 100 };
/** No connection lasts longer at API Gateway than two hours; a little more, for its last words. */
const LASTS_MS = 130 * 60 * 1000;
const PAGE = 100;

/** Writes down that somebody listens. Throws `unavailable` or `throttled` when there are too many of them. */
export async function addListener(
  deps: Deps,
  { id, principal, address }: { id: string; principal: Principal; address: string },
  most = MOST_LISTENERS,
): Promise<void> {
  const from = addressGroup(address);
  const who = nameOf(principal);
  let [all, here, theirs] = [0, 0, 0];
  for await (const { data } of queryAll<ListenerRecord>(deps, "main", "listeners", {
    limit: PAGE,
  })) {
    all += 1;
    if (data.from === from) here += 1;
    if (nameOf(data.principal) === who) theirs += 1;
    if (all >= most.all) throw new AppError("unavailable", "too many listen");
  }
  if (here >= most.ofAddress) {
    throw new AppError("throttled", `too many listen from ${address}: at most ${most.ofAddress}`);
  }
  if (theirs >= MOST_OF_A_PERSON) {
    throw new AppError("throttled", `${MOST_OF_A_PERSON} of yours listen, which is the most`);
  }
  const since = deps.system.now();
  const data: ListenerRecord = { id, principal, from, since };
  await deps.table.transact([{ put: { key: listenerKey(id), data, expires: since + LASTS_MS } }]);
}

export const removeListener = ({ table }: Deps, id: string): Promise<void> =>
  table.transact([{ delete: listenerKey(id) }]);

/** Some of those who listen; `cursor` of the page before. */
export const listenersPage = (
  { table }: Deps,
  cursor: string | undefined,
): Promise<Page<ListenerRecord>> =>
  table.query<ListenerRecord>("main", "listeners", {
    limit: PAGE,
    ...(cursor === undefined ? {} : { cursor }),
  });

const nameOf = (principal: Principal): string =>
  "name" in principal ? `${principal.kind} ${principal.name}` : principal.kind;
