import type { Expression, Template } from "./ast.ts";

const known = new WeakMap<object, readonly string[]>();

/** The variables that an expression asks for, each once, in the order in which they stand. */
export function namesIn(expression: Expression): readonly string[] {
  const found = known.get(expression) ?? [...new Set(walk(expression))];
  known.set(expression, found);
  return found;
}

/** All variables that a template asks for anywhere, also where this rendering did not come along. */
export function namesOfTemplate(template: Template): readonly string[] {
  const found = known.get(template) ?? [
    ...new Set([
      ...walk(template.body),
      ...[...template.blocks.values()].flatMap(({ body }) => [...walk(body)]),
    ]),
  ];
  known.set(template, found);
  return found;
}

/** The tree is plain data: whatever has `kind: "name"` is one. */
function* walk(node: unknown): Generator<string> {
  if (typeof node !== "object" || node === null) return;
  const { kind, name } = node as { kind?: unknown; name?: unknown };
  if (kind === "name" && typeof name === "string") yield name;
  for (const inner of Array.isArray(node) ? (node as unknown[]) : Object.values(node)) {
    yield* walk(inner);
  }
}
