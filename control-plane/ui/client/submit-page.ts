import { isolateHistory } from "@codemirror/commands";
import { setDiagnostics, type Diagnostic } from "@codemirror/lint";
import type { EditorView } from "@codemirror/view";
import type { SourceProblem } from "#protocol/api.ts";
import type { CheckedJob } from "#protocol/dry-run.ts";
import { ask } from "./console-api.ts";
import { dropDraft, findDraft, keepDraft, noteSubmitted } from "./draft.ts";
import { jobCompletion, jobExplanation } from "./job-completion.ts";
import { openEditor } from "./job-editor.ts";
import { diagnosticOf, showVerdict } from "./job-problems.ts";
import { get, input, showIf } from "./page-parts.ts";

/** The submit page: the text area becomes an editor that proposes and checks; a dry run comes without leaving the page. */

const MAX_FILE_BYTES = 1024 * 1024;

const { user = "", words = "", last = "", new: isNew } = get("submit").dataset;
const area = get("definition") as HTMLTextAreaElement;
const form = get("submit-form") as HTMLFormElement;
// What somebody typed before this script was there, or the browser has brought back, goes before it.
const draft = isNew === "true" && area.value === "" ? findDraft(user, last) : undefined;
const wasTyping = document.activeElement === area;
/** What the page came with, and what needs no warning when it is left. */
let unchanged = area.value;
let isLeaving = false;
let dryRuns = 0;

const editor = openEditor({
  parent: get("editor"),
  text: draft ?? area.value,
  label: "Job definition, YAML",
  complete: jobCompletion(words),
  explain: jobExplanation(words),
  check,
  onChange(text) {
    keepDraft(user, text);
    showIf("stale", get("outcome").childElementCount > 0);
  },
  onSubmit: () => form.requestSubmit(),
});
const textNow = (): string => editor.state.doc.toString();

area.hidden = true;
area.required = false;
for (const id of ["editor", "keys", "open"]) showIf(id, true);
showIf("draft", draft !== undefined);
if (wasTyping) editor.focus();
get("definition-label").addEventListener("click", () => editor.focus());
get("discard").addEventListener("click", () => {
  dropDraft(user);
  replaceText("");
  showIf("draft", false);
});
form.addEventListener("submit", (event) => {
  area.value = textNow();
  if (event.submitter?.id === "dry-run") {
    event.preventDefault();
    void dryRun();
    return;
  }
  isLeaving = true;
  noteSubmitted(user, last);
});
addEventListener("beforeunload", (event) => {
  if (!isLeaving && textNow() !== unchanged && textNow().trim() !== "") event.preventDefault();
});
// Back in the browser's history, the page is as it was left.
addEventListener("pageshow", () => (isLeaving = false));
document.addEventListener("click", (event) => {
  const link = (event.target as Element).closest<HTMLElement>("a[data-line]");
  if (!link) return;
  event.preventDefault();
  goTo(Number(link.dataset["line"]), Number(link.dataset["column"]));
});
for (const link of document.querySelectorAll<HTMLAnchorElement>(".templates a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    void startFrom(link);
  });
}
input("file").addEventListener("change", () => {
  void readFile(input("file").files?.[0]);
  input("file").value = "";
});
// What is typed in a shadow root looks from outside as if it were typed at the page, which has keys of its own.
get("editor").addEventListener("keydown", (event) => event.stopPropagation());
get("editor").addEventListener("dragover", (event) => event.preventDefault());
get("editor").addEventListener("drop", dropFile, { capture: true });

/** What a submission would find, for the editor and the list beside it. */
async function check(text: string): Promise<Diagnostic[]> {
  if (text.trim() === "") {
    showVerdict(undefined);
    return [];
  }
  try {
    const verdict = await ask<CheckedJob>("POST", "/jobs/check", new Blob([text]));
    // Another check is under way for what was typed meanwhile.
    if (text === textNow()) showVerdict(verdict);
    return diagnosticsOf(editor, verdict);
  } catch (error) {
    showVerdict(undefined, error instanceof Error ? error.message : String(error));
    return [];
  }
}

function diagnosticsOf({ state }: EditorView, { problems, warnings }: CheckedJob): Diagnostic[] {
  const of = (list: SourceProblem[], severity: "error" | "warning") =>
    list.map((problem) => diagnosticOf(state.doc, problem, severity));
  return [...of(problems, "error"), ...of(warnings, "warning")];
}

/** Puts what the server's page shows of it where it belongs on this one. */
async function dryRun(): Promise<void> {
  const outcome = get("outcome");
  const text = textNow();
  const run = ++dryRuns;
  outcome.setAttribute("aria-busy", "true");
  try {
    const body = new URLSearchParams({ definition: text, "dry-run": "yes" });
    const answer = await fetch("/submit", { method: "POST", body });
    // Another one is under way.
    if (run !== dryRuns) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector("#outcome") ?? page.querySelector("main");
    outcome.replaceChildren(...(found?.childNodes ?? []));
    showIf("stale", text !== textNow());
    outcome.querySelector<HTMLElement>("h2, h1")?.focus();
  } catch {
    if (run !== dryRuns) return;
    outcome.textContent = "The lab does not answer: try again.";
  }
  outcome.removeAttribute("aria-busy");
}

async function startFrom(link: HTMLAnchorElement): Promise<void> {
  const answer = await fetch(link.href).catch(() => undefined);
  const page = new DOMParser().parseFromString((await answer?.text()) ?? "", "text/html");
  const text = page.querySelector<HTMLTextAreaElement>("#definition")?.value;
  if (!answer?.ok || text === undefined) {
    isLeaving = true;
    location.href = link.href;
    return;
  }
  link.closest("details")?.removeAttribute("open");
  replaceText(text);
}

/** One step of the history: undone, what was there before is back. */
function replaceText(text: string): void {
  const { length } = editor.state.doc;
  editor.dispatch({
    changes: { from: 0, to: length, insert: text },
    selection: { anchor: 0 },
    annotations: isolateHistory.of("full"),
  });
  editor.dispatch(setDiagnostics(editor.state, []));
  unchanged = text;
  get("outcome").replaceChildren();
  for (const id of ["draft", "stale"]) showIf(id, false);
  editor.focus();
}

async function readFile(file: File | undefined): Promise<void> {
  if (!file) return;
  if (file.size > MAX_FILE_BYTES) {
    showVerdict(undefined, `${file.name} is too large: a definition has at most 1 MB`);
    return;
  }
  replaceText(await file.text());
}

function dropFile(event: DragEvent): void {
  const file = event.dataTransfer?.files[0];
  if (!file) return;
  event.preventDefault();
  event.stopPropagation();
  void readFile(file);
}

function goTo(line: number, column: number): void {
  const { doc } = editor.state;
  const found = doc.line(Math.min(Math.max(1, line), doc.lines));
  const anchor = Math.min(found.from + Math.max(0, column - 1), found.to);
  editor.dispatch({ selection: { anchor, head: found.to }, scrollIntoView: true });
  editor.focus();
}
