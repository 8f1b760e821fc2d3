import { isAlias, isMap, isScalar, isSeq, type Document, type Scalar, type YAMLMap } from "yaml";

/** Deeper than any job or device file that people write. */
const MAX_DEPTH = 100;
/** Values that aliases and merge keys may add to those that are written. */
const MAX_ALIASED_VALUES = 100_000;
/** A long text counts once for each of so many characters: whoever writes the values out again writes all of them. */
const CHARS_OF_VALUE = 100;

export const TOO_DEEP = `this is nested too deeply: at most ${MAX_DEPTH} levels are read`;

/** What keeps a text from being turned into values. */
export class YamlFault extends Error {
  override readonly name = "YamlFault";
  /** Where in the text. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

export interface YamlValues {
  value: unknown;
  /** Keys that stand twice in a mapping, where they do so for the second time. */
  doubled: { key: string; offset: number }[];
}

/** A part of the document with what it stands for; `size` counts values with aliases written out, and long texts by their length. */
interface Part {
  value: unknown;
  size: number;
}

interface Walk {
  readonly anchors: Map<string, Part | "open">;
  readonly doubled: YamlValues["doubled"];
  aliased: number;
}

/**
 * A parsed text as data, as PyYAML constructs it: of doubled keys the last wins, merge keys come first and give way,
 * keys are text as in JSON (`null`, `true`, `115200`). An alias is the same object as what it names.
 *
 * @throws YamlFault for what PyYAML refuses, and for what is nested too deeply or stands for too much.
 */
export function yamlValues({ contents }: Document): YamlValues {
  const walk: Walk = { anchors: new Map(), doubled: [], aliased: 0 };
  const { value } = partOf(contents, walk, 0, 0);
  return { value, doubled: walk.doubled };
}

/** Where a node stands in the text; undefined for what isn't written. */
export function offsetOf(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] | null } | null | undefined)?.range?.[0];
}

/** The text of a key as it is in the data. */
export const keyText = ({ value }: Scalar): string => String(value);

/** A plain `<<`: what it names is merged into the mapping. */
const isMerge = (key: unknown): boolean => isPlain(key) && key.value === "<<";

const isPlain = (node: unknown): node is Scalar =>
  isScalar(node) && node.type === "PLAIN" && node.tag === undefined;

function partOf(node: unknown, walk: Walk, depth: number, around: number): Part {
  const offset = offsetOf(node) ?? around;
  if (isAlias(node)) return aliased(node.source, walk, offset);
  if (isScalar(node)) {
    if (isPlain(node) && (node.value === "=" || node.value === "<<")) {
      throw new YamlFault(`a lone ${node.value} is no value: put it in quotes`, offset);
    }
    const part = { value: node.value, size: sizeOf(node.value) };
    anchored(node.anchor, part, walk, offset);
    return part;
  }
  if (!isMap(node) && !isSeq(node)) return { value: null, size: 1 };
  if (depth >= MAX_DEPTH) throw new YamlFault(TOO_DEEP, offset);
  anchored(node.anchor, "open", walk, offset);
  let part: Part;
  if (isMap(node)) part = mapping(node, walk, depth, offset);
  else {
    const items: unknown[] = [];
    let size = 1;
    for (const item of node.items) {
      const inner = partOf(item, walk, depth + 1, offset);
      items.push(inner.value);
      size += inner.size;
    }
    part = { value: items, size };
  }
  if (node.anchor !== undefined) walk.anchors.set(node.anchor, part);
  return part;
}

const sizeOf = (value: unknown): number =>
  typeof value === "string" ? 1 + Math.floor(value.length / CHARS_OF_VALUE) : 1;

function anchored(
  anchor: string | undefined,
  part: Part | "open",
  walk: Walk,
  offset: number,
): void {
  if (anchor === undefined) return;
  if (walk.anchors.has(anchor)) {
    throw new YamlFault(`the anchor &${anchor} stands here for the second time`, offset);
  }
  walk.anchors.set(anchor, part);
}

function mapping(node: YAMLMap, walk: Walk, depth: number, around: number): Part {
  const own: Record<string, unknown> = {};
  let merged: Record<string, unknown> | undefined;
  let size = 1;
  for (const { key, value } of node.items) {
    const offset = offsetOf(key) ?? around;
    const text = keyOf(key, walk, offset);
    const part = partOf(value, walk, depth + 1, offset);
    size += part.size + sizeOf(text);
    if (isMerge(key)) {
      merged ??= {};
      for (const source of mergeSources(part.value, offset)) assign(merged, source);
      continue;
    }
    if (Object.hasOwn(own, text)) walk.doubled.push({ key: text, offset });
    set(own, text, part.value);
  }
  if (!merged) return { value: own, size };
  assign(merged, own);
  return { value: merged, size };
}

function keyOf(key: unknown, walk: Walk, offset: number): string {
  const { value } = isAlias(key) ? aliased(key.source, walk, offset) : { value: key };
  if (isMap(value) || isSeq(value) || (isAlias(key) && typeof value === "object" && value)) {
    throw new YamlFault("a mapping or a list can't be a key: expected text", offset);
  }
  if (!isScalar(key)) return String(value);
  if (key.value === null && key.source === "") {
    throw new YamlFault("a key is missing before the colon", offset);
  }
  anchored(key.anchor, { value: key.value, size: sizeOf(key.value) }, walk, offset);
  return keyText(key);
}

/** Weakest first. */
function mergeSources(value: unknown, offset: number): object[] {
  const sources: unknown[] = Array.isArray(value) ? value.toReversed() : [value];
  return sources.map((source) => {
    if (typeof source === "object" && source !== null && !Array.isArray(source)) return source;
    throw new YamlFault("`<<` merges a mapping or a list of mappings", offset);
  });
}

function assign(into: Record<string, unknown>, source: object): void {
  for (const [name, value] of Object.entries(source)) set(into, name, value);
}

function set(into: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== "__proto__") into[name] = value;
  else {
    const property = { value, writable: true, enumerable: true, configurable: true };
    Object.defineProperty(into, name, property);
  }
}

function aliased(name: string, walk: Walk, offset: number): Part {
  const part = walk.anchors.get(name);
  if (part === undefined) {
    const message = `the alias *${name} names nothing: expected an anchor &${name} before it`;
    throw new YamlFault(message, offset);
  }
  if (part === "open") {
    const message = `the alias *${name} stands inside what it names: write out what is meant`;
    throw new YamlFault(message, offset);
  }
  walk.aliased += part.size;
  if (walk.aliased <= MAX_ALIASED_VALUES) return part;
  const message = "its aliases (`*name`) stand for too much: write out what is meant";
  throw new YamlFault(message, offset);
}
