import { isAlias, isMap, isScalar, isSeq, type Document } from "yaml";

/** Deeper than any job or device file that people write. */
const MAX_DEPTH = 100;
/** Values that aliases and merge keys may add to those that are written. */
const MAX_ALIASED_VALUES = 100_000;

export interface OutOfBounds {
  /** Where in the text. */
  offset: number;
  message: string;
}

export const TOO_DEEP = `this is nested too deeply: at most ${MAX_DEPTH} levels are read`;

/**
 * What keeps a parsed text from being turned into values: nested too deeply, aliases that name nothing or
 * themselves, or that stand for more than is reasonable. Must pass before `toJS`.
 */
export function findOutOfBounds(document: Document): OutOfBounds | undefined {
  const sizes = new Map<string, number | "open">();
  let aliased = 0;

  /** Counts the values in a node with its aliases written out; throws what is out of bounds. */
  const measure = (node: unknown, depth: number, around: number): number => {
    const offset = offsetOf(node) ?? around;
    if (depth >= MAX_DEPTH && (isMap(node) || isSeq(node)))
      throw new Stop({ offset, message: TOO_DEEP });
    if (isAlias(node)) {
      const size = sizes.get(node.source);
      if (typeof size !== "number")
        throw new Stop({ offset, message: aliasFault(size, node.source) });
      aliased += size;
      if (aliased > MAX_ALIASED_VALUES) throw new Stop({ offset, message: tooMuch });
      return size;
    }
    const anchor = isMap(node) || isSeq(node) || isScalar(node) ? node.anchor : undefined;
    if (anchor !== undefined) sizes.set(anchor, "open");
    let size = 1;
    if (isSeq(node)) {
      for (const item of node.items) size += measure(item, depth + 1, offset);
    } else if (isMap(node)) {
      for (const { key, value } of node.items) {
        if (isMap(key) || isSeq(key)) {
          const message = "a mapping or a list can't be a key: expected text";
          throw new Stop({ offset: offsetOf(key) ?? offset, message });
        }
        size += measure(key, depth + 1, offset) + measure(value, depth + 1, offset);
      }
    }
    if (anchor !== undefined) sizes.set(anchor, size);
    return size;
  };

  try {
    measure(document.contents, 0, 0);
    return undefined;
  } catch (error) {
    if (error instanceof Stop) return error.found;
    throw error;
  }
}

class Stop extends Error {
  readonly found: OutOfBounds;
  constructor(found: OutOfBounds) {
    super(found.message);
    this.found = found;
  }
}

const tooMuch = "its aliases (`*name`) stand for too much: write out what is meant";

const aliasFault = (size: "open" | undefined, name: string): string =>
  size === "open"
    ? `the alias *${name} stands inside what it names: write out what is meant`
    : `the alias *${name} names nothing: expected an anchor &${name} before it`;

function offsetOf(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] | null } | null | undefined)?.range?.[0];
}
