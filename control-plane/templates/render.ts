import type { Expression, Filter, Statement, Template } from "./ast.ts";
import { applyFilter, evaluate } from "./evaluate.ts";
import {
  makeFrame,
  topOf,
  type Chain,
  type Frame,
  type Loader,
  type Overridden,
  type RenderLimits,
  type Run,
} from "./frame.ts";
import { namesIn } from "./names-in.ts";
import {
  apart,
  copyPlaces,
  makeOriginLog,
  noteFiltered,
  noteOutput,
  noteSet,
  noteText,
  type Span,
} from "./origins.ts";
import { parsedTemplate } from "./parsed-template.ts";
import { TemplateError } from "./template-error.ts";
import { fromData, isTrue, itemsOf, str, type Value } from "./value.ts";

export interface Rendered {
  readonly text: string;
  /** Templates that took part, the first one first. */
  readonly templates: readonly string[];
  /** Variables that were set, with the place of the last one. */
  readonly sets: ReadonlyMap<string, { template: string; line: number }>;
  /** Variables that were asked for, whether they were there or not. */
  readonly reads: ReadonlySet<string>;
  /** What the first template set and another set again without a look at it. */
  readonly overridden: readonly Overridden[];
  /** The trees of the templates that took part. */
  readonly parsed: ReadonlyMap<string, Template>;
  /** Where each piece of the text came from; empty when that was not asked for. */
  readonly spans: readonly Span[];
}

const LIMITS: RenderLimits = { steps: 2_000_000, outputChars: 1_000_000 };
/** Templates within templates, blocks within blocks. */
const MAX_DEPTH = 60;

/**
 * Renders a template as Python's Jinja2 does in LAVA's environment (DEVICE.md 4). `context` is outermost: what a
 * template sets wins over it (DEVICE.md 2). Reaches nothing but the loader, and ends within its limits.
 *
 * @throws TemplateError with template and line.
 */
export function render(
  name: string,
  loader: Loader,
  context: Readonly<Record<string, unknown>> = {},
  { limits = LIMITS, withOrigins = false }: { limits?: RenderLimits; withOrigins?: boolean } = {},
): Rendered {
  const run: Run = {
    loader,
    limits,
    first: name,
    overridden: [],
    origins: withOrigins ? makeOriginLog() : undefined,
    steps: 0,
    chars: 0,
    depth: 0,
    parsed: new Map(),
    sets: new Map(),
    reads: new Set(),
  };
  const globals = new Map(Object.entries(context).map(([key, value]) => [key, fromData(value)]));
  const text = withinOurStack(name, () =>
    renderChain(run, load(run, name, { template: name, line: 1 }), globals),
  );
  const { sets, reads, overridden, parsed, origins } = run;
  const spans = origins?.spans ?? [];
  return { text, spans, templates: [...parsed.keys()], sets, reads, overridden, parsed };
}

/** A text of a thousand filters or sums in a row is a tree deeper than the stack, a list in a list in a list too. */
function withinOurStack<T>(template: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TemplateError("something here is nested too deeply", template, 1, { cause: error });
  }
}

function renderChain(run: Run, first: Template, globals: ReadonlyMap<string, Value>): string {
  const chain: Chain = { run, globals, vars: new Map(), blocks: new Map(), renderVersion };
  let template = first;
  // What a template shows before its `extends` stays.
  let text = "";
  for (;;) {
    for (const [name, { body }] of template.blocks) {
      const versions = chain.blocks.get(name) ?? [];
      chain.blocks.set(name, [...versions, { template: template.name, body }]);
    }
    const frame = makeFrame(chain, template.name, undefined, undefined, undefined);
    text += renderBody(template.body, frame);
    if (!frame.parent) return text;
    template = frame.parent;
    if (++run.depth > MAX_DEPTH)
      throw new TemplateError("templates extend each other without end", template.name, 1);
  }
}

