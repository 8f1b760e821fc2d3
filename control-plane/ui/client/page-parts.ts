/** An element of the page by its id. */
export function get(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`#${id} is missing`);
  return element;
}

/** An input, or what has a value as one has. */
export function input(id: string): HTMLInputElement {
  return get(id) as HTMLInputElement;
}

/** Shows an element, or takes it away. */
export function showIf(id: string, isThere: boolean): void {
  get(id).hidden = !isThere;
}

/** Asks the person by the page's dialog; resolves false when they'd rather not. */
export function isConfirmed(question: string, yes: string): Promise<boolean> {
  const dialog = get("confirm") as HTMLDialogElement;
  get("confirm-text").textContent = question;
  get("confirm-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Whether an address is of this lab: the whole origin, as `https://lab.example.org.evil.net` begins like it. */
export const isOwnPage = (address: string): boolean =>
  URL.canParse(address) && new URL(address).origin === location.origin;

/** How long until then: `42 s`, `9 min 30 s`, `75 min`, `3 h 5 min`. */
export function untilText(iso: string, now: number): string {
  const seconds = Math.max(0, Math.round((Date.parse(iso) - now) / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Whether a key that was pressed is for the page: not for a field, not for the browser, and not what every page knows. */
export const isPlainKey = (event: KeyboardEvent): boolean => isFree(event) && !isTyping(event);

const isFree = ({ ctrlKey, metaKey, altKey, defaultPrevented }: KeyboardEvent): boolean =>
  !(ctrlKey || metaKey || altKey || defaultPrevented);

const isTyping = ({ target }: KeyboardEvent): boolean =>
  target instanceof Element &&
  target.closest("input, textarea, select, [contenteditable]") !== null;
