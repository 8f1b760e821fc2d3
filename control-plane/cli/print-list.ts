import { argumentsOf, type Context } from "./command.ts";
import { table, type Cell } from "./terminal.ts";

/** Prints a whole collection, page by page read; `names` are the arguments that the command takes. */
export async function printList<T>(
  context: Context,
  where: string,
  key: string,
  head: readonly string[],
  row: (item: T) => readonly Cell[],
  names: readonly string[] = [],
): Promise<number> {
  argumentsOf(context, ...names);
  const items: T[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const query = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const page: Record<string, unknown> = await context.client().json("GET", where + query);
    items.push(...(page[key] as T[]));
    cursor = page["next_cursor"] as string | undefined;
  }
  const { terminal, values } = context;
  if (values["json"]) terminal.out(JSON.stringify({ [key]: items }, undefined, 2));
  else terminal.out(table(terminal, head, items.map(row)));
  return 0;
}
