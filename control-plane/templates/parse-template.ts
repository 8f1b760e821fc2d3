import type { Statement, Template } from "./ast.ts";
import { cut, type Piece } from "./lexer.ts";
import { ExpressionParser } from "./parse-expression.ts";
import { TemplateError } from "./template-error.ts";

const MAX_DEPTH = 50;

/**
 * Reads a template: the statements in use in LAVA's templates and dictionaries (DEVICE.md 4).
 *
 * @throws TemplateError with the line; also for a statement of Jinja2 that is not supported.
 */
export function parseTemplate(source: string, name: string): Template {
  const state: State = { name, pieces: cut(source, name), at: 0, depth: 0, blocks: new Map() };
  const { body, end } = parseBody(state, []);
  if (end) throw new TemplateError(`unexpected ${end.word}`, name, end.line);
  return { name, body, blocks: state.blocks };
}

interface State {
  readonly name: string;
  readonly pieces: readonly Piece[];
  at: number;
  depth: number;
  readonly blocks: Map<string, { body: readonly Statement[]; line: number }>;
}

interface End {
  readonly word: string;
  readonly line: number;
  readonly tag: ExpressionParser;
}

const ENDS = ["endif", "elif", "else", "endfor", "endblock", "endset", "endfilter"];

/** Statements up to a tag that ends them, one of `ends`, or to the end of the template. */
function parseBody(
  state: State,
  ends: readonly string[],
): { body: Statement[]; end: End | undefined } {
  const body: Statement[] = [];
  state.depth += 1;
  while (state.at < state.pieces.length) {
    const piece = state.pieces[state.at++];
    if (!piece) break;
    const { line } = piece;
    if (state.depth > MAX_DEPTH)
      throw new TemplateError("statements are nested too deeply", state.name, line);
    if (piece.kind === "text") {
      body.push({ kind: "text", text: piece.text, line });
      continue;
    }
    const tag = new ExpressionParser(piece.tokens, state.name);
    if (piece.kind === "output") {
      const value = tag.expression(true);
      tag.end();
      body.push({ kind: "output", value, line });
      continue;
    }
    const { value: word } = tag.expect("name");
    if (ends.includes(word)) {
      state.depth -= 1;
      return { body, end: { word, line, tag } };
    }
    if (ENDS.includes(word)) throw new TemplateError(`unexpected ${word}`, state.name, line);
    body.push(parseStatement(state, word, tag, line));
  }
  state.depth -= 1;
  return { body, end: undefined };
}

function parseStatement(
  state: State,
  word: string,
  tag: ExpressionParser,
  line: number,
): Statement {
  switch (word) {
    case "extends": {
      const parent = tag.expression();
      tag.end();
      return { kind: "extends", parent, line };
    }
    case "block":
      return parseBlock(state, tag, line);
    case "set":
      return parseSet(state, tag, line);
    case "if":
      return parseIf(state, tag, line);
    case "for":
      return parseFor(state, tag, line);
    case "filter": {
      const filters = tag.filters();
      tag.end();
      return { kind: "filter-block", filters, body: closed(state, "filter", line), line };
    }
    case "include":
      return parseInclude(tag, line);
    default:
      throw new TemplateError(`the statement ${word} is not supported`, state.name, line);
  }
}

/** The body of a statement that ends with `end<word>`. */
function closed(state: State, word: string, line: number): Statement[] {
  const { body, end } = parseBody(state, [`end${word}`]);
  if (!end)
    throw new TemplateError(`${word} is not closed: end${word} is missing`, state.name, line);
  // A block may be named again at its end.
  if (word === "block" && end.tag.peek().kind === "name") end.tag.next();
  end.tag.end();
  return body;
}

function parseBlock(state: State, tag: ExpressionParser, line: number): Statement {
  const { value: name } = tag.expect("name");
  let scoped = false;
  while (tag.peek().kind === "name") {
    const { value } = tag.next();
    if (value === "scoped") scoped = true;
    else if (value !== "required") tag.fail(`expected scoped or required, found ${value}`);
  }
  tag.end();
  if (state.blocks.has(name))
    throw new TemplateError(`block ${name} is there twice`, state.name, line);
  state.blocks.set(name, { body: [], line });
  const body = closed(state, "block", line);
  state.blocks.set(name, { body, line });
  return { kind: "block", name, scoped, body, line };
}

function parseSet(state: State, tag: ExpressionParser, line: number): Statement {
  const names = parseNames(tag);
  if (tag.takes("operator", "=")) {
    const value = tag.expression(true);
    tag.end();
    return { kind: "set", names, value, line };
  }
  const filters = tag.takes("operator", "|") ? tag.filters() : [];
  tag.end();
  const [name] = names;
  if (name === undefined || names.length > 1) tag.fail("a set block has one name");
  return { kind: "set-block", name, filters, body: closed(state, "set", line), line };
}

function parseNames(tag: ExpressionParser): string[] {
  const parenthesis = tag.takes("operator", "(");
  const names = [tag.expect("name").value];
  while (tag.takes("operator", ",")) names.push(tag.expect("name").value);
  if (parenthesis) tag.expect("operator", ")");
  if (tag.peek().value === ".") tag.fail("only plain names can be set");
  return names;
}

function parseIf(state: State, tag: ExpressionParser, line: number): Statement {
  const branches: { test: ReturnType<ExpressionParser["expression"]>; body: Statement[] }[] = [];
  let test = tag.expression(true);
  tag.end();
  for (;;) {
    const { body, end } = parseBody(state, ["elif", "else", "endif"]);
    branches.push({ test, body });
    if (!end) throw new TemplateError("if is not closed: endif is missing", state.name, line);
    if (end.word === "elif") {
      test = end.tag.expression(true);
      end.tag.end();
      continue;
    }
    end.tag.end();
    const otherwise = end.word === "else" ? closed(state, "if", line) : [];
    return { kind: "if", branches, otherwise, line };
  }
}

function parseFor(state: State, tag: ExpressionParser, line: number): Statement {
  const names = parseNames(tag);
  tag.expect("name", "in");
  const of = tag.withoutCondition();
  const when = tag.takes("name", "if") ? tag.expression() : undefined;
  if (tag.takes("name", "recursive")) tag.fail("recursive loops are not supported");
  tag.end();
  const { body, end } = parseBody(state, ["else", "endfor"]);
  if (!end) throw new TemplateError("for is not closed: endfor is missing", state.name, line);
  end.tag.end();
  const otherwise = end.word === "else" ? closed(state, "for", line) : [];
  return { kind: "for", names, of, when, body, otherwise, line };
}

function parseInclude(tag: ExpressionParser, line: number): Statement {
  const what = tag.expression();
  const ignoreMissing = tag.takes("name", "ignore") && tag.expect("name", "missing") !== undefined;
  if (tag.takes("name", "without")) tag.fail("include without context is not supported");
  if (tag.takes("name", "with")) tag.expect("name", "context");
  tag.end();
  return { kind: "include", what, ignoreMissing, line };
}
