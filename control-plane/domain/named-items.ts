import { removal } from "./changes.ts";
import type { NewItem } from "../ports/table.ts";
import { AppError } from "./app-error.ts";
import type { Deps } from "./deps.ts";
import { namedKey } from "./keys.ts";
import { queryAll } from "./query-all.ts";

/** Small lists of the lab: each item has a name and some fields, and the list is one partition. */
export type NamedList = "aliases" | "tags" | "groups";

/** All items by name. */
export async function listNamed<T extends { name: string }>(
  deps: Deps,
  list: NamedList,
): Promise<T[]> {
  const items: T[] = [];
  const { partition } = namedKey(list, "");
  for await (const { data } of queryAll<T>(deps, "main", partition)) items.push(data);
  return items;
}

export const namedItem = (list: NamedList, data: { name: string }): NewItem => ({
  key: namedKey(list, data.name),
  data,
});

/** Throws `not_found`; `what` is what one of the list is called, for people and the audit log. */
export async function removeNamed(
  deps: Deps,
  list: NamedList,
  name: string,
  what: "alias" | "tag",
  by: { name: string },
): Promise<void> {
  const key = namedKey(list, name);
  const item = await deps.table.get<object>(key);
  if (!item) {
    throw new AppError("not_found", `there is no ${what} ${JSON.stringify(name)}`);
  }
  await deps.table.transact([{ delete: key }, ...removal(deps, what, name, item.data, by)]);
}
