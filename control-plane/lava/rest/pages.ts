import { isHttps } from "../../http/session.ts";
import type { RouteContext } from "../../http/route.ts";
import { readFilters, readOrdering, type Fields } from "./lookups.ts";

/** What one page has when nothing is said, and at the most; LAVA knows no most. */
const USUAL = 50;
const MOST = 1000;

export interface PageRange {
  readonly limit: number;
  readonly offset: number;
}

/** What is no number is as if it had not been said, as in LAVA. */
export function rangeOf(c: RouteContext, most = MOST): PageRange {
  const limit = numberIn(c.req.query("limit"));
  return {
    limit: Math.min(limit === undefined || limit === 0 ? USUAL : limit, most),
    offset: numberIn(c.req.query("offset")) ?? 0,
  };
}

const numberIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;

/** The address of this request as whoever asks sees it. */
export function addressOf(c: RouteContext): URL {
  const url = new URL(c.req.url);
  if (isHttps(c.req.raw)) url.protocol = "https:";
  return url;
}

/** The same list from elsewhere on; `undefined` takes a parameter away. In order of their names, as LAVA has them. */
export function linkTo(c: RouteContext, changes: Record<string, number | undefined>): string {
  const url = addressOf(c);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, String(value));
  }
  url.searchParams.sort();
  return url.href;
}

export interface Page {
  count: number;
  next: string | null;
  previous: string | null;
  results: unknown[];
}

/** A page of so many, with the links of LAVA's lists. */
export function pageAnswer(
  c: RouteContext,
  { limit, offset }: PageRange,
  count: number,
  results: unknown[],
): Page {
  const next = offset + limit;
  const before = Math.max(0, offset - limit);
  return {
    count,
    next: next < count ? linkTo(c, { limit, offset: next }) : null,
    previous: offset > 0 ? linkTo(c, { limit, offset: before === 0 ? undefined : before }) : null,
    results,
  };
}

/**
 * A page of a list that is in memory as a whole: filtered by its fields, searched in those that are named, in the order that was
 * asked for or in its own.
 */
export async function listAnswer<T>(
  c: RouteContext,
  rows: readonly T[],
  fields: Fields<T>,
  { searched, view }: { searched: readonly string[]; view: (row: T) => unknown },
): Promise<Page> {
  const filters = readFilters(fields, addressOf(c).searchParams);
  const search = c.req.query("search")?.toLowerCase();
  if (search) {
    const texts = (row: T) => searched.flatMap((name) => fields[name]?.of(row) ?? []);
    filters.push((row) => texts(row).some((text) => String(text).toLowerCase().includes(search)));
  }
  const found = rows.filter((row) => filters.every((fits) => fits(row)));
  const order = readOrdering(fields, c.req.query("ordering"));
  const inOrder = order ? found.toSorted(order) : found;
  const range = rangeOf(c);
  const shown = inOrder.slice(range.offset, range.offset + range.limit);
  return pageAnswer(c, range, found.length, await Promise.all(shown.map(view)));
}
