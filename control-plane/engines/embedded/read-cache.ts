import { frozen } from "#protocol/frozen.ts";
import type { Item, Key, Page } from "../../ports/table.ts";
import { createRecent } from "./recent.ts";
import type { Row } from "./sqlite.ts";

/**
 * What was read of the table or written there, good until it is written (again): this process is the only one that writes. Pages have
 * nothing that expires; of rows the reader looks. Nobody can change the data that it gives.
 */
export interface ReadCache {
  /** `at`: what has expired by then is not known. */
  row(key: Key, at: number): KnownRow | undefined;
  /** `text`: the data's JSON; undefined where there is no such item. */
  keepRow(key: Key, row: Omit<KnownRow, "item"> | undefined): void;
  forgetRow(key: Key): void;
  /** `partition` is that of an index: `i1#jobs`, `main#job#7`. */
  page(partition: string, name: string): Page<unknown> | undefined;
  keepPage(partition: string, name: string, page: Page<unknown>, chars: number): void;
  forgetPages(partition: string): void;
}

export interface KnownRow {
  /** 0: there is no such item. */
  readonly version: number;
  readonly text: string;
  readonly expires?: number | undefined;
  /** What its columns of indexes are, where that is known. */
  readonly columns?: Row | undefined;
  /** Its data, once somebody has asked for it. */
  item?: Item<unknown>;
}

const ABSENT: KnownRow = { version: 0, text: "" };

const MOST_ROW_CHARS = 4_000_000;
/** Parsed it takes some three times as much. */
const MOST_PAGE_CHARS = 1_000_000;

interface Pages {
  readonly byName: Map<string, Page<unknown>>;
  readonly chars: number;
}

export function createReadCache(): ReadCache {
  const rows = createRecent<KnownRow>(MOST_ROW_CHARS);
  const pages = createRecent<Pages>(MOST_PAGE_CHARS);
  return {
    row(key, at) {
      const row = rows.find(nameOf(key));
      return row?.expires !== undefined && row.expires <= at ? undefined : row;
    },
    keepRow: (key, row) => rows.keep(nameOf(key), row ?? ABSENT, row?.text.length ?? 0),
    forgetRow: (key) => rows.forget(nameOf(key)),
    page: (partition, name) => pages.find(partition)?.byName.get(name),
    keepPage(partition, name, page, given) {
      const known = pages.find(partition);
      const chars = (known?.chars ?? 0) + given + name.length;
      // One of which everybody asks for another part.
      if (chars > MOST_PAGE_CHARS / 4) return pages.forget(partition);
      const byName = known?.byName ?? new Map<string, Page<unknown>>();
      byName.set(name, frozen(page));
      pages.keep(partition, { byName, chars }, chars);
    },
    forgetPages: (partition) => pages.forget(partition),
  };
}

const nameOf = ({ partition, sort }: Key): string => `${partition}\0${sort}`;

/** Parsed when it is asked for: most of what is written is written again before. */
export function itemOf<T>(key: Key, known: KnownRow): Item<T> | undefined {
  if (known.version === 0) return undefined;
  const { version, text } = known;
  known.item ??= frozen({ key, version, data: JSON.parse(text) as T });
  return known.item as Item<T>;
}
