import type { Power } from "#protocol/console-requests.ts";
import { MAX_INPUTS } from "#protocol/consoles.ts";
import type { Operation } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { changeItem } from "./changes.ts";
import { getSeen, requireUse, requireWriter } from "./console-access.ts";
import { upToDate } from "./console-ends.ts";
import { inputItem, lastPiece, type ConsoleRecord, type InputPiece } from "./console-record.ts";
import type { Deps } from "./deps.ts";
import { getDeviceItem } from "./device-record.ts";
import { consoleInputKey } from "./keys.ts";
import { requireUser, type Principal, type User } from "./principal.ts";
import { retrying } from "./retrying.ts";

/** Types something. Only the window that opened the console last may. A `call` that comes again changes nothing. */
export async function typeInput(
  deps: Deps,
  principal: Principal,
  id: string,
  { writer, call, data }: { writer: string; call: string; data: string },
): Promise<void> {
  const user = requireUser(principal);
  await addInput(deps, user, id, { call, data }, (session) => requireWriter(session, writer));
}

/** Switches the device's power by its own commands; the holder may, from any window. */
export async function switchPower(
  deps: Deps,
  principal: Principal,
  id: string,
  power: Power,
): Promise<void> {
  const user = requireUser(principal);
  await addInput(deps, user, id, { call: deps.system.id(), power }, () => {});
}

/** Lets the job go on in whose pause the session is, from any window of the holder's. Throws `conflict` where there is none. */
export async function continueJob(deps: Deps, principal: Principal, id: string): Promise<void> {
  const user = requireUser(principal);
  await addInput(deps, user, id, { call: deps.system.id(), go_on: true }, ({ job, device }) => {
    if (job !== undefined) return;
    throw new AppError("conflict", `no job waits at this console: you have reserved ${device}`);
  });
}

type What = Pick<InputPiece, "call" | "data" | "power" | "go_on">;

async function addInput(
  deps: Deps,
  user: User,
  id: string,
  what: What,
  check: (session: ConsoleRecord) => void,
): Promise<void> {
  await retrying(async () => {
    const item = await getSeen(deps, user, id);
    const session = await upToDate(deps, item);
    if (session.holder !== user.name) {
      throw new AppError("forbidden", `only ${session.holder}, who has it, may do this`);
    }
    if (session.state === "ended") {
      throw new AppError("gone", `the console session has ended: ${session.reason ?? ""}`);
    }
    if (session.state === "starting") {
      throw new AppError("conflict", "the worker has not opened the connection yet; try again");
    }
    const device = (await getDeviceItem(deps, session.device)).data;
    await requireUse(deps, user, { device, job: session.job });
    check(session);
    const last = await lastPiece<InputPiece>(deps, consoleInputKey, id);
    if (last?.call === what.call) return;
    const seq = (last?.seq ?? -1) + 1;
    if (seq >= MAX_INPUTS) throw new AppError("conflict", "the session is too long: end it");
    const time = new Date(deps.system.now()).toISOString();
    await deps.table.transact([
      { put: inputItem(session, { seq, time, who: user.name, ...what }), when: "absent" },
      // Whoever takes the console over now has the last word.
      { check: item.key, when: { version: item.version } },
      ...changeOf(deps, session, user.name, what),
    ]);
  });
  await deps.signals.ring(`console/${id}`);
}

/** Typing is in the session's record; what switches a device or a job is in the lab's log too. */
function changeOf(
  deps: Deps,
  { device, job }: ConsoleRecord,
  who: string,
  { power, go_on }: What,
): Operation[] {
  if (power === undefined && go_on === undefined) return [];
  const changed =
    power === undefined
      ? { console: [`job ${job} waits`, "it goes on"] as [string, string] }
      : { power: [null, power] as [null, string] };
  const change = { who, reason: "at the console", kind: "device" as const, name: device, changed };
  return [{ put: changeItem(deps, change), when: "absent" }];
}
