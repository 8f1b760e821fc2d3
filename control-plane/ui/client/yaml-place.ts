/** A key or an item of a text that is being written, and so may not be YAML yet. */
export interface YamlEntry {
  readonly isItem: boolean;
  /** Empty for an item. */
  readonly key: string;
  /** What stands on the key's own line, without quotes. */
  value: string;
  /** From 0. */
  readonly column: number;
  readonly children: YamlEntry[];
}

export interface YamlPlace {
  /** From the document down to what is being written: the entry whose key or value it is. */
  readonly path: YamlEntry[];
  /** The word before the cursor. */
  readonly word: string;
  /** What stands before it on the same line, as part of the same value. */
  readonly prefix: string;
  /** A key or a value can be meant, or either. */
  readonly may: "key" | "word" | "both";
}

/** Stands for the word at the cursor. */
const MARK = "\u0001";
const KEY = /^("[^"]*"|'[^']*'|[^\s:#[\]{},"'&*!|>%@`-][^:#]*?|-[^\s:]+?)\s*:(?:\s+(.*))?$/;

/**
 * Where in a YAML text the cursor is, `line` and `column` from 0: by indentation, and by brackets within a line, as a text that is
 * being written is none that a parser takes. Undefined in a comment, in a block of text (`|`), or after a finished value.
 */
export function yamlPlace(
  lines: readonly string[],
  line: number,
  column: number,
): YamlPlace | undefined {
  const before = (lines[line] ?? "").slice(0, column);
  const word = /[^\s,:[\]{}"']*$/.exec(before)?.[0] ?? "";
  const marked = [...lines];
  marked[line] = before.slice(0, before.length - word.length) + MARK;
  return find(readEntries(marked), word);
}

function find(root: YamlEntry, word: string, path: YamlEntry[] = []): YamlPlace | undefined {
  const here = [...path, root];
  if (root.value.endsWith(MARK)) {
    const prefix = root.value.slice(0, -1);
    const may = root.isItem && prefix === "" ? "both" : "word";
    return { path: here, word, prefix, may };
  }
  for (const child of root.children) {
    if (child.key === MARK) return { path: without(here, child), word, prefix: "", may: "key" };
    const found = find(child, word, here);
    if (found) return found;
  }
  return undefined;
}

/** The mark is no key that is there already. */
function without(path: readonly YamlEntry[], mark: YamlEntry): YamlEntry[] {
  const last = path.at(-1);
  if (!last) return [];
  const children = last.children.filter((child) => child !== mark);
  return [...path.slice(0, -1), { ...last, children }];
}

const entry = (column: number, key?: string, value = ""): YamlEntry => ({
  ...{ isItem: key === undefined, key: key ?? "", value, column, children: [] },
});

/** All keys and items of a text as a tree. */
function readEntries(lines: readonly string[]): YamlEntry {
  const root = entry(-1, "");
  const stack = [root];
  let blockAbove: number | undefined;
  for (const text of lines) {
    const indent = text.search(/[^ ]/);
    if (indent === -1) continue;
    if (blockAbove !== undefined && indent > blockAbove) continue;
    blockAbove = undefined;
    if (text[indent] === "#" || /^(---|\.\.\.)/.test(text)) continue;
    const last = readLine(text, indent, stack);
    if (last && /^[|>][-+0-9]*$/.test(last.value)) blockAbove = last.column;
  }
  return root;
}

function readLine(text: string, indent: number, stack: YamlEntry[]): YamlEntry | undefined {
  let column = indent;
  let rest = text.slice(indent);
  let last: YamlEntry | undefined;
  const put = (one: YamlEntry) => {
    while (!isParent(stack.at(-1), one)) stack.pop();
    stack.at(-1)?.children.push(one);
    stack.push(one);
    last = one;
  };
  for (let dash = /^-(\s+|$)/.exec(rest); dash; dash = /^-(\s+|$)/.exec(rest)) {
    put(entry(column));
    column += dash[0].length;
    rest = rest.slice(dash[0].length);
  }
  const [, key, value = ""] = KEY.exec(rest) ?? [];
  if (key !== undefined) put(entry(column, unquoted(key)));
  else if (rest === MARK && !last) put(entry(column, MARK));
  const text_ = key === undefined ? rest : value;
  if (last && text_ !== "") readValue(last, text_);
  return last;
}

function isParent(above: YamlEntry | undefined, { isItem, column }: YamlEntry): boolean {
  if (!above || above.column < 0) return true;
  return isItem && !above.isItem ? above.column <= column : above.column < column;
}

/** A plain value, or what stands in brackets; brackets may still be open. */
function readValue(owner: YamlEntry, text: string): void {
  const start = text.replace(/^[&!]\S+\s+/, "");
  if (start[0] !== "{" && start[0] !== "[") {
    owner.value = unquoted(start.replace(/\s+#.*$/, "").trim());
    return;
  }
  const open: { at: YamlEntry; isList: boolean }[] = [];
  let target = owner;
  for (const [token] of start.matchAll(/[{}[\],]|"(?:[^"\\]|\\.)*"?|'[^']*'?|[^{}[\],"']+/g)) {
    const inside = open.at(-1);
    if (token === "{" || token === "[") {
      if (inside?.isList) target = child(inside.at);
      open.push({ at: target, isList: token === "[" });
    } else if (token === "}" || token === "]") {
      open.pop();
      if (open.length === 0) return;
    } else if (token !== "," && inside) {
      target = inside.isList ? listItem(inside.at, token) : pair(inside.at, token, target);
    }
  }
}

function child(of: YamlEntry, key?: string): YamlEntry {
  const made = entry(of.column, key);
  of.children.push(made);
  return made;
}

function listItem(at: YamlEntry, token: string): YamlEntry {
  if (token.trim() === "") return at;
  const item = child(at);
  item.value = unquoted(token.trim());
  return item;
}

/** `key: value`, `key:` before a bracket or a quoted value, or the value in quotes itself. */
function pair(at: YamlEntry, token: string, target: YamlEntry): YamlEntry {
  const text = token.trim();
  if (text === "") return target;
  const colon = text.search(/:(\s|$)/);
  if (colon > 0) {
    const made = child(at, unquoted(text.slice(0, colon).trim()));
    made.value = unquoted(text.slice(colon + 1).trim());
    return made;
  }
  if (target !== at && target.value === "" && /^["']/.test(text)) {
    target.value = unquoted(text);
    return target;
  }
  return child(at, unquoted(text));
}

const unquoted = (text: string): string => text.replace(/^(["'])(.*)\1$/, "$2");
