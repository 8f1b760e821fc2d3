import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
} from "yaml";
import type { SourceProblem } from "./api.ts";
import { pythonTags } from "./python-tags.ts";
import { indentQuotedScalars, type Indented } from "./quoted-scalars.ts";
import { findOutOfBounds, TOO_DEEP } from "./yaml-bounds.ts";

export type SourcePath = readonly (string | number)[];
export interface SourcePosition {
  /** Both from 1. */
  line: number;
  column: number;
}

export interface ReadYaml {
  /** Undefined when there are problems. */
  value: unknown;
  problems: SourceProblem[];
  warnings: SourceProblem[];
  /** Where the key or item at a path stands, or the nearest thing around it that exists. */
  locate: (path: SourcePath) => SourcePosition;
  /** The path of every value that is no mapping and no list, and where in the text it stands. */
  leaves: () => Leaf[];
}

export interface Leaf {
  path: SourcePath;
  /** Offsets in the text, from the first character to after the last. */
  start: number;
  end: number;
}

/** A job is hostile until read; more bounds are in yaml-bounds.ts. */
const MAX_TEXT_CHARS = 1024 * 1024;
/** Of what the parser says, which may quote the text. */
const MAX_REASON_CHARS = 200;

/**
 * Reads one YAML document as PyYAML's safe loader does (RENDER-TRAPS.md 3): YAML 1.1, `y` and `n` are strings,
 * of doubled keys the last wins (with a warning), dates stay text. Never throws.
 */
export function readYaml(text: string): ReadYaml {
  const start = { line: 1, column: 1 };
  if (text.length > MAX_TEXT_CHARS) {
    return failed(start, `the text is too long: at most ${MAX_TEXT_CHARS} characters are read`);
  }
  const lines = new LineCounter();
  const at = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  try {
    const read = readDocument({ text, original: (offset) => offset }, lines, at);
    if (read.problems.length === 0 || !text.includes("\n")) return read;
    const indented = indentQuotedScalars(text);
    if (indented.text === text) return read;
    const again = readAgain(indented, text);
    // Of two complaints the later one is not about indentation.
    return (again.problems[0]?.line ?? Infinity) > (read.problems[0]?.line ?? 0) ? again : read;
  } catch (error) {
    // The parser recurses, so a text nested deep enough ends its stack before we can count.
    return failed(start, error instanceof RangeError ? TOO_DEEP : notYaml(String(error)));
  }
}

/** `actions[0].deploy.to`: how messages name a path. */
export function pathText(path: SourcePath): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

/** Positions are those of the text as it was. */
function readAgain(indented: Indented, text: string): ReadYaml {
  const lines = new LineCounter();
  for (let at = 0; at >= 0; at = text.indexOf("\n", at) + 1 || -1) lines.addNewLine(at);
  const at = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(indented.original(offset));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  return readDocument(indented, new LineCounter(), at);
}

function readDocument(
  { text, original }: Indented,
  lines: LineCounter,
  at: (offset: number) => SourcePosition,
): ReadYaml {
  const document = parseDocument(text, {
    version: "1.1",
    schema: "failsafe",
    customTags: pythonTags,
    merge: true,
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: "error",
  });
  const locate = (path: SourcePath): SourcePosition => at(offsetOf(document, path));
  const [error] = document.errors;
  if (error) return failed(at(error.pos[0]), yamlSentence(error.code, error.message));
  const [warning] = document.warnings;
  if (warning) return failed(at(warning.pos[0]), notYaml(warning.message));
  const found = findOutOfBounds(document);
  if (found) return failed(at(found.offset), found.message);
  const value: unknown = document.toJS({ maxAliasCount: -1 });
  return {
    value,
    problems: [],
    warnings: doubledKeys(document, at),
    locate,
    leaves: () =>
      leavesOf(document).map(({ path, start, end }) => ({
        path,
        start: original(start),
        end: original(end),
      })),
  };
}

function failed(position: SourcePosition, message: string): ReadYaml {
  return {
    value: undefined,
    problems: [{ path: "", ...position, message }],
    warnings: [],
    locate: () => position,
    leaves: () => [],
  };
}

function yamlSentence(code: string, message: string): string {
  if (message.includes("call stack")) return TOO_DEEP;
  switch (code) {
    case "MULTIPLE_DOCS":
      return "there is a second document (`---`): expected one";
    case "TAB_AS_INDENT":
      return "a tab stands in the indentation: YAML wants spaces";
    default:
      return notYaml(message);
  }
}

const notYaml = (reason: string): string =>
  `this is not YAML: ${reason.length > MAX_REASON_CHARS ? `${reason.slice(0, MAX_REASON_CHARS)}…` : reason}`;

function doubledKeys(document: Document, at: (offset: number) => SourcePosition): SourceProblem[] {
  const warnings: SourceProblem[] = [];
  visit(document, {
    Map(_, map) {
      const seen = new Set<unknown>();
      for (const { key } of map.items) {
        if (!isScalar(key)) continue;
        const name = key.value;
        if (seen.has(name) && warnings.length < 100) {
          const message = `the key ${JSON.stringify(name)} stands here twice: the last one counts`;
          warnings.push({ path: String(name), ...at(key.range?.[0] ?? 0), message });
        }
        seen.add(name);
      }
    },
  });
  return warnings;
}

/** Of doubled keys the last, as it is the one that counts; what an alias stands for is told where it stands. */
function leavesOf(document: Document): Leaf[] {
  const leaves = new Map<string, Leaf>();
  const walk = (node: unknown, path: SourcePath, around: number): void => {
    const at = rangeStart(node) ?? around;
    if (isSeq(node) && node.items.length > 0) {
      for (const [index, item] of node.items.entries()) walk(item, [...path, index], at);
    } else if (isMap(node) && node.items.length > 0) {
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : "";
        walk(value, [...path, name], rangeStart(key) ?? at);
      }
    } else leaves.set(pathText(path), { path, start: at, end: rangeEnd(node) ?? at });
  };
  walk(document.contents, [], 0);
  return [...leaves.values()];
}

function offsetOf(document: Document, path: SourcePath): number {
  let node: unknown = document.contents;
  let offset = rangeStart(node) ?? 0;
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node) && typeof key === "number") {
      node = node.items[key];
      offset = rangeStart(node) ?? offset;
    } else if (isMap(node)) {
      const pair = node.items.findLast(
        (item) => isScalar(item.key) && String(item.key.value) === String(key),
      );
      if (!isPair(pair)) return offset;
      offset = rangeStart(pair.key) ?? offset;
      node = pair.value;
    } else return offset;
  }
  return offset;
}

const rangeOf = (node: unknown): [number, number, number] | null | undefined =>
  (node as { range?: [number, number, number] | null } | null | undefined)?.range;
const rangeStart = (node: unknown): number | undefined => rangeOf(node)?.[0];
const rangeEnd = (node: unknown): number | undefined => rangeOf(node)?.[1];
