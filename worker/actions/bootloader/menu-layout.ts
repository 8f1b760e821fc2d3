import { listOfTexts } from "../../host/list-of-texts.ts";
import { literalRegex, pythonRegex } from "../../console/python-regex.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

/** How a firmware prints a menu with numbered items and takes an answer (DEVICE.md 1.3, `uefi-menu`). */
export interface MenuLayout {
  /** An item in one line: groups 1, what is typed to choose it, and 2, its label with what follows. */
  readonly item: RegExp;
  /** The part of the rest of a line that is the label; the rest of the line when there is none. */
  readonly label: RegExp | undefined;
}

export interface MenuItem {
  /** What is typed to choose it. */
  readonly key: string;
  readonly label: string;
  /** The label with what the firmware wrote behind it, for example a size in brackets. */
  readonly line: string;
}

/**
 * The layout that the parameters of a method say: `item_markup`, `item_class`, `separator` and `label_class`. Markup and
 * separator are text, the classes are what stands between the brackets of a regular expression.
 *
 * @throws JobFailure Configuration for a markup that is no pair, Test for a class that can't be.
 */
export function menuLayout(parameters: Readonly<Record<string, unknown>>): MenuLayout {
  const [open = "[", close = "]", ...more] = listOfTexts(parameters["item_markup"]);
  if (more.length > 0) {
    const message = `item_markup of the device: expected two texts, the marks before and behind an item's number`;
    throw new JobFailure("Configuration", message);
  }
  const number = String(parameters["item_class"] ?? "0-9");
  const separator = literalRegex(String(parameters["separator"] ?? " ")).source;
  const key = `${literalRegex(open).source} *([${number}]+) *${literalRegex(close).source}`;
  const labelClass = parameters["label_class"];
  return {
    item: pythonRegex(`${key}${separator}(.*)$`),
    label: labelClass ? pythonRegex(`^[${String(labelClass)}]+`) : undefined,
  };
}

/** The items of the menu in a text that a console received, in its order. */
export function readMenu(text: string, { item, label }: MenuLayout): MenuItem[] {
  return plainLines(text).flatMap((printed) => {
    item.lastIndex = 0;
    const [, key, rest = ""] = item.exec(printed) ?? [];
    if (key === undefined) return [];
    const line = rest.trim();
    if (label) label.lastIndex = 0;
    const own = label ? (label.exec(rest)?.[0].trim() ?? "") : line;
    return [{ key, label: own, line }];
  });
}

/**
 * The item with this label. What a firmware writes differently from its dictionary in upper and lower case only is taken
 * as well. The last one wins: a menu that was drawn twice counts as it is now.
 */
export function findItem(items: readonly MenuItem[], wanted: string): MenuItem | undefined {
  const name = wanted.trim();
  const isNamed = ({ label, line }: MenuItem): boolean => label === name || line === name;
  const lower = name.toLowerCase();
  const isAlmost = ({ label, line }: MenuItem): boolean =>
    label.toLowerCase() === lower || line.toLowerCase() === lower;
  return items.findLast(isNamed) ?? items.findLast(isAlmost);
}

/** The lines of a text without what only moves a cursor or colours; a cursor that was moved begins a line. */
const plainLines = (text: string): string[] =>
  text
    .replace(/\x1b\[[0-9;?]*[Hf]/g, "\n")
    .replace(/\x1b\[[0-9;?]*[ -/]*[@-~]/g, "")
    .split(/[\r\n]+/);
