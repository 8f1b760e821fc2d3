import type { Index, Item, Range } from "../ports/table.ts";
import type { Deps } from "./deps.ts";

/** Every item of a partition, page by page; for partitions of bounded size, or callers that stop early. */
export async function* queryAll<T>(
  { table }: Deps,
  index: Index,
  partition: string,
  range: Range = {},
): AsyncGenerator<Item<T>> {
  let cursor = range.cursor;
  do {
    const page = await table.query<T>(index, partition, {
      ...range,
      ...(cursor === undefined ? {} : { cursor }),
    });
    yield* page.items;
    cursor = page.cursor;
  } while (cursor !== undefined);
}
