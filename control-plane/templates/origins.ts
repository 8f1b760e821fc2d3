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

/** What is known of the output so far, in its order, and the place of each variable by the map that holds its value. */
export interface OriginLog {
  places: WeakMap<ReadonlyMap<string, Value>, Map<string, Origin>>;
  spans: Span[];
  /** What `super()` or a block gave last, with its pieces from 0: they count if it is printed as it is. */
  called: { text: string; spans: Span[] };
}

export const makeOriginLog = (): OriginLog => ({
  places: new WeakMap(),
  spans: [],
  called: { text: "", spans: [] },
});

/** A template's own text is about to be put out. */
export function noteText({ chain: { run }, template }: Frame, line: number): void {
  run.origins?.spans.push({ start: run.chars, origin: { template, line }, isText: true });
}

/** So is what an expression printed. */
export function noteOutput(frame: Frame, expression: Expression, value: Value): void {
  const { origins, chars } = frame.chain.run;
  if (!origins) return;
  const { called, spans } = origins;
  if (expression.kind === "call" && called.text === value) {
    for (const span of called.spans) spans.push({ ...span, start: span.start + chars });
    return;
  }
  const place = { template: frame.template, line: expression.line };
  spans.push({ start: chars, origin: originOf(frame, expression, value) ?? place, isText: false });
}

/** Renders what becomes a value or goes through a filter: nothing of it is put out yet. Its pieces begin at 0. */
export function apart(run: Run, render: () => string): { text: string; spans: Span[] } {
  const { chars, origins } = run;
  const first = origins?.spans.length ?? 0;
  const text = render();
  run.chars = chars;
  const spans = origins?.spans.splice(first) ?? [];
  return { text, spans: spans.map((span) => ({ ...span, start: span.start - chars })) };
}

/** What a filter is about to put out: its lines are those that went in, moved; else all comes from the block's line. */
export function noteFiltered(
  { chain: { run }, template }: Frame,
  line: number,
  before: { text: string; spans: Span[] },
  after: string,
): void {
  if (!run.origins) return;
  const { spans } = run.origins;
  const [from, to] = [lineStarts(before.text), lineStarts(after)];
  if (from.length !== to.length) {
    spans.push({ start: run.chars, origin: { template, line }, isText: false });
    return;
  }
  let n = 0;
  for (const span of before.spans) {
    while ((from[n + 1] ?? Infinity) <= span.start) n += 1;
    const [old = 0, now = 0] = [from[n], to[n]];
    const grown = (to[n + 1] ?? after.length) - now - ((from[n + 1] ?? before.text.length) - old);
    const column = span.start === old ? 0 : Math.max(0, span.start - old + grown);
    spans.push({ ...span, start: run.chars + now + column });
  }
}

const lineStarts = (text: string): number[] => {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
};

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
