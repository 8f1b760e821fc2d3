import type { Stage } from "#protocol/release-api.ts";
import type { Item } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import { rolloutKey } from "./keys.ts";
import type { WorkerRecord } from "./worker-record.ts";

/** The lab's roll-out: there is one at a time, and the last one stays to be looked at. */
export interface RolloutRecord {
  /** The offer's: what failed in one roll-out may be tried again in the next. */
  id: string;
  version: string;
  stage: Stage;
  /** The worker that gets it first, and belongs to every stage. */
  first: string;
  active: boolean;
  reason?: string;
  user: string;
  started: string;
  changed: string;
}

export const findRollout = (deps: Deps): Promise<Item<RolloutRecord> | undefined> =>
  deps.table.get<RolloutRecord>(rolloutKey);

/**
 * Where a worker stands among all, 0 up to 1: by its name and the version, so that a stage has the same workers whenever one
 * looks, a wider one those of the narrower, and it is not always the same worker that goes first.
 */
export const placeOf = ({ system }: Deps, version: string, worker: string): number =>
  Number.parseInt(system.hash(`${version} ${worker}`).slice(0, 8), 16) / 2 ** 32;

/** Whether a worker belongs to the stage that the roll-out has reached. */
export function isChosen(
  deps: Deps,
  { version, stage, first }: RolloutRecord,
  { name }: Pick<WorkerRecord, "name">,
): boolean {
  if (stage === "all" || name === first) return true;
  return stage === "10%" && placeOf(deps, version, name) < 0.1;
}