function renderBody(body: readonly Statement[], frame: Frame): string {
  let text = "";
  for (const statement of body) text += renderStatement(statement, frame);
  return text;
}

function renderStatement(statement: Statement, frame: Frame): string {
  const { line } = statement;
  frame.spend(1, line);
  switch (statement.kind) {
    case "text":
      if (isHidden(frame)) return "";
      noteText(frame, line);
      return count(frame, statement.text, line);
    case "output": {
      if (isHidden(frame)) return "";
      const value = evaluate(statement.value, frame);
      noteOutput(frame, statement.value, value);
      return count(frame, str(value), line);
    }
    case "extends": {
      if (frame.parent)
        throw new TemplateError("a template extends one other only", frame.template, line);
      const name = str(evaluate(statement.parent, frame));
      topOf(frame).parent = load(frame.chain.run, name, { template: frame.template, line });
      return "";
    }
    case "block":
      return isHidden(frame) ? "" : renderBlock(frame, statement);
    case "set":
      assign(frame, statement, evaluate(statement.value, frame));
      return "";
    case "set-block": {
      const { name, filters, body } = statement;
      const inner = makeFrame(frame.chain, frame.template, new Map(), frame, frame.block, true);
      const { text } = apart(frame.chain.run, () => renderBody(body, inner));
      setVariable(frame, name, filtered(filters, text, inner), line);
      return "";
    }
    case "if": {
      const branch = statement.branches.find(({ test }) => isTrue(evaluate(test, frame)));
      return renderBody(branch?.body ?? statement.otherwise, frame);
    }
    case "for":
      return renderLoop(statement, frame);
    case "filter-block": {
      const inner = makeFrame(frame.chain, frame.template, new Map(), frame, frame.block);
      const body = apart(frame.chain.run, () => renderBody(statement.body, inner));
      const text = str(filtered(statement.filters, body.text, inner));
      noteFiltered(frame, line, body, text);
      return count(frame, text, line);
    }
    case "include":
      return include(statement, frame);
  }
}

/** After `extends` a template's own text goes nowhere. */
const isHidden = (frame: Frame): boolean =>
  topOf(frame).parent !== undefined && !frame.block && !frame.isCaptured;

/** What is put out, within bounds. */
function count({ chain: { run }, template }: Frame, text: string, line: number): string {
  run.chars += text.length;
  if (run.chars <= run.limits.outputChars) return text;
  throw new TemplateError("the output is too long", template, line);
}

function assign(frame: Frame, statement: Statement & { kind: "set" }, value: Value): void {
  const { names, line, value: expression } = statement;
  if (names.length === 1) return setVariable(frame, names[0] ?? "", value, line, expression);
  const items = itemsOf(value) ?? [];
  if (items.length !== names.length) {
    const message = `${names.length} names are set, and there are ${items.length} values`;
    throw new TemplateError(message, frame.template, line);
  }
  for (const [index, name] of names.entries()) setVariable(frame, name, items[index] ?? null, line);
}

function setVariable(
  frame: Frame,
  name: string,
  value: Value,
  line: number,
  expression?: Expression,
): void {
  const { chain, locals, template } = frame;
  const { run } = chain;
  const before = run.sets.get(name);
  if (before?.template === run.first && template !== run.first && !locals) {
    const looks = expression && namesIn(expression).includes(name);
    if (!looks) run.overridden.push({ name, ...before, by: { template, line } });
  }
  noteSet(frame, name, value, line, expression);
  (locals ?? chain.vars).set(name, value);
  run.sets.set(name, { template, line });
}

function filtered(filters: readonly Filter[], text: string, frame: Frame): Value {
  return filters.reduce<Value>(
    (value, { name, args, line }) => applyFilter(name, value, args, frame, line),
    text,
  );
}

