import type { Arguments, Expression } from "./ast.ts";
import { FILTERS } from "./filters.ts";
import { attributeOf, itemOf } from "./methods.ts";
import { compareValues, operate } from "./operators.ts";
import { TemplateError } from "./template-error.ts";
import {
  equals,
  Float,
  isTrue,
  itemsOf,
  numberOf,
  Callable,
  Tuple,
  Undefined,
  weigh,
  type Value,
} from "./value.ts";

/** What expressions may reach: names, and a budget that every step takes from. */
export interface Scope {
  readonly template: string;
  lookUp(name: string): Value;
  /** Throws when the template has done too much. */
  spend(steps: number, line: number): void;
}

/**
 * The value of an expression.
 *
 * @throws TemplateError with the line for what Jinja2 refuses too: arithmetic on nothing, calling what is
 * no function, an unknown filter or test.
 */
export function evaluate(expression: Expression, scope: Scope): Value {
  const { line } = expression;
  scope.spend(1, line);
  const value = (inner: Expression): Value => evaluate(inner, scope);
  switch (expression.kind) {
    case "constant":
      return expression.value;
    case "float":
      return new Float(expression.value);
    case "name":
      return scope.lookUp(expression.name);
    case "list":
      return weighed(expression.items.map(value), scope, line);
    case "tuple":
      return weighed(new Tuple(expression.items.map(value)), scope, line);
    case "dict": {
      const entries = expression.entries.map(([key, item]) => [value(key), value(item)] as const);
      return weighed(new Map(entries), scope, line);
    }
    case "attribute":
      return defined(value(expression.of), scope, line, (of) => attributeOf(of, expression.name));
    case "item":
      return defined(value(expression.of), scope, line, (of) => itemOf(of, value(expression.key)));
    case "slice":
      return slice(expression, scope);
    case "call":
      return call(value(expression.callee), expression.args, scope, line);
    case "filter":
      return applyFilter(expression.name, value(expression.input), expression.args, scope, line);
    case "test":
      return applyTest(
        expression.name,
        value(expression.input),
        expression.args.map(value),
        scope,
        line,
      );
    case "not":
      return !isTrue(value(expression.operand));
    case "negative":
      return guarded(scope, line, () => operate("*", -1, value(expression.operand)));
    case "positive":
      return value(expression.operand);
    case "and": {
      const left = value(expression.left);
      return isTrue(left) ? value(expression.right) : left;
    }
    case "or": {
      const left = value(expression.left);
      return isTrue(left) ? left : value(expression.right);
    }
    case "binary": {
      const { operator, left, right } = expression;
      const result = guarded(scope, line, () => operate(operator, value(left), value(right)));
      return weighed(result, scope, line);
    }
    case "compare":
      return compare(expression, scope);
    case "condition": {
      const { test, value: then, otherwise } = expression;
      if (isTrue(value(test))) return value(then);
      return otherwise ? value(otherwise) : new Undefined("a condition without else");
    }
  }
}

/** A filter of a tag or of an expression, by its name. */
export function applyFilter(
  name: string,
  input: Value,
  args: Arguments,
  scope: Scope,
  line: number,
): Value {
  const filter = Object.hasOwn(FILTERS, name) ? FILTERS[name] : undefined;
  if (!filter) throw new TemplateError(`there is no filter ${name}`, scope.template, line);
  const positional = args.positional.map((arg) => evaluate(arg, scope));
  const named = new Map(args.named.map(([key, arg]) => [key, evaluate(arg, scope)]));
  const result = guarded(scope, line, () => filter(input, positional, named));
  return result === input ? result : weighed(result, scope, line);
}

/** Takes from the budget what a new value would take when it is printed. */
function weighed(value: Value, scope: Scope, line: number): Value {
  scope.spend(weigh(value), line);
  return value;
}

function compare(expression: Expression & { kind: "compare" }, scope: Scope): boolean {
  let left = evaluate(expression.first, scope);
  for (const { operator, operand } of expression.rest) {
    const right = evaluate(operand, scope);
    const holds = guarded(scope, expression.line, () => compareValues(operator, left, right));
    if (!holds) return false;
    left = right;
  }
  return true;
}

function slice({ of, from, to, line }: Expression & { kind: "slice" }, scope: Scope): Value {
  const whole = evaluate(of, scope);
  const bound = (part: Expression | undefined): number | undefined => {
    const value = part ? evaluate(part, scope) : undefined;
    return value === undefined || value === null ? undefined : numberOf(value);
  };
  if (typeof whole === "string") return Array.from(whole).slice(bound(from), bound(to)).join("");
  if (Array.isArray(whole)) return whole.slice(bound(from), bound(to));
  throw new TemplateError("only a text or a list has parts", scope.template, line);
}

function call(callee: Value, args: Arguments, scope: Scope, line: number): Value {
  if (!(callee instanceof Callable)) {
    const what =
      callee instanceof Undefined ? `${callee.hint} is undefined` : "this is no function";
    throw new TemplateError(`${what}: it can't be called`, scope.template, line);
  }
  const positional = args.positional.map((arg) => evaluate(arg, scope));
  const named = new Map(args.named.map(([key, arg]) => [key, evaluate(arg, scope)]));
  return weighed(
    guarded(scope, line, () => callee.call(positional, named)),
    scope,
    line,
  );
}

function applyTest(name: string, input: Value, args: Value[], scope: Scope, line: number): boolean {
  const [other = null] = args;
  switch (name) {
    case "defined":
      return !(input instanceof Undefined);
    case "undefined":
      return input instanceof Undefined;
    case "none":
      return input === null;
    case "string":
      return typeof input === "string";
    case "number":
      return numberOf(input) !== undefined;
    case "integer":
      return typeof input === "number";
    case "boolean":
      return typeof input === "boolean";
    case "true":
      return input === true;
    case "false":
      return input === false;
    case "mapping":
      return input instanceof Map;
    case "sequence":
    case "iterable":
      return itemsOf(input) !== undefined;
    case "sameas":
      return input === other;
    case "eq":
    case "equalto":
      return equals(input, other);
    case "in":
      return guarded(scope, line, () => compareValues("in", input, other));
    default:
      throw new TemplateError(`there is no test ${name}`, scope.template, line);
  }
}

/** Nothing has no attributes and no items: Jinja2 fails there, and so do we, with the name. */
function defined(value: Value, scope: Scope, line: number, then: (value: Value) => Value): Value {
  if (!(value instanceof Undefined)) return then(value);
  throw new TemplateError(`${value.hint} is undefined`, scope.template, line);
}

/** Gives what an operation complains about its place. */
function guarded<T>(scope: Scope, line: number, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const isOurs = error instanceof TemplateError || error instanceof RangeError;
    if (isOurs || !(error instanceof Error)) throw error;
    throw new TemplateError(error.message, scope.template, line, { cause: error });
  }
}
