import type { Expression, Template } from "./ast.ts";

const known = new WeakMap<object, readonly string[]>();

/** The variables that an expression asks for, each once, in the order in which they stand. */
export function namesIn(expression: Expression): readonly string[] {
  const found = known.get(expression) ?? [...walk(expression)];
  known.set(expression, found);
  return found;
}

/** All variables that a template asks for anywhere, also where this rendering did not come along. */
export function namesOfTemplate(template: Template): readonly string[] {
  const found = known.get(template) ?? [
    ...walk([template.body, [...template.blocks.values()].map(({ body }) => body)]),
  ];
  known.set(template, found);
  return found;
}

/** The tree is plain data: whatever has `kind: "name"` is one. It may be deeper than our stack. */
function walk(tree: unknown): Set<string> {
  const names = new Set<string>();
  const open = [tree];
  while (open.length > 0) {
    const node = open.pop();
    if (typeof node !== "object" || node === null) continue;
    const { kind, name } = node as { kind?: unknown; name?: unknown };
    if (kind === "name" && typeof name === "string") names.add(name);
    const inner: unknown[] = Array.isArray(node) ? node : Object.values(node);
    for (let index = inner.length - 1; index >= 0; index--) open.push(inner[index]);
  }
  return names;
}
