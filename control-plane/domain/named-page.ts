import type { Deps } from "./deps.ts";

export interface PageRequest {
  /** 1 to 500; 100 when not given. */
  limit?: number | undefined;
  /** `next_cursor` of the page before: the last name that was seen. */
  cursor?: string | undefined;
}

/** How many things one call looks at, at most, to fill its page with those that somebody may see. */
const MOST_SEEN = 1000;
/** Read together where few of them may fit. */
const AT_ONCE = 200;

/**
 * A page of a list that is sorted by name, and the cursor of the next if there is one. Where `isVisible` leaves things out, a
 * page may be shorter than `limit`, even empty, and yet have a cursor.
 */
export async function namedPage<T>(
  { table }: Deps,
  partition: string,
  nameOf: (record: T) => string,
  { limit = 100, cursor }: PageRequest,
  isVisible?: (record: T) => boolean | Promise<boolean>,
): Promise<{ records: T[]; next_cursor?: string }> {
  const size = Math.min(Math.max(1, limit), 500);
  const records: T[] = [];
  let seen = 0;
  let last: string | undefined;
  // An engine may give fewer than asked for; one more says whether there is a next page.
  let at: string | undefined;
  do {
    const page = await table.query<T>("i1", partition, {
      limit: Math.max(size + 1 - records.length, isVisible ? AT_ONCE : 0),
      ...(cursor === undefined ? {} : { from: `${cursor}!` }),
      ...(at === undefined ? {} : { cursor: at }),
    });
    for (const { data } of page.items) {
      if (records.length === size || seen === MOST_SEEN) {
        return { records, ...(last === undefined ? {} : { next_cursor: last }) };
      }
      seen += 1;
      last = nameOf(data);
      if (!isVisible || (await isVisible(data))) records.push(data);
    }
    at = page.cursor;
  } while (at !== undefined);
  return { records };
}
