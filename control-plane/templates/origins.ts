import type { Expression } from "./ast.ts";
import { namesIn } from "./names-in.ts";
import type { Frame, Run } from "./frame.ts";
import type { Value } from "./value.ts";

/** Where a piece of output was set: by a variable of a template, by a template's text, or by the job's context. */
export interface Origin {
  /** File name; `context` for what a job's context gave. */
  template: string;
  line: number;
  /** The variable through which it came. */
  variable?: string;
}

/** A piece of the output and where it came from; it ends where the next one begins. */
export interface Span {
  start: number;
  origin: Origin;
  /** Set for a template's own text, which has as many lines as the template has there. */
  isText: boolean;
}

/**
 * The place of each variable, by the map that holds its value. Pieces of output are marked in the text itself, between
 * two characters that Unicode keeps for such use, so that blocks, filters and includes carry the marks along.
 */
export interface OriginLog {
  places: WeakMap<ReadonlyMap<string, Value>, Map<string, Origin>>;
  pieces: Omit<Span, "start">[];
}

const BEGIN = "\u{fdd0}";
const END = "\u{fdd1}";
const MARKS = /\u{fdd0}(\d+)\u{fdd1}/gu;

export const makeOriginLog = (): OriginLog => ({ places: new WeakMap(), pieces: [] });

/** The mark that stands before a template's own text. */
export function textMark({ chain, template }: Frame, line: number): string {
  return mark(chain.run, { origin: { template, line }, isText: true });
}

/** The mark that stands before what an expression printed. */
export function outputMark(frame: Frame, expression: Expression, value: Value): string {
  const { run } = frame.chain;
  if (!run.origins) return "";
  const found = originOf(frame, expression, value);
  const origin = found ?? { template: frame.template, line: expression.line };
  return mark(run, { origin, isText: false });
}

/** Remembers where a variable got its value: what is only passed on keeps the place it had. */
export function noteSet(
  frame: Frame,
  name: string,
  value: Value,
  line: number,
  expression: Expression | undefined,
): void {
  const { run, vars } = frame.chain;
  if (!run.origins) return;
  const passed = expression && originOf(frame, expression, value, !Array.isArray(value));
  const place = passed ?? { template: frame.template, line, variable: name };
  placesOf(run.origins, frame.locals ?? vars).set(name, place);
}

/** What an include sees of the variables around it keeps its places. */
export function copyPlaces(frame: Frame, names: Iterable<string>, to: Map<string, Value>): void {
  const { origins } = frame.chain.run;
  if (!origins) return;
  for (const name of names) {
    const place = placeOf(frame, name);
    if (place) placesOf(origins, to).set(name, place);
  }
}

/** The text without its marks, and the pieces that they named, in order. */
export function readMarks(marked: string, log: OriginLog): { text: string; spans: Span[] } {
  const spans: Span[] = [];
  let text = "";
  let from = 0;
  for (const match of marked.matchAll(MARKS)) {
    text += marked.slice(from, match.index);
    from = match.index + match[0].length;
    const piece = log.pieces[Number(match[1])];
    if (piece) spans.push({ start: text.length, ...piece });
  }
  return { text: text + marked.slice(from), spans };
}

function mark(run: Run, piece: Omit<Span, "start">): string {
  if (!run.origins) return "";
  run.origins.pieces.push(piece);
  return `${BEGIN}${run.origins.pieces.length - 1}${END}`;
}

/**
 * The place that gave the value: of the variable that it is, else of the most derived one that it was made from. A
 * dictionary's line says more to people than the line of the template that used it.
 */
function originOf(
  frame: Frame,
  expression: Expression,
  value: Value,
  looksAtParts = true,
): Origin | undefined {
  let best: Origin | undefined;
  for (const name of namesIn(expression)) {
    const place = placeOf(frame, name);
    if (!place) continue;
    if (frame.lookUp(name) === value) return place;
    if (looksAtParts && (!best || rank(frame.chain.run, place) < rank(frame.chain.run, best))) {
      best = place;
    }
  }
  return best;
}

const rank = ({ parsed }: Run, { template }: Origin): number =>
  template === "context" ? -1 : [...parsed.keys()].indexOf(template);

function placeOf(frame: Frame, name: string): Origin | undefined {
  const { run, vars, globals } = frame.chain;
  if (!run.origins) return undefined;
  for (let at: Frame | undefined = frame; at; at = at.outer) {
    if (at.locals?.has(name)) return run.origins.places.get(at.locals)?.get(name);
  }
  if (vars.has(name)) return run.origins.places.get(vars)?.get(name);
  if (!globals.has(name)) return undefined;
  const included = run.origins.places.get(globals)?.get(name);
  return included ?? { template: "context", line: 0, variable: name };
}

function placesOf(log: OriginLog, variables: ReadonlyMap<string, Value>): Map<string, Origin> {
  const known = log.places.get(variables) ?? new Map<string, Origin>();
  log.places.set(variables, known);
  return known;
}
