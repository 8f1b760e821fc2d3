import type { YamlEntry } from "./yaml-place.ts";

/** A part of the job's schema, as scripts/job-words.ts writes it; numbers are places in the table. */
export interface JobNode {
  /** Explanation. */
  readonly d?: number;
  /** Keys. */
  readonly p?: Readonly<Record<string, number>>;
  /** Of every other key. */
  readonly a?: number;
  /** Of each item. */
  readonly i?: number;
  /** Words that it may be. */
  readonly v?: readonly string[];
  /** It may be a boolean, a mapping, a list. */
  readonly b?: number;
  readonly m?: number;
  readonly l?: number;
  /** It may be any of these as well. */
  readonly o?: readonly number[];
  /** The first that holds: 1, key and word (`to: tmpfs`); or 0 and keys that are all there. */
  readonly w?: readonly (readonly [number, readonly string[], number])[];
}

export interface JobWords {
  readonly root: number;
  readonly nodes: readonly JobNode[];
  readonly texts: readonly string[];
}

/** A key or a word that may stand somewhere. */
export interface Proposal {
  readonly label: string;
  readonly info?: string;
  /** What follows a key. */
  readonly kind: "key" | "block" | "list" | "word";
}

/**
 * What may stand at the place where `path` leads, from the top to the mapping or list that is being written: keys that are not
 * there yet, and words.
 */
export function proposals(words: JobWords, path: readonly YamlEntry[]): Proposal[] {
  const found = new Map<string, Proposal>();
  const add = (label: string, info: number | undefined, kind: Proposal["kind"]) => {
    const text = info === undefined ? undefined : words.texts[info];
    if (found.has(label) && text === undefined) return;
    found.set(label, { label, kind, ...(text === undefined ? {} : { info: text }) });
  };
  const there = new Set(path.at(-1)?.children.map(({ key }) => key));
  for (const { p = {}, v = [], b } of nodesAt(words, path)) {
    for (const [key, place] of Object.entries(p)) {
      if (!there.has(key)) add(key, words.nodes[place]?.d, kindOf(words, place));
    }
    for (const word of v) add(word, undefined, "word");
    if (b) for (const word of ["true", "false"]) add(word, undefined, "word");
  }
  return [...found.values()];
}

/** What a path leads to is explained; undefined where nothing is known. */
export function explanation(words: JobWords, path: readonly YamlEntry[]): string | undefined {
  const described = nodesAt(words, path).find(({ d }) => d !== undefined);
  return described?.d === undefined ? undefined : words.texts[described.d];
}

/** The parts of the schema that hold at the end of a path; the first entry is the document. */
function nodesAt(words: JobWords, path: readonly YamlEntry[]): JobNode[] {
  let at = [words.root];
  for (const [index, entry] of path.entries()) {
    const open = at.flatMap((place) => unfolded(words, place, entry));
    const next = path[index + 1];
    if (!next) return open;
    at = open.flatMap(({ p = {}, a, i }) => {
      if (next.isItem) return i === undefined ? [] : [i];
      const place = Object.hasOwn(p, next.key) ? p[next.key] : a;
      return place === undefined ? [] : [place];
    });
  }
  return [];
}

/** A part with all that it may be, as far as what is written decides it. */
function unfolded(words: JobWords, place: number, entry: YamlEntry): JobNode[] {
  const node = words.nodes[place];
  if (!node) return [];
  const { o = [], w = [] } = node;
  const hit = w.find(([isWord, [key = "", word]]) =>
    isWord ? entry.children.some((child) => child.key === key && child.value === word) : false,
  );
  const keyed = w.find(
    ([isWord, keys]) =>
      !isWord && keys.every((key) => entry.children.some((one) => one.key === key)),
  );
  const more = [...o, ...[hit, keyed].flatMap((found) => (found ? [found[2]] : []))];
  return [node, ...more.flatMap((inner) => unfolded(words, inner, entry))];
}

/** What belongs behind a key: a value, keys of its own, or items. */
function kindOf(words: JobWords, place: number): "key" | "block" | "list" {
  const { m, l, v, b, p, i, a, o = [] } = words.nodes[place] ?? {};
  if (v || b) return "key";
  if (m || p || a !== undefined) return "block";
  if (l || i !== undefined) return "list";
  const [first, ...rest] = o.map((inner) => kindOf(words, inner));
  return first !== undefined && rest.every((kind) => kind === first) ? first : "key";
}
