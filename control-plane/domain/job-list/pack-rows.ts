import type { System } from "../../ports/system.ts";
import type { JobRecord } from "../job-record.ts";

/** What lists of jobs are filtered and ordered by, and what says who may see a job. */
export const COLUMNS = [
  "id",
  "health",
  "description",
  "device_type",
  "requested_device",
  "device",
  "submitter",
  "health_check",
  "priority",
  "tags",
  "submit_time",
  "start_time",
  "end_time",
  "error_msg",
  "visibility",
  "viewing_groups",
  "group",
  "expires",
] as const satisfies readonly (keyof JobRecord)[];
export type Column = (typeof COLUMNS)[number];

/** What a job is in short: the columns that were asked for, and that it has ended. */
export type JobRow = Pick<JobRecord, "id" | "state"> & Partial<Pick<JobRecord, Column>>;

/** A column is plain, or a list of the different values with each row's place in it. */
type PackedColumn = { plain: unknown[] } | { values: unknown[]; places: number[] };

const MAX_COLUMN_BYTES = 16 * 1024 * 1024;

/**
 * Jobs that have ended, by column, each packed by itself so that whoever reads unpacks only what they need: a line of JSON
 * `[[NAME, BYTES], ...]`, then the columns one after the other.
 */
export async function packRows(system: System, jobs: readonly JobRecord[]): Promise<Uint8Array> {
  const encoder = new TextEncoder();
  const packed = await Promise.all(
    COLUMNS.map((name) => {
      const column = packColumn(jobs.map((job) => job[name] ?? null));
      return system.gzip(encoder.encode(JSON.stringify(column)));
    }),
  );
  const index = COLUMNS.map((name, n) => [name, packed[n]?.length ?? 0]);
  return Buffer.concat([encoder.encode(`${JSON.stringify(index)}\n`), ...packed]);
}

function packColumn(values: readonly unknown[]): PackedColumn {
  const places = new Map<string, number>();
  const different: unknown[] = [];
  const rows = values.map((value) => {
    const name = JSON.stringify(value);
    const known = places.get(name);
    if (known !== undefined) return known;
    places.set(name, different.length);
    return different.push(value) - 1;
  });
  if (different.length * 2 > values.length) return { plain: [...values] };
  return { values: different, places: rows };
}

/** The rows again, with these columns; in their order. */
export async function unpackRows(
  system: System,
  bytes: Uint8Array,
  wanted: ReadonlySet<Column>,
): Promise<JobRow[]> {
  const end = bytes.indexOf(10);
  const index = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as [Column, number][];
  let at = end + 1;
  const columns: Promise<readonly [Column, unknown[]]>[] = [];
  for (const [name, length] of index) {
    const part = bytes.subarray(at, at + length);
    if (name === "id" || wanted.has(name)) columns.push(unpackColumn(system, name, part));
    at += length;
  }
  const rows: JobRow[] = [];
  for (const [name, values] of await Promise.all(columns)) {
    for (const [n, value] of values.entries()) {
      const row = (rows[n] ??= { id: 0, state: "Finished" });
      if (value !== null) (row as Record<Column, unknown>)[name] = value;
    }
  }
  return rows;
}

async function unpackColumn(system: System, name: Column, part: Uint8Array) {
  const text = new TextDecoder().decode(await system.gunzip(part, MAX_COLUMN_BYTES));
  const column = JSON.parse(text) as PackedColumn;
  if ("plain" in column) return [name, column.plain] as const;
  return [name, column.places.map((place) => column.values[place])] as const;
}
