import type { ChangeRecord } from "../changes.ts";
import type { Deps } from "../deps.ts";
import { tokenKey } from "../people-keys.ts";
import { requireWorker, type Principal } from "../principal.ts";
import { changeFeed } from "./change-feed.ts";
import { isOfWorker } from "./event-sight.ts";

const LOOK_MS = 15_000;

/** What happens to the jobs of the worker that asks, from the first answer on. Ends when its token is revoked, and when it is too slow. */
export async function* jobsOfWorker(
  deps: Deps,
  principal: Principal,
  signal: AbortSignal,
): AsyncGenerator<ChangeRecord[]> {
  const { name, tokenId } = requireWorker(principal);
  const follower = await changeFeed(deps).join();
  try {
    yield [];
    for (;;) {
      const news = await follower.next(LOOK_MS, signal);
      if (!news || signal.aborted || !(await deps.table.get(tokenKey(tokenId)))) return;
      yield news.filter((change) => isOfWorker(change, name));
    }
  } finally {
    follower.leave();
  }
}
