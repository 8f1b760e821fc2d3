import type { WorkerView } from "#protocol/api.ts";
import {
  codeOf,
  readable,
  type Enrolment,
  type EnrolAnswer,
  type EnrolRequest,
  type NewEnrolment,
} from "#protocol/enrol.ts";
import { TableConflict } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { editChange, workerChange } from "./changes.ts";
import type { Deps } from "./deps.ts";
import { workerKey } from "./keys.ts";
import { tokenKey } from "./people-keys.ts";
import { requireAdmin, type Principal } from "./principal.ts";
import { releaseKeys } from "./release-keys.ts";
import { retrying } from "./retrying.ts";
import { newTokenItem, workerTokenIds } from "./tokens.ts";
import {
  getWorkerItem,
  workerItem,
  type EnrolmentRecord,
  type WorkerRecord,
} from "./worker-record.ts";

/**
 * A code by which one board may become this worker, which is made with `add`. A code that was made before is worth
 * nothing any more. Throws `not_found`, or `conflict` when the worker to be made is there.
 */
export async function makeEnrolment(
  deps: Deps,
  principal: Principal,
  name: string,
  { add, description, expires_seconds: seconds }: NewEnrolment,
): Promise<Enrolment> {
  const { name: user } = requireAdmin(principal);
  const { system, table } = deps;
  const secret = readable(system.hash(system.randomToken()));
  const expires = new Date(system.now() + seconds * 1000).toISOString();
  const enrolment: EnrolmentRecord = { hash: hashOf(deps, name, secret), user, expires };
  if (add) {
    const state = { state: "Offline", health: "Active", job_limit: 0 } as const;
    const worker: WorkerRecord = { name, description, ...state, enrolment };
    try {
      await table.transact([
        { put: workerItem(worker), when: "absent" },
        ...workerChange(deps, undefined, worker, { who: user }),
      ]);
    } catch (error) {
      if (!(error instanceof TableConflict)) throw error;
      throw new AppError("conflict", `there is a worker ${name} already`, { cause: error });
    }
  } else {
    await retrying(async () => {
      const { data, version } = await getWorkerItem(deps, name);
      const until = [{ enrolment: data.enrolment?.expires }, { enrolment: expires }] as const;
      await table.transact([
        { put: workerItem({ ...data, enrolment }), when: { version } },
        ...editChange(deps, "worker", name, until, { who: user }),
      ]);
    });
  }
  return { code: codeOf(name, secret), expires };
}

/**
 * Makes the token that a board has chosen the worker's only one, for a code that was not used before. The same
 * request may come again. Throws `unauthenticated` with one sentence for every code that is not good.
 */
export async function enrol(
  deps: Deps,
  { worker: name, secret, token_id: id, token_hash: hash }: EnrolRequest,
): Promise<EnrolAnswer> {
  await retrying(async () => {
    const item = await deps.table.get<WorkerRecord>(workerKey(name));
    const enrolment = item?.data.enrolment;
    const isGood = enrolment?.hash === hashOf(deps, name, secret) && !isOver(deps, enrolment);
    if (!item || !isGood) throw notValid();
    if (enrolment.used !== undefined) return requireSame(deps, enrolment, id, hash);
    const used = new Date(deps.system.now()).toISOString();
    const worker = { ...item.data, enrolment: { ...enrolment, used, token_id: id } };
    const token = { kind: "worker", subject: name, admin: false } as const;
    const description = `enrolled by a code of ${enrolment.user}`;
    // Whoever had a token of this worker is another board, or an earlier life of this one.
    const before = (await workerTokenIds(deps, name)).filter((one) => one !== id);
    await deps.table.transact([
      { put: workerItem(worker), when: { version: item.version } },
      {
        put: newTokenItem(id, { ...token, description }, hash, deps.system.now()),
        when: "absent",
      },
      ...before.slice(0, MOST_TOKENS).map((one) => ({ delete: tokenKey(one) })),
    ]);
  });
  await deps.signals.ring(`worker/${name}`);
  const keys = await releaseKeys(deps);
  return { worker: name, ...(keys === "" ? {} : { release_keys: keys }) };
}

/** What people see of it: when the worker was enrolled, or until when it waits for a board. */
export function enrolmentView(
  deps: Deps,
  { enrolment }: WorkerRecord,
): Pick<WorkerView, "enrolled" | "enrolment_expires"> {
  if (!enrolment) return {};
  if (enrolment.used !== undefined) return { enrolled: enrolment.used };
  return isOver(deps, enrolment) ? {} : { enrolment_expires: enrolment.expires };
}

/** Room in one transaction. */
const MOST_TOKENS = 90;

const isOver = (deps: Deps, { expires }: EnrolmentRecord): boolean =>
  Date.parse(expires) <= deps.system.now();

const hashOf = (deps: Deps, name: string, secret: string): string =>
  deps.system.hash(`enrol ${name} ${secret}`);

/** A lost answer: the board asks again for what it has. */
async function requireSame(
  deps: Deps,
  { token_id }: EnrolmentRecord,
  id: string,
  hash: string,
): Promise<void> {
  const token = token_id === id ? await deps.table.get<{ hash: string }>(tokenKey(id)) : undefined;
  if (token?.data.hash !== hash) throw notValid();
}

const notValid = () =>
  new AppError(
    "unauthenticated",
    "this code is not valid: it was used, is too old, or was never one; ask for a new one with `pumice workers enrol`",
  );
