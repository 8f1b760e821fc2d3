import { autocompletion, type CompletionSource } from "@codemirror/autocomplete";
import { indentWithTab } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { HighlightStyle, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { linter, lintGutter, type Diagnostic } from "@codemirror/lint";
import { Prec } from "@codemirror/state";
import { EditorView, hoverTooltip, keymap } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { basicSetup } from "codemirror";

const CHECK_MS = 400;

export interface EditorOptions {
  readonly parent: HTMLElement;
  readonly text: string;
  readonly label: string;
  readonly complete: CompletionSource;
  /** What a key is good for; undefined: nothing is known of it. */
  readonly explain: (text: string, offset: number) => Promise<Explained | undefined>;
  readonly check: (text: string) => Promise<Diagnostic[]>;
  readonly onChange: (text: string) => void;
  readonly onSubmit: () => void;
}

export interface Explained {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

/**
 * An editor in a shadow root: there CodeMirror's style sheets are adopted, as our pages' policy wants it (security-headers.ts), and
 * not written as elements. Colours come through our variables, for light and dark.
 */
export function openEditor(options: EditorOptions): EditorView {
  const { parent, text, label, complete, explain, check, onChange, onSubmit } = options;
  const root = parent.attachShadow({ mode: "open" });
  const submit = () => {
    onSubmit();
    return true;
  };
  return new EditorView({
    doc: text,
    root,
    parent: root,
    extensions: [
      Prec.highest(keymap.of([{ key: "Mod-Enter", run: submit }])),
      basicSetup,
      // Esc, then Tab, leaves the editor: CodeMirror sees to that.
      keymap.of([indentWithTab]),
      yaml(),
      indentUnit.of("  "),
      syntaxHighlighting(COLOURS),
      LOOK,
      autocompletion({
        override: [complete],
        icons: false,
        activateOnCompletion: ({ type }) => type === "key",
      }),
      linter(({ state }) => check(state.doc.toString()), { delay: CHECK_MS }),
      lintGutter(),
      hoverTooltip(async ({ state }, offset) => {
        const found = await explain(state.doc.toString(), offset);
        return found
          ? { pos: found.from, end: found.to, create: () => ({ dom: tip(found) }) }
          : null;
      }),
      EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", tabindex: "0" }),
      EditorView.updateListener.of(({ docChanged, state }) => {
        if (docChanged) onChange(state.doc.toString());
      }),
    ],
  });
}

function tip({ text }: Explained): HTMLElement {
  const dom = document.createElement("div");
  dom.className = "tip";
  dom.textContent = text;
  return dom;
}

const COLOURS = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: "var(--accent)" },
  { tag: tags.lineComment, color: "var(--muted)", fontStyle: "italic" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--good)" },
  { tag: [tags.labelName, tags.typeName, tags.keyword, tags.meta], color: "var(--input)" },
  {
    tag: [tags.punctuation, tags.separator, tags.squareBracket, tags.brace],
    color: "var(--muted)",
  },
]);

const LOOK = EditorView.theme({
  "&": {
    height: "100%",
    color: "var(--fg)",
    backgroundColor: "var(--panel)",
    fontSize: "12.5px",
  },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "1px" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "18px" },
  ".cm-content": { caretColor: "var(--fg)", padding: "6px 0" },
  ".cm-cursor": { borderLeftColor: "var(--fg)" },
  ".cm-gutters": {
    backgroundColor: "var(--panel)",
    color: "var(--muted)",
    borderRight: "1px solid var(--line)",
  },
  ".cm-activeLine, .cm-activeLineGutter": {
    backgroundColor: "color-mix(in srgb, var(--notice-bg) 60%, transparent)",
  },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground":
    { backgroundColor: "color-mix(in srgb, var(--accent) 28%, transparent)" },
  ".cm-matchingBracket": { backgroundColor: "var(--mark)", outline: "none" },
  ".cm-selectionMatch": { backgroundColor: "var(--mark)" },
  ".cm-foldPlaceholder": {
    backgroundColor: "var(--notice-bg)",
    borderColor: "var(--line)",
    color: "var(--muted)",
  },
  ".cm-tooltip": {
    backgroundColor: "var(--panel)",
    border: "1px solid var(--line)",
    borderRadius: "var(--radius)",
    boxShadow: "0 4px 14px var(--shadow)",
    color: "var(--fg)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": {
    fontFamily: "var(--mono)",
    fontSize: "12.5px",
    maxHeight: "18em",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "2px 8px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": {
    backgroundColor: "var(--accent)",
    color: "var(--on-accent)",
  },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700" },
  ".cm-completionDetail": { marginLeft: "12px", fontStyle: "normal", opacity: "0.8" },
  ".cm-completionInfo, .tip": { padding: "6px 10px", maxWidth: "340px", lineHeight: "1.4" },
  ".cm-diagnostic": { padding: "5px 10px", maxWidth: "480px", whiteSpace: "normal" },
  ".cm-diagnostic-error": { borderLeft: "4px solid var(--bad)" },
  ".cm-diagnostic-warning": { borderLeft: "4px solid var(--warn)" },
  ".cm-diagnosticAction": {
    backgroundColor: "var(--accent)",
    color: "var(--on-accent)",
    borderRadius: "var(--radius)",
    padding: "2px 8px",
    font: "inherit",
  },
  ".cm-lintRange-error": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--bad) 1px",
    textUnderlineOffset: "3px",
  },
  ".cm-lintRange-warning": {
    backgroundImage: "none",
    textDecoration: "underline wavy var(--warn) 1px",
    textUnderlineOffset: "3px",
  },
  // Instead of images in the style sheet, which our pages' policy forbids.
  ".cm-lint-marker": { width: "8px", height: "8px", margin: "5px auto 0", borderRadius: "50%" },
  ".cm-lint-marker-error": { content: "''", backgroundColor: "var(--bad)" },
  ".cm-lint-marker-warning": { content: "''", backgroundColor: "var(--warn)", borderRadius: "1px" },
  ".cm-panels": {
    backgroundColor: "var(--notice-bg)",
    color: "var(--fg)",
    borderColor: "var(--line)",
  },
  ".cm-textfield, .cm-button": {
    backgroundColor: "var(--panel)",
    backgroundImage: "none",
    border: "1px solid var(--edge)",
    borderRadius: "var(--radius)",
    color: "var(--fg)",
  },
});
