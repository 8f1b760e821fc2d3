import { findMapping } from "../../host/mapping-of.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import { deviceMethod } from "./methods.ts";
import { substitute, type Placeholders } from "./placeholders.ts";

/** One thing that is done in a firmware's menus (DEVICE.md 1.3): an item chosen, a text entered, or escape pressed. */
export interface MenuStep {
  /** Labels, of which the first that the menu has is chosen. */
  readonly items: readonly string[];
  /** Chosen when the menu has none of the items. */
  readonly fallback: string | undefined;
  /** Typed, with a line end. */
  readonly enter: string | undefined;
  readonly escape: boolean;
  /** Regular expression of what the firmware says then; the next step begins there. */
  readonly wait: string | undefined;
  /** What ends a line from here on. */
  readonly lineEnd: string | undefined;
}

/**
 * The steps of a set of a device's method.
 *
 * @throws JobFailure Job when the device has no such set, Configuration when the set is no list of steps.
 */
export function menuSteps(method: string, set: string, job: JobContext): MenuStep[] {
  const sets = deviceMethod(method, job);
  const list = set === "parameters" ? undefined : sets[set];
  if (list === undefined || list === null) {
    const names = Object.entries(sets).filter(([, value]) => Array.isArray(value));
    const has = names.map(([name]) => name).join(", ") || "none";
    const message = `the device's method ${method} has no list of menu steps ${JSON.stringify(set)}; it has ${has}`;
    throw new JobFailure("Job", message);
  }
  const place = `actions.boot.methods.${method}.${set}`;
  if (!Array.isArray(list)) throw wrong(`${place} of the device: expected a list of menu steps`);
  return list.map((step: unknown, index) => menuStep(step, `${place}[${index}]`));
}

function menuStep(value: unknown, place: string): MenuStep {
  const step = findMapping(value);
  const select = findMapping(step?.["select"]);
  const separator = step?.["line_separator"];
  if (!select && separator === undefined) {
    throw wrong(
      `${place} of the device: expected a mapping with the key select, or line_separator`,
    );
  }
  const text = (key: string): string | undefined => {
    const found = select?.[key];
    return found === undefined || found === null ? undefined : String(found);
  };
  const wait = text("wait");
  if (wait !== undefined) pythonRegex(wait);
  return {
    items: listOfTexts(select?.["items"]),
    fallback: text("fallback"),
    enter: text("enter"),
    escape: Boolean(select?.["escape"]),
    wait,
    lineEnd: separator === undefined ? undefined : menuLineEnd(separator),
  };
}

/** `unix` is a newline; `dos`, and whatever else a job says, is carriage return and newline (JOB.md 6). */
export const menuLineEnd = (separator: unknown): string => (separator === "unix" ? "\n" : "\r\n");

/**
 * The steps with a job's values in what is chosen and entered. What is known to be nothing is entered as nothing: a step
 * left out would answer the wrong question.
 */
export function fillSteps(steps: readonly MenuStep[], placeholders: Placeholders): MenuStep[] {
  const fill = (text: string): string =>
    substitute([text], placeholders, { keepsEmpty: true }).commands[0] ?? "";
  return steps.map((step) => ({
    ...step,
    items: step.items.map(fill),
    fallback: step.fallback === undefined ? undefined : fill(step.fallback),
    enter: step.enter === undefined ? undefined : fill(step.enter),
  }));
}

const wrong = (message: string): JobFailure => new JobFailure("Configuration", message);
