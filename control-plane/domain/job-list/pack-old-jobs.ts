import { findClosed } from "../closed-lab.ts";
import type { Deps } from "../deps.ts";
import { pause } from "../pause.ts";
import { jobIds } from "../walk-jobs.ts";
import { BLOCK, firstOf, isGood, packBlock, packedBlocks, readBlock } from "./job-blocks.ts";

/** Blocks that one tick packs, and of which it finds that they can't be yet. */
const MOST_PACKED = 5;
const MOST_OPEN = 3;

/** Packs some of what nobody has looked through yet, oldest first. True when there is nothing more to do for a while. */
export async function packOldJobs(deps: Deps): Promise<boolean> {
  const ids = await jobIds(deps);
  if (!ids || ids.newest < BLOCK || (await findClosed(deps))) return true;
  const { oldest, newest } = ids;
  const blocks = await packedBlocks(deps, oldest, newest);
  let [packed, left] = [0, 0];
  for (let first = firstOf(oldest); first + BLOCK <= newest; first += BLOCK) {
    const block = blocks.get(first);
    if (isGood(block)) continue;
    const jobs = await readBlock(deps, first);
    if (await packBlock(deps, first, { block, jobs, newest })) packed += 1;
    else left += 1;
    if (packed === MOST_PACKED) return false;
    if (left === MOST_OPEN) return true;
    await pause();
  }
  return true;
}
