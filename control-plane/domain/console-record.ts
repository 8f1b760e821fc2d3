import type { ConsoleInputItem } from "#protocol/console-requests.ts";
import type { ConsoleView } from "#protocol/consoles.ts";
import { AppError } from "./app-error.ts";
import type { Item, NewItem, Range } from "../ports/table.ts";
import type { Deps } from "./deps.ts";
import {
  consoleInputKey,
  consoleKey,
  consoleKeys,
  consoleOutputKey,
  consolesOfWorkerKey,
} from "./keys.ts";

/** A session in the table. */
export type ConsoleRecord = Omit<ConsoleView, "idle_ends"> & { writer: string };

/** What a device said, from a byte of the session on; base64. */
export interface OutputPiece {
  from: number;
  bytes: number;
  time: string;
  data: string;
}

export type InputPiece = ConsoleInputItem & { call: string };

/** A session and its record can be read so long after the end of its reservation. */
const KEPT_MS = 90 * 24 * 60 * 60 * 1000;

const expiryOf = ({ until }: ConsoleRecord): number => Date.parse(until) + KEPT_MS;

export const consoleItem = (session: ConsoleRecord): NewItem => ({
  key: consoleKey(session.id),
  data: session,
  keys: consoleKeys(session),
  expires: expiryOf(session),
});

export const outputItem = (session: ConsoleRecord, data: OutputPiece): NewItem => ({
  key: consoleOutputKey(session.id, data.from),
  data,
  expires: expiryOf(session),
});

export const inputItem = (session: ConsoleRecord, data: InputPiece): NewItem => ({
  key: consoleInputKey(session.id, data.seq),
  data,
  expires: expiryOf(session),
});

/** Throws `not_found`. */
export async function getConsoleItem({ table }: Deps, id: string): Promise<Item<ConsoleRecord>> {
  const item = await table.get<ConsoleRecord>(consoleKey(id));
  if (item) return item;
  throw new AppError("not_found", `there is no console session ${JSON.stringify(id)}`);
}

/** Sessions that a worker is to serve, or was until a moment ago. */
export const readConsolesOfWorker = ({ table }: Deps, worker: string) =>
  table.get<{ ids: string[] }>(consolesOfWorkerKey(worker));

/** Pieces of one kind, from a number on. */
export async function readPieces<T>(
  { table }: Deps,
  keyOf: typeof consoleOutputKey,
  id: string,
  from: number,
  limit: number,
): Promise<T[]> {
  const range: Range = { from: keyOf(id, from).sort, to: keyOf(id, 999_999_999_999).sort, limit };
  const { items } = await table.query<T>("main", keyOf(id, 0).partition, range);
  return items.map(({ data }) => data);
}

/** The last piece of a kind. */
export async function lastPiece<T>(
  { table }: Deps,
  keyOf: typeof consoleOutputKey,
  id: string,
): Promise<T | undefined> {
  const range = { from: keyOf(id, 0).sort, to: keyOf(id, 999_999_999_999).sort, limit: 1 };
  const page = await table.query<T>("main", keyOf(id, 0).partition, { ...range, reverse: true });
  return page.items[0]?.data;
}

/** Where the next byte of a device belongs. */
export async function outputEnd(deps: Deps, id: string): Promise<number> {
  const last = await lastPiece<OutputPiece>(deps, consoleOutputKey, id);
  return last ? last.from + last.bytes : 0;
}
