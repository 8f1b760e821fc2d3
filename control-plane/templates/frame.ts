import type { Statement, Template } from "./ast.ts";
import type { Scope } from "./evaluate.ts";
import { apart, type OriginLog } from "./origins.ts";
import { TemplateError } from "./template-error.ts";
import { Callable, Undefined, type Value } from "./value.ts";

/** Finds the text of a template by its name; undefined when there is none. The only way to a file. */
export interface Loader {
  (name: string): string | undefined;
  /** Of all that it has, in order, where it knows them. */
  readonly names?: () => readonly string[];
}

export interface RenderLimits {
  readonly steps: number;
  readonly outputChars: number;
}

/** One rendering: what it has cost and what it has seen. */
export interface Run {
  readonly loader: Loader;
  readonly limits: RenderLimits;
  steps: number;
  chars: number;
  depth: number;
  readonly parsed: Map<string, Template>;
  readonly sets: Map<string, { template: string; line: number }>;
  readonly reads: Set<string>;
  /** The template that was asked for. */
  readonly first: string;
  readonly overridden: Overridden[];
  /** Kept when somebody wants to know where each piece of output comes from. */
  readonly origins: OriginLog | undefined;
}

/** A variable of the first template whose value nobody will see. */
export interface Overridden {
  name: string;
  template: string;
  line: number;
  by: { template: string; line: number };
}

/** The variables and blocks that a template and the templates it extends share. */
export interface Chain {
  readonly run: Run;
  readonly globals: ReadonlyMap<string, Value>;
  readonly vars: Map<string, Value>;
  /** For each block its versions, the most derived first. */
  readonly blocks: Map<string, { template: string; body: readonly Statement[] }[]>;
  /** Renders a version of a block, for `super()` and `self.name()`. */
  readonly renderVersion: (frame: Frame, name: string, version: number, line: number) => string;
}

/** Where a name is looked up: a template's top level, a block, a loop. */
export interface Frame extends Scope {
  readonly chain: Chain;
  /** Variables of this block, loop or filter; undefined at a template's top level, where all is shared. */
  readonly locals: Map<string, Value> | undefined;
  readonly outer: Frame | undefined;
  /** Set when `extends` ran: from then on the template's own text is not shown. */
  parent: Template | undefined;
  /** Set where text becomes a value: it is wanted also after `extends`. */
  readonly isCaptured: boolean;
  /** The block being rendered, and which version of it. */
  readonly block: { name: string; version: number } | undefined;
}

/** A new place for names inside `outer`, or at the top of a template or block. */
export function makeFrame(
  chain: Chain,
  template: string,
  locals: Map<string, Value> | undefined,
  outer: Frame | undefined,
  block: Frame["block"],
  isCaptured = outer?.isCaptured ?? false,
): Frame {
  const { run } = chain;
  const frame: Frame = {
    chain,
    template,
    locals,
    outer,
    block,
    isCaptured,
    parent: undefined,
    lookUp: (name) => lookUp(frame, name),
    spend: (steps, line) => {
      run.steps += steps;
      if (run.steps <= run.limits.steps) return;
      throw new TemplateError(
        "this template does too much: is there a loop without end?",
        template,
        line,
      );
    },
  };
  return frame;
}

function lookUp(frame: Frame, name: string): Value {
  const { chain } = frame;
  chain.run.reads.add(name);
  for (let at: Frame | undefined = frame; at; at = at.outer) {
    const value = at.locals?.get(name);
    if (value !== undefined) return value;
  }
  const shared = chain.vars.get(name) ?? (chain.vars.has(name) ? null : undefined);
  if (shared !== undefined) return shared;
  if (chain.globals.has(name)) return chain.globals.get(name) ?? null;
  if (name === "super" && frame.block) return superOf(frame);
  if (name === "self") return selfOf(frame);
  if (name === "range") return RANGE;
  return new Undefined(name);
}

/** The outermost frame of a template or block: it knows whether `extends` ran. */
export const topOf = (frame: Frame): Frame => {
  let top = frame;
  while (top.outer) top = top.outer;
  return top;
};

function superOf(frame: Frame): Value {
  const { name, version } = frame.block ?? { name: "", version: 0 };
  return new Callable("super", () => called(frame, name, version + 1));
}

function selfOf(frame: Frame): Value {
  return new Map<Value, Value>(
    [...frame.chain.blocks.keys()].map((name) => [
      name,
      new Callable(name, () => called(frame, name, 0)),
    ]),
  );
}

function called(frame: Frame, name: string, version: number): string {
  const { run, renderVersion } = frame.chain;
  const rendered = apart(run, () => renderVersion(frame, name, version, 1));
  if (run.origins) run.origins.called = rendered;
  return rendered.text;
}

const RANGE = new Callable("range", (args) => {
  const [a = 0, b] = args.map((value) => {
    if (value instanceof Undefined) throw new Error(`${value.hint} is undefined`);
    return Number(value);
  });
  const [from, to] = b === undefined ? [0, a] : [a, b];
  if (!(to - from <= 10_000)) throw new Error("range is limited to 10000 items");
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
});
