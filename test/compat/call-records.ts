import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Call } from "../support/recorded-calls.ts";
import type { Row } from "./row.ts";

/** A file for each test file: what was really called in it by a test that passed (test/support/record-calls.setup.ts). */
export const RECORDS = path.join(import.meta.dirname, "recorded");

export interface CallRecord {
  /** From the top of the sources. */
  readonly file: string;
  /** `REST: GET /jobs/`, or with how it was refused, `REST: PUT /jobs/ = 405`; the test that called it first. */
  readonly calls: Readonly<Record<string, string>>;
}

/** How a row has to have ended, so that what it says is true. */
export const keyOf = ({ surface, name }: Pick<Call, "surface" | "name">, outcome: string): string =>
  `${surface}: ${name}${outcome === "ok" ? "" : ` = ${outcome}`}`;

const outcomeOf = (row: Row): string => (row.state === "works" ? "ok" : row.refused);

/** Of what was called, that which a row tells of, ended as it says. */
export function recordOf(
  file: string,
  heard: readonly { call: Call; test: string }[],
  rows: readonly Row[],
): CallRecord {
  const told = new Set(rows.map((row) => keyOf(row, outcomeOf(row))));
  const calls = heard
    .map(({ call, test }) => [keyOf(call, call.outcome), test] as const)
    .filter(([key]) => told.has(key))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { file, calls: Object.fromEntries(calls) };
}

export interface Evidence {
  readonly file: string;
  readonly test: string;
}

/** Which test called what each row tells of; a test that is about more than who may do it, where there is one. */
export function readEvidence(): (row: Row) => Evidence | undefined {
  const found = new Map<string, Evidence>();
  const records = readdirSync(RECORDS)
    .map((name) => JSON.parse(readFileSync(path.join(RECORDS, name), "utf8")) as CallRecord)
    .toSorted((a, b) => Number(isAccess(a)) - Number(isAccess(b)) || (a.file < b.file ? -1 : 1));
  for (const { file, calls } of records) {
    for (const [key, test] of Object.entries(calls)) {
      if (!found.has(key)) found.set(key, { file, test });
    }
  }
  return (row) => found.get(keyOf(row, outcomeOf(row)));
}

const isAccess = ({ file }: CallRecord): boolean => file.includes("-access.");
