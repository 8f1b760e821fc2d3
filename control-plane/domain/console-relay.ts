import type { RelayInputReply } from "#protocol/console-requests.ts";
import { MAX_CONSOLE_BYTES, type ConsoleTicket } from "#protocol/consoles.ts";
import type { Item } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import { settleConsole, upToDate, upToDateWith, whyOver } from "./console-ends.ts";
import { holdBack } from "./console-hold.ts";
import {
  consoleItem,
  getConsoleItem,
  lastPiece,
  outputEnd,
  outputItem,
  readConsolesOfWorker,
  readPieces,
  type ConsoleRecord,
  type InputPiece,
} from "./console-record.ts";
import type { Deps } from "./deps.ts";
import { renderStored } from "./device-texts.ts";
import type { DeviceRecord } from "./device-record.ts";
import { consoleInputKey, consoleKey, deviceKey } from "./keys.ts";
import { requireWorker, type Principal } from "./principal.ts";
import { faultText } from "./rendered-device.ts";
import { retrying } from "./retrying.ts";
import { readWorkerSettings } from "./worker-record.ts";

const PIECES = 64;

/** What a worker's sync says of the consoles that are to be open there: exactly these. */
export async function consoleTickets(deps: Deps, ids: readonly string[]): Promise<ConsoleTicket[]> {
  const tickets: ConsoleTicket[] = [];
  for (const id of ids) {
    const session = (await getConsoleItem(deps, id)).data;
    const device = await deps.table.get<DeviceRecord>(deviceKey(session.device));
    const device_type = device?.data.device_type ?? "";
    const rendered = await renderStored(deps, { hostname: session.device, device_type });
    const fault = rendered ? rendered.faults[0] : undefined;
    if (rendered && !fault) {
      const { env } = await readWorkerSettings(deps, session.worker);
      tickets.push({
        ...{ id, device_hostname: session.device, device: rendered.text },
        ...(session.job === undefined ? {} : { job_id: session.job }),
        ...(session.off_at_end ? { off_at_end: true as const } : {}),
        ...(env === "" ? {} : { env }),
        holder: session.holder,
      });
      continue;
    }
    const why = fault ? faultText(fault) : "it has none";
    const reason = `configuration of device ${session.device}: ${why}`;
    await settleConsole(deps, id, { who: session.worker, reason });
  }
  return tickets;
}

/** Sessions of a worker that are not over. */
export async function openConsolesOf(deps: Deps, worker: string): Promise<string[]> {
  const open: string[] = [];
  for (const id of (await readConsolesOfWorker(deps, worker))?.data.ids ?? []) {
    const session = (await deps.table.get<ConsoleRecord>(consoleKey(id)))?.data;
    if (session && (await whyOver(deps, session)) === undefined) open.push(id);
  }
  return open;
}

/** Takes what a device said, once: what begins elsewhere than at the byte expected is not taken. */
export async function takeOutput(
  deps: Deps,
  principal: Principal,
  id: string,
  { from, data, ended }: { from: number; data: string; ended?: string | undefined },
): Promise<{ next: number; ended?: string }> {
  const bytes = Buffer.from(data, "base64").length;
  const session = await served(deps, principal, id);
  if (session.state === "ended") return { next: from, ended: session.reason ?? "" };
  await retrying(async () => {
    const item = await getConsoleItem(deps, id);
    const next = await outputEnd(deps, id);
    const time = new Date(deps.system.now()).toISOString();
    const isTaken = next === from && bytes > 0;
    const isOpening = item.data.state === "starting";
    if (!isTaken && !isOpening) return;
    await deps.table.transact([
      ...(isTaken
        ? [
            {
              put: outputItem(item.data, { from, bytes, time, data }),
              when: "absent" as const,
            },
          ]
        : []),
      ...(isOpening
        ? [
            {
              put: consoleItem({ ...item.data, state: "open" }),
              when: { version: item.version },
            },
          ]
        : []),
    ]);
  });
  await deps.signals.ring(`console/${id}`);
  const next = await outputEnd(deps, id);
  const reason =
    ended ?? (next >= MAX_CONSOLE_BYTES ? "the device has said more than 32 MB" : undefined);
  if (reason !== undefined) await settleConsole(deps, id, { who: session.worker, reason });
  return { next, ...(reason === undefined ? {} : { ended: reason }) };
}

/** What is to be typed from a number on; held back until there is something. */
export async function giveInput(
  deps: Deps,
  principal: Principal,
  id: string,
  { from, hold_seconds }: { from?: number | undefined; hold_seconds: number },
  signal?: AbortSignal,
): Promise<RelayInputReply> {
  await served(deps, principal, id);
  if (from === undefined) {
    const last = await lastPiece<InputPiece>(deps, consoleInputKey, id);
    return { inputs: [], next: (last?.seq ?? -1) + 1 };
  }
  return holdBack(deps, id, hold_seconds, signal, async () => {
    const { session, activeAt } = await upToDateWith(deps, await getConsoleItem(deps, id));
    const ended = session.state === "ended" ? { ended: session.reason ?? "" } : {};
    const found = await readPieces<InputPiece>(deps, consoleInputKey, id, from, PIECES);
    const inputs = found.map(({ call: _call, ...input }) => input);
    const reply: RelayInputReply = { inputs, next: from + inputs.length, ...ended };
    return { reply, isNews: inputs.length > 0 || session.state === "ended", activeAt };
  });
}

async function served(deps: Deps, principal: Principal, id: string): Promise<ConsoleRecord> {
  const { name } = requireWorker(principal);
  const item: Item<ConsoleRecord> = await getConsoleItem(deps, id);
  if (item.data.worker === name) return upToDate(deps, item);
  throw new AppError("not_found", `there is no console session ${JSON.stringify(id)}`);
}
