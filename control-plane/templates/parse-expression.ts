import type { Arguments, Expression, Filter } from "./ast.ts";
import type { Token } from "./lexer.ts";
import { TemplateError } from "./template-error.ts";

/** Deeper nesting than any template has; a hostile one would end our stack. */
const MAX_DEPTH = 100;
const CONSTANTS = new Map<string, null | boolean>([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
]);

/** Reads the expressions of one tag, in the order of Jinja2's grammar. */
export class ExpressionParser {
  readonly #tokens: readonly Token[];
  readonly #template: string;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], template: string) {
    this.#tokens = tokens;
    this.#template = template;
  }

  get line(): number {
    return this.peek().line;
  }

  peek(ahead = 0): Token {
    const last = this.#tokens.at(-1);
    const token = this.#tokens[this.#at + ahead] ?? last;
    if (!token) throw new TemplateError("an empty tag", this.#template, 1);
    return token;
  }

  next(): Token {
    const token = this.peek();
    this.#at += 1;
    return token;
  }

  /** Takes the next token when it is this word or operator. */
  takes(kind: "name" | "operator", value: string): boolean {
    const token = this.peek();
    if (token.kind !== kind || token.value !== value) return false;
    this.#at += 1;
    return true;
  }

  expect(kind: "name" | "operator", value?: string): Token {
    const token = this.peek();
    if (token.kind !== kind || (value !== undefined && token.value !== value)) {
      this.fail(`expected ${value ?? `a ${kind}`}, found ${this.#shown(token)}`);
    }
    return this.next();
  }

  end(): void {
    const token = this.peek();
    if (token.kind !== "end") this.fail(`expected the end of the tag, found ${this.#shown(token)}`);
  }

  fail(message: string): never {
    throw new TemplateError(message, this.#template, this.line);
  }

  /** An expression; `a, b` is a tuple when `tuple` is set. */
  expression(tuple = false): Expression {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.fail(`expressions are nested more than ${MAX_DEPTH} deep`);
    const first = this.#condition();
    this.#depth -= 1;
    if (!tuple || !this.#isOperator(",")) return first;
    const items = [first];
    while (this.takes("operator", ",")) {
      const { kind, value } = this.peek();
      if (kind === "end" || (kind === "operator" && ")]}".includes(value))) break;
      items.push(this.expression());
    }
    return { kind: "tuple", items, line: first.line };
  }

  /** What a loop runs over: an `if` behind it is the loop's. */
  withoutCondition(): Expression {
    return this.#nested(() => this.#or());
  }

  /** `|name(args)` once or more, as after `filter` and `set`. */
  filters(): Filter[] {
    const filters: Filter[] = [];
    do {
      const { value: name, line } = this.expect("name");
      filters.push({ name, args: this.#isOperator("(") ? this.#arguments() : NONE, line });
    } while (this.takes("operator", "|"));
    return filters;
  }

  #condition(): Expression {
    let value = this.#or();
    while (this.takes("name", "if")) {
      const test = this.#or();
      const otherwise = this.takes("name", "else") ? this.#condition() : undefined;
      value = { kind: "condition", test, value, otherwise, line: value.line };
    }
    return value;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.takes("name", "or"))
      left = { kind: "or", left, right: this.#and(), line: left.line };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.takes("name", "and"))
      left = { kind: "and", left, right: this.#not(), line: left.line };
    return left;
  }

  #not(): Expression {
    const { line } = this;
    if (this.takes("name", "not"))
      return { kind: "not", operand: this.#nested(() => this.#not()), line };
    return this.#compare();
  }

  #compare(): Expression {
    const first = this.#sum();
    const rest: { operator: string; operand: Expression }[] = [];
    for (;;) {
      const { kind, value } = this.peek();
      const isNotIn = kind === "name" && value === "not" && this.peek(1).value === "in";
      if (kind === "operator" && ["==", "!=", "<", "<=", ">", ">="].includes(value)) this.next();
      else if (kind === "name" && value === "in") this.next();
      else if (isNotIn) this.#at += 2;
      else break;
      rest.push({ operator: isNotIn ? "not in" : value, operand: this.#sum() });
    }
    return rest.length === 0 ? first : { kind: "compare", first, rest, line: first.line };
  }

  #sum(): Expression {
    return this.#binary(["+", "-"], () => this.#binary(["~"], () => this.#product()));
  }

  #product(): Expression {
    return this.#binary(["*", "/", "//", "%"], () => this.#binary(["**"], () => this.#unary(true)));
  }

  #binary(operators: readonly string[], operand: () => Expression): Expression {
    let left = operand();
    for (;;) {
      const { kind, value: operator } = this.peek();
      if (kind !== "operator" || !operators.includes(operator)) return left;
      this.next();
      left = { kind: "binary", operator, left, right: operand(), line: left.line };
    }
  }

  #unary(withFilters: boolean): Expression {
    const { line } = this;
    let value: Expression;
    if (this.takes("operator", "-")) {
      value = { kind: "negative", operand: this.#nested(() => this.#unary(false)), line };
    } else if (this.takes("operator", "+")) {
      value = { kind: "positive", operand: this.#nested(() => this.#unary(false)), line };
    } else value = this.#postfix(this.#primary());
    return withFilters ? this.#filtered(value) : value;
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.fail(`expressions are nested more than ${MAX_DEPTH} deep`);
    const value = read();
    this.#depth -= 1;
    return value;
  }

  #primary(): Expression {
    const token = this.next();
    const { line } = token;
    switch (token.kind) {
      case "name": {
        const constant = CONSTANTS.get(token.value);
        return constant === undefined
          ? { kind: "name", name: token.value, line }
          : { kind: "constant", value: constant, line };
      }
      case "text": {
        let value = token.value;
        while (this.peek().kind === "text") value += this.next().value;
        return { kind: "constant", value, line };
      }
      case "int":
        return { kind: "constant", value: this.#int(token), line };
      case "float":
        return { kind: "float", value: Number(token.value), line };
      case "operator":
        if (token.value === "(") return this.#parenthesis(line);
        if (token.value === "[") return { kind: "list", items: this.#items("]"), line };
        if (token.value === "{") return this.#dict(line);
        break;
      case "end":
    }
    this.#at -= 1;
    return this.fail(`expected a value, found ${this.#shown(token)}`);
  }

  #int({ value }: Token): number {
    const number = Number(value);
    if (/^0\d/.test(value) && number !== 0)
      this.fail(`${value} is no number: remove the leading 0`);
    if (!Number.isSafeInteger(number)) this.fail(`the number ${value} is too large`);
    return number;
  }

  #parenthesis(line: number): Expression {
    if (this.takes("operator", ")")) return { kind: "tuple", items: [], line };
    const inside = this.expression(true);
    this.expect("operator", ")");
    return inside;
  }

  #items(closing: string): Expression[] {
    const items: Expression[] = [];
    while (!this.takes("operator", closing)) {
      if (items.length > 0) {
        this.expect("operator", ",");
        if (this.takes("operator", closing)) break;
      }
      items.push(this.expression());
    }
    return items;
  }

  #dict(line: number): Expression {
    const entries: [Expression, Expression][] = [];
    while (!this.takes("operator", "}")) {
      if (entries.length > 0) {
        this.expect("operator", ",");
        if (this.takes("operator", "}")) break;
      }
      const key = this.expression();
      this.expect("operator", ":");
      entries.push([key, this.expression()]);
    }
    return { kind: "dict", entries, line };
  }

  #postfix(start: Expression): Expression {
    let of = start;
    for (;;) {
      const { line } = this;
      if (this.takes("operator", ".")) {
        const token = this.next();
        if (token.kind === "name") of = { kind: "attribute", of, name: token.value, line };
        else if (token.kind === "int") {
          const key: Expression = { kind: "constant", value: this.#int(token), line };
          of = { kind: "item", of, key, line };
        } else this.fail(`expected a name after the dot, found ${this.#shown(token)}`);
      } else if (this.takes("operator", "[")) of = this.#subscript(of, line);
      else if (this.#isOperator("("))
        of = { kind: "call", callee: of, args: this.#arguments(), line };
      else return of;
    }
  }

  #subscript(of: Expression, line: number): Expression {
    const from = this.#isOperator(":") ? undefined : this.expression(true);
    if (!this.takes("operator", ":")) {
      this.expect("operator", "]");
      return { kind: "item", of, key: from ?? this.fail("expected a key"), line };
    }
    const to = this.#isOperator("]") ? undefined : this.expression();
    this.expect("operator", "]");
    return { kind: "slice", of, from, to, line };
  }

  #filtered(start: Expression): Expression {
    let input = start;
    for (;;) {
      const { line } = this;
      if (this.takes("operator", "|")) {
        const { value: name } = this.expect("name");
        const args = this.#isOperator("(") ? this.#arguments() : NONE;
        input = { kind: "filter", input, name, args, line };
      } else if (this.takes("name", "is")) {
        const negated = this.takes("name", "not");
        const { value: name } = this.expect("name");
        const test: Expression = { kind: "test", input, name, args: this.#testArguments(), line };
        input = negated ? { kind: "not", operand: test, line } : test;
      } else return input;
    }
  }

  /** A test takes its argument with or without parentheses: `is sameas true`. */
  #testArguments(): Expression[] {
    const { kind, value } = this.peek();
    if (kind === "operator" && value === "(") return [...this.#arguments().positional];
    const isName =
      kind === "name" && !["else", "or", "and", "if", "is", "in", "not"].includes(value);
    const isValue =
      ["text", "int", "float"].includes(kind) || (kind === "operator" && "[{".includes(value));
    return isName || isValue ? [this.#postfix(this.#primary())] : [];
  }

  #arguments(): Arguments {
    this.expect("operator", "(");
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    while (!this.takes("operator", ")")) {
      if (positional.length + named.length > 0) {
        this.expect("operator", ",");
        if (this.takes("operator", ")")) break;
      }
      if (
        this.peek().kind === "name" &&
        this.peek(1).kind === "operator" &&
        this.peek(1).value === "="
      ) {
        const name = this.next().value;
        this.next();
        named.push([name, this.expression()]);
      } else positional.push(this.expression());
    }
    return { positional, named };
  }

  #isOperator(value: string): boolean {
    const token = this.peek();
    return token.kind === "operator" && token.value === value;
  }

  #shown({ kind, value }: Token): string {
    return kind === "end" ? "the end of the tag" : JSON.stringify(value);
  }
}

const NONE: Arguments = { positional: [], named: [] };
