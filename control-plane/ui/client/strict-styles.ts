/**
 * xterm.js makes style sheets and style attributes out of text, which our pages' policy (security-headers.ts) forbids. What
 * it would write so goes the way the policy allows: sheets that a script adopts, and properties of an element's style.
 * Only on the page that has a terminal; before the terminal is opened.
 */
export function allowTerminalStyles(): void {
  const create = document.createElement.bind(document);
  document.createElement = ((name: string, options?: ElementCreationOptions) =>
    name === "style" ? adopting(create("template")) : create(name, options)) as typeof create;
  HTMLSpanElement.prototype.setAttribute = function (name: string, value: string): void {
    if (name === "style") this.style.cssText = value;
    else Element.prototype.setAttribute.call(this, name, value);
  };
}

/** Stands where the style element would: its text is a sheet of the document. Even an empty one would be forbidden. */
function adopting<E extends HTMLElement>(element: E): E {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  return Object.defineProperty(element, "textContent", {
    set(text: string) {
      sheet.replaceSync(text);
    },
    get: () => "",
  });
}
