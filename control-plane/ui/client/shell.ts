/** What every page has from a script: keys, buttons that copy. All of it works without, by the mouse. */

const SEQUENCE_MS = 1500;
/** When `g` was pressed, the first of two keys. */
let began = 0;

document.addEventListener("keydown", onKey);
document.addEventListener("click", copy);
for (const button of document.querySelectorAll<HTMLElement>("button[data-copy]")) {
  button.hidden = false;
}

function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const isSecond = event.timeStamp - began < SEQUENCE_MS;
  began = 0;
  const link = isSecond && section(event.key);
  if (link) link.click();
  else if (event.key === "/") document.querySelector<HTMLElement>(".find input")?.focus();
  else if (event.key === "?") showKeys();
  else if (event.key === "g") began = event.timeStamp;
  else return;
  // What is pressed for a page is not typed into the field that it leads to.
  event.preventDefault();
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.matches("input, textarea, select"));

const sections = () => document.querySelectorAll<HTMLAnchorElement>(".site nav a[data-key]");
const section = (key: string) => [...sections()].find(({ dataset }) => dataset["key"] === key);

/** A dialog of the keys: those of every page, and what the page itself names by `data-keys="f Find in the log"`. */
function showKeys(): void {
  const dialog = document.createElement("dialog");
  dialog.className = "keys";
  dialog.setAttribute("aria-label", "Keys");
  const list = document.createElement("dl");
  const own = [...document.querySelectorAll<HTMLElement>("[data-keys]")].map((element) => {
    const [key = "", ...words] = (element.dataset["keys"] ?? "").split(" ");
    return [key, words.join(" ")] as const;
  });
  const ways = [...sections()].map((a) => [`g ${a.dataset["key"]}`, a.textContent] as const);
  const all = [["/", "Search the lab"], ["?", "These keys"], ...own, ...ways] as const;
  for (const [keys, meaning] of all) {
    const [dt, kbd, dd] = ["dt", "kbd", "dd"].map((tag) => document.createElement(tag));
    kbd!.textContent = keys;
    dt!.append(kbd!);
    dd!.textContent = meaning;
    list.append(dt!, dd!);
  }
  const heading = document.createElement("h2");
  heading.textContent = "Keys";
  const close = document.createElement("button");
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.append(heading, list, close);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** A button copies the words of the element that it names. */
async function copy(event: MouseEvent): Promise<void> {
  const button = (event.target as Element).closest<HTMLElement>("button[data-copy]");
  const words = button && document.getElementById(button.dataset["copy"] ?? "")?.textContent;
  if (!button || !words) return;
  const said = button.textContent;
  button.textContent = await navigator.clipboard.writeText(words).then(
    () => "Copied",
    () => "Not allowed",
  );
  setTimeout(() => (button.textContent = said), 2000);
}
