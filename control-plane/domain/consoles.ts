import type { ConsoleInputs, ConsoleList, ConsoleOutput, ConsoleView } from "#protocol/consoles.ts";
import { getHeard, getSeen, requireOwner } from "./console-access.ts";
import { settleConsole, shownAs, upToDateWith } from "./console-ends.ts";
import { holdBack } from "./console-hold.ts";
import {
  getConsoleItem,
  outputEnd,
  readPieces,
  type ConsoleRecord,
  type InputPiece,
  type OutputPiece,
} from "./console-record.ts";
import type { Deps } from "./deps.ts";
import { consoleInputKey, consoleOutputKey } from "./keys.ts";
import { requireUser, type Principal } from "./principal.ts";
import { getVisibleDevice } from "./visible.ts";

/** Pieces in one answer: 2 MB at the most. */
const PIECES = 64;
const SHOWN = 50;

/** Sessions of a device, the newest first, for whoever may see it. */
export async function listConsoles(
  deps: Deps,
  principal: Principal,
  hostname: string,
): Promise<ConsoleList> {
  await getVisibleDevice(deps, principal, hostname);
  const range = { reverse: true, limit: SHOWN };
  const page = await deps.table.query<ConsoleRecord>("i1", `device-consoles#${hostname}`, range);
  const consoles: ConsoleView[] = [];
  for (const item of page.items) consoles.push(await shownAs(deps, item));
  return { consoles };
}

/** A session, for whoever may see its device. */
export async function getConsole(
  deps: Deps,
  principal: Principal,
  id: string,
): Promise<ConsoleView> {
  return shownAs(deps, await getSeen(deps, principal, id));
}

/**
 * What the device has said from a byte on; held back until it says something, `hold` seconds are over or the session ends.
 * `end`: from now on.
 */
export async function consoleOutput(
  deps: Deps,
  principal: Principal,
  id: string,
  { from, hold }: { from: number | "end"; hold: number },
  signal?: AbortSignal,
): Promise<ConsoleOutput> {
  await getHeard(deps, principal, id);
  const start = from === "end" ? await outputEnd(deps, id) : from;
  return holdBack(deps, id, from === "end" ? 0 : hold, signal, async () => {
    const { session, activeAt } = await upToDateWith(deps, await getConsoleItem(deps, id));
    const { state, reason } = session;
    const found = await readPieces<OutputPiece>(deps, consoleOutputKey, id, start, PIECES);
    const last = found.at(-1);
    const output: ConsoleOutput = {
      pieces: found.map(({ from: at, time, data }) => ({ from: at, time, data })),
      next: last ? last.from + last.bytes : start,
      state,
      ...(reason === undefined ? {} : { reason }),
    };
    return { reply: output, isNews: last !== undefined || state === "ended", activeAt };
  });
}

/** What was typed and switched, for the holder and whoever may change what it is a console of: it may have secrets in it. */
export async function consoleInputs(
  deps: Deps,
  principal: Principal,
  id: string,
  from: number,
): Promise<ConsoleInputs> {
  const { data } = await getSeen(deps, principal, id);
  await requireOwner(deps, requireUser(principal), data);
  const found = await readPieces<InputPiece>(deps, consoleInputKey, id, from, PIECES);
  const inputs = found.map(({ call: _call, ...input }) => input);
  return { inputs, next: (inputs.at(-1)?.seq ?? from - 1) + 1 };
}

/** Ends a session: its holder may, and whoever may change what it is a console of. A job's pause goes on waiting. */
export async function endConsole(deps: Deps, principal: Principal, id: string): Promise<void> {
  const user = requireUser(principal);
  const { data } = await getSeen(deps, principal, id);
  await requireOwner(deps, user, data);
  await settleConsole(deps, id, { who: user.name, reason: `${user.name} has ended it` });
}
