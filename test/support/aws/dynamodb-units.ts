/** An attribute as DynamoDB's JSON has it. */
export type Attribute = Record<string, unknown>;
export type Attributes = Record<string, Attribute>;

/** Request units used, as AWS bills them on demand; writes split into the table's and its indexes'. */
export interface Units {
  reads: number;
  writes: number;
  indexWrites: number;
}

export const INDEXES = ["i1", "i2", "i3", "i4"] as const;

/**
 * Bytes of an item by AWS's rules ("DynamoDB item sizes and formats"): names and strings in UTF-8, numbers about
 * one byte per two digits and one more, lists and maps 3 bytes and one per element.
 */
export function itemBytes(item: Attributes | undefined): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(item ?? {})) {
    bytes += Buffer.byteLength(name) + valueBytes(value);
  }
  return bytes;
}

function valueBytes(value: Attribute): number {
  const [[kind, content] = ["NULL", true]] = Object.entries(value);
  if (kind === "S") return Buffer.byteLength(String(content));
  if (kind === "N") return Math.ceil(String(content).replace(/[-.]/g, "").length / 2) + 1;
  if (kind === "BOOL" || kind === "NULL") return 1;
  if (kind === "B") return Math.floor((String(content).length * 3) / 4);
  if (kind === "L")
    return (content as Attribute[]).reduce((sum, one) => sum + 1 + valueBytes(one), 3);
  if (kind === "M") {
    const entries = Object.entries(content as Attributes);
    return entries.reduce(
      (sum, [name, one]) => sum + 1 + Buffer.byteLength(name) + valueBytes(one),
      3,
    );
  }
  throw new Error(`an attribute of kind ${kind} has no price here yet`);
}

export const readUnits = (bytes: number, consistent: boolean): number =>
  Math.max(1, Math.ceil(bytes / 4096)) * (consistent ? 1 : 0.5);

export const writeUnits = (before: Attributes | undefined, after: Attributes | undefined): number =>
  Math.max(1, Math.ceil(Math.max(itemBytes(before), itemBytes(after)) / 1024));

/** What a write costs in the indexes: they hold keys only, so nothing unless a key changes. */
export function indexWriteUnits(
  before: Attributes | undefined,
  after: Attributes | undefined,
): number {
  let units = 0;
  for (const index of INDEXES) {
    const [old, new_] = [entry(index, before), entry(index, after)];
    if (JSON.stringify(old) === JSON.stringify(new_)) continue;
    if (old) units += Math.max(1, Math.ceil(itemBytes(old) / 1024));
    if (new_) units += Math.max(1, Math.ceil(itemBytes(new_) / 1024));
  }
  return units;
}

/** An item's entry in an index, if it has both keys. */
function entry(index: string, item: Attributes | undefined): Attributes | undefined {
  const [p, s] = [item?.[`${index}p`], item?.[`${index}s`]];
  if (!item || !p || !s) return undefined;
  return { p: item["p"] ?? {}, s: item["s"] ?? {}, [`${index}p`]: p, [`${index}s`]: s };
}
