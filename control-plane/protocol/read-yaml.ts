import {
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  Schema,
  visit,
  type Document,
  type Tags,
} from "yaml";
import type { SourceProblem } from "./api.ts";

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
  locate(path: SourcePath): SourcePosition;
}

/** Bounds that hold whatever a text says: a job is hostile until read. */
const MAX_TEXT_CHARS = 1024 * 1024;
const MAX_DEPTH = 100;
const MAX_ALIAS_COUNT = 1000;

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
    return readDocument(text, lines, at);
  } catch (error) {
    // The parser recurses, so a text nested deep enough ends its stack before we can count.
    const deep = error instanceof RangeError;
    const reason = error instanceof Error ? error.message : String(error);
    return failed(start, deep ? tooDeep : `this can't be read as YAML: ${reason}`);
  }
}

/** `actions[0].deploy.to`: how messages name a path. */
export function pathText(path: SourcePath): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

const tooDeep = `this is nested too deeply: at most ${MAX_DEPTH} levels are read`;

function readDocument(
  text: string,
  lines: LineCounter,
  at: (offset: number) => SourcePosition,
): ReadYaml {
  const document = parseDocument(text, {
    version: "1.1",
    schema: "yaml-1.1",
    merge: true,
    uniqueKeys: false,
    prettyErrors: false,
    lineCounter: lines,
    logLevel: "error",
    customTags: pythonTags,
  });
  const locate = (path: SourcePath): SourcePosition => at(offsetOf(document, path));
  const [error] = document.errors;
  if (error?.message.includes("call stack")) return failed(at(error.pos[0]), tooDeep);
  if (error) return failed(at(error.pos[0]), yamlSentence(error.code, error.message));
  if (depthOf(document) > MAX_DEPTH) return failed({ line: 1, column: 1 }, tooDeep);
  const warnings = doubledKeys(document, at);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIAS_COUNT });
  } catch (failure) {
    const reason = failure instanceof Error ? failure.message : String(failure);
    return failed(
      { line: 1, column: 1 },
      reason.includes("alias")
        ? "its aliases (`*name`) expand to too much: write out what they stand for"
        : `this can't be read as YAML: ${reason}`,
    );
  }
  return { value, problems: [], warnings, locate };
}

function failed(position: SourcePosition, message: string): ReadYaml {
  return {
    value: undefined,
    problems: [{ path: "", ...position, message }],
    warnings: [],
    locate: () => position,
  };
}

function yamlSentence(code: string, message: string): string {
  switch (code) {
    case "MULTIPLE_DOCS":
      return "there is a second document (`---`): expected one";
    case "TAB_AS_INDENT":
      return "a tab stands in the indentation: YAML wants spaces";
    default:
      return `this is not YAML: ${message}`;
  }
}

/** The tags of YAML 1.1 that PyYAML resolves the same way; its booleans and floats are narrower. */
function pythonTags(): Tags {
  const dropped = ["timestamp", "omap", "pairs", "set", "binary"];
  return new Schema({ schema: "yaml-1.1", merge: true }).tags
    .filter((tag) => !dropped.some((name) => tag.tag.endsWith(`:${name}`)))
    .map((tag) => {
      if (tag.tag.endsWith(":bool") && "test" in tag && tag.test) {
        const isTrue = tag.test.test("true");
        return {
          ...tag,
          test: isTrue
            ? /^(?:yes|Yes|YES|true|True|TRUE|on|On|ON)$/
            : /^(?:no|No|NO|false|False|FALSE|off|Off|OFF)$/,
        };
      }
      if (tag.tag.endsWith(":float") && "format" in tag && tag.format === "EXP") {
        return { ...tag, test: /^[-+]?(?:[0-9][0-9_]*)?\.[0-9_]*[eE][-+][0-9]+$/ };
      }
      return tag;
    }) as Tags;
}

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

function depthOf(document: Document): number {
  let deepest = 0;
  visit(document, {
    Collection(_, __, path) {
      deepest = Math.max(deepest, path.filter((node) => isCollection(node)).length + 1);
      if (deepest > MAX_DEPTH) return visit.BREAK;
      return undefined;
    },
  });
  return deepest;
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
      const pair = node.items.findLast((item) => isScalar(item.key) && item.key.value === key);
      if (!isPair(pair)) return offset;
      offset = rangeStart(pair.key) ?? offset;
      node = pair.value;
    } else return offset;
  }
  return offset;
}

function rangeStart(node: unknown): number | undefined {
  const range = (node as { range?: [number, number, number] | null } | null | undefined)?.range;
  return range?.[0];
}
