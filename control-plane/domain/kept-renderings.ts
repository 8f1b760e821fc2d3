import type { Loader } from "../templates/frame.ts";
import type { RenderedDevice } from "./rendered-device.ts";

/** Renderings of the devices that jobs ask for again and again: one takes two milliseconds, and every submission needs one. */
interface Kept {
  readonly byName: Map<string, RenderedDevice>;
  chars: number;
}

/** Of their YAML; what was read of it takes some ten times as much. */
const MOST_CHARS = 1_000_000;

/** A lab's loader is another one when a template has changed. */
const kept = new WeakMap<Loader, Kept>();

/** What was made under this name with these templates, made when it is not there (any more). Nobody can change it. */
export function keptRendering(
  loader: Loader,
  name: string,
  make: () => RenderedDevice,
): RenderedDevice {
  const all = kept.get(loader) ?? { byName: new Map<string, RenderedDevice>(), chars: 0 };
  kept.set(loader, all);
  const found = all.byName.get(name);
  if (found) {
    // The last one that is asked for is the last to go.
    all.byName.delete(name);
    all.byName.set(name, found);
    return found;
  }
  const made = frozen(make());
  if (made.text.length > MOST_CHARS) return made;
  all.byName.set(name, made);
  all.chars += made.text.length + name.length;
  for (const [oldest, { text }] of all.byName) {
    if (all.chars <= MOST_CHARS) break;
    all.byName.delete(oldest);
    all.chars -= text.length + oldest.length;
  }
  return made;
}

/** Data without loops. */
function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) frozen(inner);
  return Object.freeze(value);
}