function renderLoop(statement: Statement & { kind: "for" }, frame: Frame): string {
  const { names, of, when, body, otherwise, line } = statement;
  const items = itemsOf(evaluate(of, frame));
  if (!items) throw new TemplateError("this can't be looped over", frame.template, line);
  const inner = (item: Value): Frame => {
    const next = makeFrame(frame.chain, frame.template, new Map(), frame, frame.block);
    const values = names.length === 1 ? [item] : (itemsOf(item) ?? []);
    if (values.length !== names.length) {
      throw new TemplateError(
        `an item has ${values.length} parts, not ${names.length}`,
        frame.template,
        line,
      );
    }
    for (const [index, name] of names.entries()) {
      const value = values[index] ?? null;
      noteSet(next, name, value, line, of);
      next.locals?.set(name, value);
    }
    return next;
  };
  const frames = items.map(inner).filter((next) => !when || isTrue(evaluate(when, next)));
  if (frames.length === 0) return renderBody(otherwise, frame);
  return frames
    .map((next, index) => {
      next.locals?.set("loop", loopVariable(index, frames.length));
      return renderBody(body, next);
    })
    .join("");
}

const loopVariable = (index: number, length: number): Value =>
  new Map<Value, Value>([
    ["index", index + 1],
    ["index0", index],
    ["revindex", length - index],
    ["revindex0", length - index - 1],
    ["first", index === 0],
    ["last", index === length - 1],
    ["length", length],
  ]);

/** The most derived version of a block, which sees what templates set, not what the block around it did. */
function renderBlock(frame: Frame, { name, scoped, line }: Statement & { kind: "block" }): string {
  return renderVersion(frame, name, 0, line, scoped ? frame : undefined);
}

function renderVersion(
  frame: Frame,
  name: string,
  version: number,
  line: number,
  outer?: Frame,
): string {
  const { chain } = frame;
  const found = chain.blocks.get(name)?.[version];
  if (!found)
    throw new TemplateError(`there is no block ${name} above this one`, frame.template, line);
  if (++chain.run.depth > MAX_DEPTH)
    throw new TemplateError("blocks are nested too deeply", frame.template, line);
  const inner = makeFrame(chain, found.template, new Map(), outer, { name, version });
  const text = renderBody(found.body, inner);
  chain.run.depth -= 1;
  return text;
}

function include(
  { what, ignoreMissing, line }: Statement & { kind: "include" },
  frame: Frame,
): string {
  const { chain } = frame;
  const { run } = chain;
  const name = str(evaluate(what, frame));
  if (ignoreMissing && safeLoad(run, name) === undefined) return "";
  const template = load(run, name, { template: frame.template, line });
  if (++run.depth > MAX_DEPTH)
    throw new TemplateError("templates include each other without end", frame.template, line);
  const visible = new Map([...chain.globals, ...chain.vars]);
  const frames: Frame[] = [];
  for (let at: Frame | undefined = frame; at; at = at.outer) frames.unshift(at);
  for (const { locals } of frames) for (const [key, value] of locals ?? []) visible.set(key, value);
  copyPlaces(frame, visible.keys(), visible);
  const before = run.chars;
  const text = renderChain(run, template, visible);
  run.chars = before;
  run.depth -= 1;
  // Shown even after `extends`, as in Jinja2.
  return count(frame, text, line);
}

/** A name is a plain file name: nothing in it leads out of the template folders. */
const isPlainName = (name: string): boolean =>
  /^[\w][\w.+-]*(\/[\w][\w.+-]*)*$/.test(name) && name.length < 200;

const safeLoad = (run: Run, name: string): string | undefined =>
  isPlainName(name) ? run.loader(name) : undefined;

function load(run: Run, name: string, from: { template: string; line: number }): Template {
  const known = run.parsed.get(name);
  if (known) return known;
  const source = safeLoad(run, name);
  if (source === undefined) {
    const why = isPlainName(name) ? "there is no such template" : "that is no name of a template";
    throw new TemplateError(`${JSON.stringify(name)}: ${why}`, from.template, from.line);
  }
  const template = parsedTemplate(source, name);
  run.parsed.set(name, template);
  return template;
}
