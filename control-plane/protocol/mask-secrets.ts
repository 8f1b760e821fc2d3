import { LEAST_SECRET_CHARS, secretForms } from "./secret-forms.ts";

const MASK = "[MASKED]";
const HEAD_CHARS = LEAST_SECRET_CHARS;
/** With so many beginnings each is not looked for by itself any more. */
const MANY_HEADS = 48;
/** A line that ends within a secret is masked from so much of it on; less tells little, and often is another word. */
const TELLING_CHARS = 6;
/** What a terminal writes between two columns when it wraps a line, and what means nothing. */
const WRAPPED = / ?\r|\0/g;
const MAY_BE_WRAPPED = /[\r\0]/;

export interface Masking {
  /** A text by itself. */
  readonly text: (text: string) => string;
  /** The same for all texts within a value, names included. */
  readonly deep: (value: unknown) => unknown;
  /**
   * The next line of a stream (a console): a secret may have begun in the line before, when the terminal was too narrow for it.
   * Of that at most the first few characters are to be seen.
   */
  readonly line: (stream: string, text: string) => string;
  /** The same for lines that came together. */
  readonly lines: (stream: string, texts: readonly string[]) => readonly string[];
}

const UNMASKED: Masking = {
  text: (text) => text,
  deep: (value) => value,
  line: (_, text) => text,
  lines: (_, texts) => texts,
};

/** Replaces secrets, in every form that gives them away, by `[MASKED]`. Costs nothing without secrets. */
export function makeMasking(secrets: readonly string[]): Masking {
  const forms = new Set(secrets.flatMap((secret) => [...secretForms(secret)]));
  const find = finder(forms);
  const mayBegin = beginnings(forms);
  if (!find) return UNMASKED;
  const tails = new Map<string, string>();
  const text = (value: string): string =>
    value.length < HEAD_CHARS ? value : cut(value, find(value).whole);
  const deep = (value: unknown): unknown => {
    if (typeof value === "string") return text(value);
    if (Array.isArray(value)) return value.map(deep);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [text(key), deep(inner)]),
    );
  };
  /** Nearly always, and there are many lines: nothing begins in them, nor where one goes over into the next. */
  const isClean = (stream: string, all: string): boolean => {
    if (mayBegin.test(all)) return false;
    tails.set(stream, all.slice(1 - HEAD_CHARS));
    return true;
  };
  const line = (stream: string, shown: string): string => {
    const before = tails.get(stream) ?? "";
    const isWrapped = shown.includes("\r") || shown.includes("\0");
    const all = before + (isWrapped ? shown.replace(WRAPPED, "") : shown);
    if (isClean(stream, all)) return shown;
    const { whole, begun, tail } = find(all);
    tails.set(stream, all.slice(tail));
    if (whole.length === 0 && begun.length === 0) return shown;
    const places = [...whole, ...begun]
      .map(([from, to]): Place => [from - before.length, to - before.length])
      .filter(([, to]) => to > 0)
      .map(([from, to]): Place => [Math.max(0, from), to]);
    return cut(shown, isWrapped ? places.map(shownPlace(shown)) : places);
  };
  const lines = (stream: string, texts: readonly string[]): readonly string[] => {
    const all = (tails.get(stream) ?? "") + texts.join("");
    if (!MAY_BE_WRAPPED.test(all) && isClean(stream, all)) return texts;
    return texts.map((one) => line(stream, one));
  };
  return { text, deep, line, lines };
}

/** From an offset to before another one. */
type Place = readonly [from: number, to: number];

interface Found {
  whole: Place[];
  /** What has begun at the end of the text and may go on, as far as it tells something. */
  begun: Place[];
  /** From here on the text may be the beginning of a secret. */
  tail: number;
}

/** Finds where any of them may begin: of all ways to look for many texts the quickest. */
function beginnings(forms: ReadonlySet<string>): RegExp {
  const heads = new Set([...forms].map((form) => form.slice(0, HEAD_CHARS)));
  const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return new RegExp([...heads].map(literal).join("|"));
}

/** Undefined when there is nothing to be found. */
function finder(forms: ReadonlySet<string>): ((text: string) => Found) | undefined {
  const byHead = new Map<string, string[]>();
  for (const form of forms) {
    const head = form.slice(0, HEAD_CHARS);
    byHead.set(head, [...(byHead.get(head) ?? []), form]);
  }
  if (byHead.size === 0) return undefined;
  const heads = [...byHead];
  return (text) => {
    const found: Found = { whole: [], begun: [], tail: Math.max(0, text.length - HEAD_CHARS + 1) };
    if (heads.length > MANY_HEADS) {
      for (let at = 0; at + HEAD_CHARS <= text.length; at++) {
        const some = byHead.get(text.slice(at, at + HEAD_CHARS));
        if (some) look(text, at, some, found);
      }
      return found;
    }
    for (const [head, some] of heads) {
      for (let at = text.indexOf(head); at >= 0; at = text.indexOf(head, at + 1)) {
        look(text, at, some, found);
      }
    }
    return found;
  };
}

function look(text: string, at: number, forms: readonly string[], found: Found): void {
  for (const form of forms) {
    if (text.startsWith(form, at)) {
      found.whole.push([at, at + form.length]);
      continue;
    }
    const left = text.length - at;
    if (left >= form.length || !form.startsWith(text.slice(at))) continue;
    found.tail = Math.min(found.tail, at);
    const telling = Math.min(TELLING_CHARS, Math.ceil(form.length / 2));
    if (left >= telling) found.begun.push([at, text.length]);
  }
}

/** The text with a mask in place of each place, of those that touch one. */
function cut(text: string, places: readonly Place[]): string {
  if (places.length === 0) return text;
  let masked = "";
  let end = -1;
  for (const [from, to] of places.toSorted((a, b) => a[0] - b[0])) {
    if (from > end) masked += text.slice(Math.max(end, 0), from) + MASK;
    end = Math.max(end, to);
  }
  return masked + text.slice(end);
}

/** From places in the text without what wraps it to places in the text as it is shown. */
function shownPlace(shown: string): (place: Place) => Place {
  const places: number[] = [];
  let last = 0;
  for (const { 0: wrap, index } of shown.matchAll(WRAPPED)) {
    for (; last < index; last++) places.push(last);
    last = index + wrap.length;
  }
  for (; last < shown.length; last++) places.push(last);
  return ([from, to]) => [places[from] ?? shown.length, (places[to - 1] ?? shown.length) + 1];
}
