import { frozen } from "#protocol/frozen.ts";
import type { Loader } from "../templates/frame.ts";
import { kept, type Kept } from "./kept.ts";
import type { RenderedDevice } from "./rendered-device.ts";

/** Of their YAML; what was read of it takes some ten times as much. */
const MOST_CHARS = 1_000_000;

/**
 * Renderings of the devices that jobs ask for again and again: one takes a millisecond, and every submission needs one. A lab's loader is
 * another one when a template has changed.
 */
const renderings = new WeakMap<Loader, Kept<RenderedDevice>>();

/** What was made under this name with these templates, made when it is not there (any more). Nobody can change it. */
export function keptRendering(
  loader: Loader,
  name: string,
  make: () => RenderedDevice,
): RenderedDevice {
  const all = renderings.get(loader) ?? kept<RenderedDevice>(MOST_CHARS, ({ text }) => text.length);
  renderings.set(loader, all);
  const found = all.find(name);
  if (found) return found;
  const made = frozen(make());
  all.keep(name, made);
  return made;
}
