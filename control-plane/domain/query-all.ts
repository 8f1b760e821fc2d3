import type { Index, Item, Range } from "../ports/table.ts";
import type { Deps } from "./deps.ts";

/** The largest page: of jobs, half a megabyte. */
const LARGEST = 512;

/** How many items to read after so many, for whoever mostly needs the first few: 1, 2, 4 ... 512. */
export const nextLimit = (limit: number): number => Math.min(limit * 2, LARGEST);

/** As `queryAll`, in pages of `nextLimit`. */
export async function* queryFirst<T>(
  { table }: Deps,
  index: Index,
  partition: string,
  { reverse = false }: Pick<Range, "reverse"> = {},
): AsyncGenerator<Item<T>> {
  let limit = 1;
  let cursor: string | undefined;
  do {
    const page = await table.query<T>(index, partition, {
      ...{ limit, reverse },
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const item of page.items) yield item;
    cursor = page.cursor;
    limit = nextLimit(limit);
  } while (cursor !== undefined);
}

/** Every item of a partition; for partitions of bounded size, or callers that stop early. */
export async function* queryAll<T>(
  deps: Pick<Deps, "table">,
  index: Index,
  partition: string,
  range: Range = {},
): AsyncGenerator<Item<T>> {
  for await (const items of queryPages<T>(deps, index, partition, range)) {
    for (const item of items) yield item;
  }
}

/** The same by pages, for whoever wants many: to hand over each item by itself takes a microsecond. */
export async function* queryPages<T>(
  { table }: Pick<Deps, "table">,
  index: Index,
  partition: string,
  range: Range = {},
): AsyncGenerator<readonly Item<T>[]> {
  let cursor = range.cursor;
  do {
    const page = await table.query<T>(index, partition, {
      ...range,
      ...(cursor === undefined ? {} : { cursor }),
    });
    yield page.items;
    cursor = page.cursor;
  } while (cursor !== undefined);
}
