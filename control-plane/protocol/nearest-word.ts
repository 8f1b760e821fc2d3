/** The known word that a misspelt one most likely stands for, if one is near enough. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  if (word.length > 100) return undefined;
  const lower = folded(word);
  let nearest: string | undefined;
  let limit = Math.max(1, Math.floor(word.length / 3));
  for (const candidate of known) {
    const distance = editDistance(lower, folded(candidate), limit);
    if (distance > limit) continue;
    // From here on only what is nearer still.
    nearest = candidate;
    limit = distance - 1;
    if (distance === 0) break;
  }
  return nearest;
}

const folded = (word: string): string => word.toLowerCase().replaceAll("_", "-");

/** Characters to insert, delete, replace or swap with their neighbour; Infinity when more than `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return Infinity;
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped =
        i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
          ? (before[j - 2] ?? 0) + 1
          : Infinity;
      const cost = Math.min(replaced, swapped, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1);
      row.push(cost);
      least = Math.min(least, cost);
    }
    if (least > limit + 1) return Infinity;
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}
