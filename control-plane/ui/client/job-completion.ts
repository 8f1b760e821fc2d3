import {
  insertCompletionText,
  type Completion,
  type CompletionSource,
} from "@codemirror/autocomplete";
import type { EditorView } from "@codemirror/view";
import { ask } from "./console-api.ts";
import type { Explained } from "./job-editor.ts";
import { explanation, proposals, type JobWords, type Proposal } from "./job-words.ts";
import { shellProposals } from "./shell-words.ts";
import { yamlPlace, type YamlPlace } from "./yaml-place.ts";

/** What the job's schema, the test shell and the lab know, at the cursor. */
export function jobCompletion(wordsUrl: string): CompletionSource {
  const words = wordsAt(wordsUrl);
  return async ({ state, pos, explicit }) => {
    const line = state.doc.lineAt(pos);
    const place = yamlPlace(state.doc.toString().split("\n"), line.number - 1, pos - line.from);
    if (!place || (place.word === "" && !explicit && !follows(line.text, pos - line.from))) {
      return null;
    }
    const from = pos - place.word.length;
    const found = await proposalsAt(await words(), place);
    const isAlone = /^[\s-]*$/.test(line.text.slice(0, from - line.from));
    const options = found.map((one, index) => ({
      ...optionOf(one, isAlone),
      // As the schema has them, what matters first.
      sortText: String(index).padStart(3, "0"),
    }));
    return options.length > 0 ? { from, options, validFor: /^[\w./-]*$/ } : null;
  };
}

/** What the key at an offset is good for. */
export function jobExplanation(wordsUrl: string) {
  const words = wordsAt(wordsUrl);
  return async (text: string, offset: number): Promise<Explained | undefined> => {
    const before = text.slice(0, offset);
    const from = offset - (/[\w-]*$/.exec(before)?.[0].length ?? 0);
    const key = /^[\w-]+/.exec(text.slice(from))?.[0];
    const to = from + (key?.length ?? 0);
    if (key === undefined || !/^\s*:/.test(text.slice(to))) return undefined;
    const line = before.split("\n").length - 1;
    const place = yamlPlace(text.split("\n"), line, from - (before.lastIndexOf("\n") + 1));
    if (!place) return undefined;
    const entry = { isItem: false, key, value: "", column: 0, children: [] };
    const found = explanation(await words(), [...place.path, entry]);
    return found === undefined ? undefined : { from, to, text: found };
  };
}

/** Fetched when first needed; asked for again after a failure. */
function wordsAt(url: string): () => Promise<JobWords> {
  let words: Promise<JobWords> | undefined;
  return () =>
    (words ??= fetch(url)
      .then((answer) => answer.json() as Promise<JobWords>)
      .catch((error: unknown) => {
        words = undefined;
        throw error;
      }));
}

/** Right behind `key: ` or an item's dash something is proposed without being asked for. */
const follows = (line: string, column: number): boolean =>
  /(:|^\s*-|[[{,]) $/.test(line.slice(0, column));

async function proposalsAt(words: JobWords, place: YamlPlace): Promise<Proposal[]> {
  const { path, prefix, may } = place;
  const keys = path.map(({ isItem, key }) => (isItem ? "[]" : key));
  if (keys.slice(-3).join(".") === "run.steps.[]") return shellProposals(prefix);
  if (prefix !== "") return [];
  const own = proposals(words, path).filter(
    ({ kind }) => may === "both" || (may === "word") === (kind === "word"),
  );
  const names = may === "key" ? [] : await namesOf(keys.filter((key) => key !== "[]").at(-1) ?? "");
  return [...names.map((label): Proposal => ({ label, kind: "word" })), ...own];
}

/** Keys whose values are names of things of this lab, and where those are told. */
const LISTS: Readonly<Record<string, { path: string; list: string; name: string }>> = {
  device_type: { path: "/device-types?limit=200", list: "device_types", name: "name" },
  device: { path: "/devices?limit=200", list: "devices", name: "hostname" },
  worker: { path: "/workers?limit=200", list: "workers", name: "name" },
  tags: { path: "/tags", list: "tags", name: "name" },
};
const lists = new Map<string, Promise<string[]>>();

function namesOf(key: string): Promise<string[]> {
  const source = Object.hasOwn(LISTS, key) ? LISTS[key] : undefined;
  if (!source) return Promise.resolve([]);
  const known = lists.get(key) ?? readNames(source).catch(() => []);
  lists.set(key, known);
  return known;
}

async function readNames({ path, list, name }: (typeof LISTS)[string]): Promise<string[]> {
  const answer = await ask<Record<string, unknown>>("GET", path);
  const items = Array.isArray(answer[list]) ? (answer[list] as Record<string, unknown>[]) : [];
  return items.map((item) => String(item[name]));
}

/** In a line of its own a key is followed by what belongs there; in brackets by a space. */
function optionOf({ label, info, kind }: Proposal, isAlone: boolean): Completion {
  const option = { label, type: kind === "word" ? "word" : "key", ...(info ? { info } : {}) };
  if (kind === "word") return option;
  return {
    ...option,
    apply(view: EditorView, _: Completion, from: number, to: number) {
      const line = view.state.doc.lineAt(from);
      const isThere = view.state.sliceDoc(to, line.to).trimStart().startsWith(":");
      const indent = " ".repeat(from - line.from + 2);
      const behind = kind === "key" || !isAlone ? " " : `\n${indent}${kind === "list" ? "- " : ""}`;
      const text = isThere ? label : `${label}:${behind}`;
      view.dispatch(insertCompletionText(view.state, text, from, to));
    },
  };
}
