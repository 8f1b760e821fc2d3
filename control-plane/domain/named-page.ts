import type { Item } from "../ports/table.ts";
import type { Deps } from "./deps.ts";

export interface PageRequest {
  /** 1 to 500; 100 when not given. */
  limit?: number | undefined;
  /** `next_cursor` of the page before: the last name that was seen. */
  cursor?: string | undefined;
}

/** A page of a list that is sorted by name, and the cursor of the next if there is one. */
export async function namedPage<T>(
  { table }: Deps,
  partition: string,
  nameOf: (record: T) => string,
  { limit = 100, cursor }: PageRequest,
): Promise<{ records: T[]; next_cursor?: string }> {
  const size = Math.min(Math.max(1, limit), 500);
  const found: Item<T>[] = [];
  // An engine may give fewer than asked for; one more says whether there is a next page.
  let at: string | undefined;
  do {
    const page = await table.query<T>("i1", partition, {
      limit: size + 1 - found.length,
      ...(cursor === undefined ? {} : { from: `${cursor}!` }),
      ...(at === undefined ? {} : { cursor: at }),
    });
    found.push(...page.items);
    at = page.cursor;
  } while (at !== undefined && found.length <= size);
  const records = found.slice(0, size).map(({ data }) => data);
  const last = records.at(-1);
  if (found.length <= size || last === undefined) return { records };
  return { records, next_cursor: nameOf(last) };
}
