import { equals, Float, itemsOf, numberOf, repr, str, Undefined, type Value } from "./value.ts";

/** Python's arithmetic; + also joins texts and lists. Throws Error for what has no meaning. */
export function operate(operator: string, left: Value, right: Value): Value {
  if (operator === "~") return str(left) + str(right);
  refuseUndefined(left, right);
  if (operator === "+") {
    if (typeof left === "string" && typeof right === "string") return left + right;
    if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
  }
  if (operator === "*" && typeof left === "string" && typeof right === "number") {
    if (left.length * right > 100_000) throw new Error("the text would become too long");
    return left.repeat(Math.max(0, right));
  }
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a === undefined || b === undefined) {
    throw new Error(`${repr(left)} ${operator} ${repr(right)} has no meaning`);
  }
  const isFloat = left instanceof Float || right instanceof Float || operator === "/";
  const result = arithmetic(operator, a, b);
  if (isFloat) return new Float(result);
  if (!Number.isSafeInteger(result)) throw new Error(`${a} ${operator} ${b} is too large a number`);
  return result;
}

function refuseUndefined(...values: Value[]): void {
  for (const value of values) {
    if (value instanceof Undefined) throw new Error(`${value.hint} is undefined`);
  }
}

function arithmetic(operator: string, a: number, b: number): number {
  if (["/", "//", "%"].includes(operator) && b === 0) throw new Error("division by zero");
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return a / b;
    case "//":
      return Math.floor(a / b);
    case "%":
      // Python's remainder has the sign of the divisor.
      return ((a % b) + b) % b;
    case "**":
      return a ** b;
    default:
      throw new Error(`there is no operator ${operator}`);
  }
}

/** `==`, `in`, `<` and the like. Throws Error for values that have no order. */
export function compareValues(operator: string, left: Value, right: Value): boolean {
  switch (operator) {
    case "==":
      return equals(left, right);
    case "!=":
      return !equals(left, right);
    case "in":
      return contains(right, left);
    case "not in":
      return !contains(right, left);
    default:
      return ordered(operator, left, right);
  }
}

function contains(whole: Value, part: Value): boolean {
  if (typeof whole === "string") {
    if (typeof part !== "string") throw new Error(`${repr(part)} can't be in a text`);
    return whole.includes(part);
  }
  const items = itemsOf(whole);
  if (!items) throw new Error(`${repr(whole)} has nothing in it`);
  return items.some((item) => equals(item, part));
}

function ordered(operator: string, left: Value, right: Value): boolean {
  const [a, b] =
    typeof left === "string" && typeof right === "string"
      ? [left, right]
      : [numberOf(left), numberOf(right)];
  if (a === undefined || b === undefined) {
    refuseUndefined(left, right);
    throw new Error(`${repr(left)} ${operator} ${repr(right)} has no meaning`);
  }
  if (operator === "<") return a < b;
  if (operator === "<=") return a <= b;
  return operator === ">" ? a > b : a >= b;
}
