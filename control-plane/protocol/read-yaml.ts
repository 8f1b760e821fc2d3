import {
  Composer,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  Parser,
  YAMLParseError,
  type Document,
} from "yaml";
import type { SourceProblem } from "./api.ts";
import { plainYaml } from "./plain-yaml.ts";
import { pythonTokens } from "./python-lexer.ts";
import { pythonTags } from "./python-tags.ts";
import { keyText, offsetOf, TOO_DEEP, YamlFault, yamlValues } from "./yaml-values.ts";

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

/** A job is hostile until read; more bounds are in yaml-values.ts. */
const MAX_TEXT_CHARS = 1024 * 1024;
const MAX_WARNINGS = 100;
/** Of what the parser says, which may quote the text. */
const MAX_REASON_CHARS = 200;
/** PyYAML's line breaks that yaml doesn't know. */
const ODD_LINE_BREAKS = /\r(?!\n)|[\x85\u2028\u2029]/g;
/** What PyYAML refuses wherever it stands. */
const UNPRINTABLE = /[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;

/**
 * Reads one YAML document as PyYAML's safe loader does (RENDER-TRAPS.md 3): YAML 1.1, `y` and `n` are strings,
 * of doubled keys the last wins (with a warning), dates stay text. Never throws.
 */
export function readYaml(text: string): ReadYaml {
  if (text.length > MAX_TEXT_CHARS) {
    return failed(START, `the text is too long: at most ${MAX_TEXT_CHARS} characters are read`);
  }
  const value = plainYaml(text);
  if (value === undefined) return readAnyYaml(text);
  // Where things stand is asked for seldom.
  let whole: ReadYaml | undefined;
  const places = () => (whole ??= readAnyYaml(text));
  const locate = (path: SourcePath) => places().locate(path);
  return { value, problems: [], warnings: [], locate, leaves: () => places().leaves() };
}

const START: SourcePosition = { line: 1, column: 1 };

/** What `readYaml` says of a text of the allowed length, without the short way for plain ones. */
export function readAnyYaml(text: string): ReadYaml {
  const lines = new LineCounter();
  const at = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  try {
    return readDocument(text.replace(ODD_LINE_BREAKS, "\n"), lines, at);
  } catch (error) {
    // The parser recurses, so a text nested deep enough ends its stack before we can count.
    return failed(START, error instanceof RangeError ? TOO_DEEP : notYaml(String(error)));
  }
}

/** `actions[0].deploy.to`: how messages name a path. */
export function pathText(path: SourcePath): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === "number") return `${text}[${key}]`;
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

function readDocument(
  text: string,
  lines: LineCounter,
  at: (offset: number) => SourcePosition,
): ReadYaml {
  const document = parse(text, lines);
  const unprintable = text.search(UNPRINTABLE);
  if (unprintable >= 0) return failed(at(unprintable), "a control character: remove it");
  const [error] = document.errors;
  if (error) return failed(at(error.pos[0]), yamlSentence(error.code, error.message));
  // The only warning of this code is about the indentation of a closing bracket.
  const warning = document.warnings.find(({ code }) => code !== "BAD_INDENT");
  if (warning) return failed(at(warning.pos[0]), notYaml(warning.message));
  try {
    const { value, doubled } = yamlValues(document);
    const warnings = doubled.slice(0, MAX_WARNINGS).map(({ key, offset }) => {
      const message = `the key ${JSON.stringify(key)} stands here twice: the last one counts`;
      return { path: key, ...at(offset), message };
    });
    const locate = (path: SourcePath) => at(placeOf(document, path));
    return { value, problems: [], warnings, locate, leaves: () => leavesOf(document) };
  } catch (fault) {
    if (!(fault instanceof YamlFault)) throw fault;
    return failed(at(fault.offset), fault.message);
  }
}

function parse(text: string, lines: LineCounter): Document {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  function* tokens() {
    for (const token of pythonTokens(text)) yield* parser.next(token);
    yield* parser.end();
  }
  const composer = new Composer({
    version: "1.1",
    schema: "failsafe",
    customTags: pythonTags,
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: "error",
  });
  const [document, second] = composer.compose(tokens(), true, text.length);
  if (!document) throw new Error("no document");
  if (second) document.errors.push(new YAMLParseError(startOf(second), "MULTIPLE_DOCS", ""));
  return document;
}

const startOf = (document: Document): [number, number] => {
  const at = offsetOf(document) ?? 0;
  return [at, at];
};

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
    case "MULTILINE_IMPLICIT_KEY":
      return notYaml("a key and its colon stand on two lines; is a bracket before it not closed?");
    default: {
      const closing = /must be sufficiently indented and end with a (.)$/.exec(message)?.[1];
      return notYaml(closing ? `expected a ${closing} that closes the bracket` : message);
    }
  }
}

const notYaml = (reason: string): string =>
  `this is not YAML: ${reason.length > MAX_REASON_CHARS ? `${reason.slice(0, MAX_REASON_CHARS)}…` : reason}`;

/** Of doubled keys the last, as it is the one that counts; what an alias stands for is told where it stands. */
function leavesOf(document: Document): Leaf[] {
  const leaves = new Map<string, Leaf>();
  const walk = (node: unknown, path: SourcePath, around: number): void => {
    const at = offsetOf(node) ?? around;
    if (isSeq(node) && node.items.length > 0) {
      for (const [index, item] of node.items.entries()) walk(item, [...path, index], at);
    } else if (isMap(node) && node.items.length > 0) {
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? keyText(key) : "";
        walk(value, [...path, name], offsetOf(key) ?? at);
      }
    } else leaves.set(pathText(path), { path, start: at, end: endOf(node) ?? at });
  };
  walk(document.contents, [], 0);
  return [...leaves.values()];
}

function placeOf(document: Document, path: SourcePath): number {
  let node: unknown = document.contents;
  let offset = offsetOf(node) ?? 0;
  for (const key of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node) && typeof key === "number") {
      node = node.items[key];
      offset = offsetOf(node) ?? offset;
    } else if (isMap(node)) {
      const pair = node.items.findLast(
        (item) => isScalar(item.key) && keyText(item.key) === String(key),
      );
      if (!isPair(pair)) return offset;
      offset = offsetOf(pair.key) ?? offset;
      node = pair.value;
    } else return offset;
  }
  return offset;
}

const endOf = (node: unknown): number | undefined =>
  (node as { range?: [number, number, number] | null } | null | undefined)?.range?.[1];
