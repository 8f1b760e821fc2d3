/** What its reader has set of a part of the page: the server knows nothing of it. */
const READERS_OWN: ReadonlySet<string> = new Set(["open", "hidden"]);

/**
 * Makes an element what a fresh copy of it is, and leaves alone what is the same: focus, folded parts, fields that somebody fills in,
 * and the place that is scrolled to stay. Rows are known again by the first address in them.
 */
export function settle(element: Element, fresh: Element): void {
  if (element.isEqualNode(fresh)) return;
  settleAttributes(element, fresh);
  const old = keyedChildren(element, keysOf(fresh));
  let at: ChildNode | null = element.firstChild;
  for (const next of [...fresh.childNodes]) {
    const key = keyOf(next);
    const known: ChildNode | null | undefined = key === undefined ? at : old.get(key);
    if (!known || !isSameKind(known, next) || keyOf(known) !== key) {
      element.insertBefore(next, at);
      continue;
    }
    if (key !== undefined) old.delete(key);
    // What stood between is gone, or comes later and is moved then.
    if (known === at) at = at.nextSibling;
    else element.insertBefore(known, at);
    settleNode(known, next);
  }
  while (at) {
    const after: ChildNode | null = at.nextSibling;
    at.remove();
    at = after;
  }
}

const keysOf = (element: Element): Set<string | undefined> =>
  new Set([...element.childNodes].map(keyOf));

/** Those that stay, by key. The others are removed at once: what stands in its place need not be moved, which costs the focus. */
function keyedChildren(
  element: Element,
  stay: ReadonlySet<string | undefined>,
): Map<string, ChildNode> {
  const keyed = new Map<string, ChildNode>();
  for (const child of [...element.childNodes]) {
    const key = keyOf(child);
    if (key === undefined) continue;
    if (!stay.has(key) || keyed.has(key)) child.remove();
    else keyed.set(key, child);
  }
  return keyed;
}

function settleNode(node: ChildNode, fresh: ChildNode): void {
  if (node instanceof Element && fresh instanceof Element) settle(node, fresh);
  else if (node.nodeValue !== fresh.nodeValue) node.nodeValue = fresh.nodeValue;
}

function settleAttributes(element: Element, fresh: Element): void {
  for (const { name } of [...element.attributes]) {
    if (!fresh.hasAttribute(name) && !READERS_OWN.has(name)) element.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (element.getAttribute(name) !== value && !READERS_OWN.has(name)) {
      element.setAttribute(name, value);
    }
  }
}

const isSameKind = (node: Node, other: Node): boolean => node.nodeName === other.nodeName;

/** By what an element is known again; undefined: by its place. */
function keyOf(node: Node): string | undefined {
  if (!(node instanceof Element)) return undefined;
  if (node.id !== "") return `#${node.id}`;
  if (node.nodeName !== "TR") return undefined;
  return node.querySelector("a[href]")?.getAttribute("href") ?? undefined;
}
