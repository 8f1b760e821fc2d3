/**
 * What `run` makes of each item, in their order, of so many at a time: a page that asks the table about each of a hundred things
 * shall neither wait for them one by one nor take all of a table's reads at once. Throws what one of them throws.
 */
export async function atATime<T, R>(
  most: number,
  items: readonly T[],
  run: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const rest = items.entries();
  const workers = Array.from({ length: Math.min(most, items.length) }, async () => {
    for (const [n, item] of rest) results[n] = await run(item);
  });
  await Promise.all(workers);
  return results;
}
