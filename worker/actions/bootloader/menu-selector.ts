import type { Console } from "../../console/console.ts";
import { pythonRegex } from "../../console/python-regex.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { consoleSlot } from "../../pipeline/job-slots.ts";
import { untilDeadline } from "./interrupt.ts";
import { findItem, menuLayout, readMenu, type MenuLayout } from "./menu-layout.ts";
import { menuLineEnd, type MenuStep } from "./menu-steps.ts";
import { methodParameters } from "./methods.ts";

const ESCAPE = "\x1b";

export interface MenuInterrupt {
  readonly name: string;
  /** The device's method whose parameters say what is awaited and typed. */
  readonly method: string;
  /** Keys of those parameters. */
  readonly prompt: string;
  readonly string: string;
}

/** Waits until a firmware can be kept from booting and types what does that, without a line end. */
export const menuInterrupt = ({ name, method, prompt, string }: MenuInterrupt): Action => ({
  name,
  needs: [consoleSlot],
  onTimeout: "Infrastructure",
  validate: async ({ job }) => void pythonRegex(neededParameter(prompt, method, job)),
  run: async (context) => {
    const { job, connection } = context;
    const console = connection.take(consoleSlot);
    const awaited = pythonRegex(neededParameter(prompt, method, job));
    await console.expect({ interrupt: awaited }, untilDeadline(context));
    await console.send(String(methodParameters(method, job)[string] ?? " "));
  },
});

export interface MenuSelector {
  readonly name: string;
  /** The device's method whose parameters say how menus look. */
  readonly method: string;
  /** Key of those parameters: what stands below the first menu. */
  readonly prompt: string;
  /** Checked before any hardware is touched. */
  readonly check: (job: JobContext) => unknown;
  readonly steps: (context: RunContext) => readonly MenuStep[];
  /** `dos` or `unix`; `dos` when undefined. */
  readonly lineSeparator: (job: JobContext) => unknown;
  /** Key of the parameters: what is awaited after the last step, when the device says it. */
  readonly final?: string;
}

/**
 * Goes through a firmware's menus, one step after the other. Each item's number is read from the menu as the firmware
 * prints it.
 *
 * @throws JobFailure Job when a menu has neither the items of a step nor its fallback.
 */
export const menuSelector = (selector: MenuSelector): Action => ({
  name: selector.name,
  needs: [consoleSlot],
  validate: async ({ job }) => {
    pythonRegex(neededParameter(selector.prompt, selector.method, job));
    menuLayout(methodParameters(selector.method, job));
    selector.check(job);
  },
  run: async (context) => {
    const { job, connection } = context;
    const console = connection.take(consoleSlot);
    const parameters = methodParameters(selector.method, job);
    const { lineEnd, characterDelayMs } = console;
    console.lineEnd = menuLineEnd(selector.lineSeparator(job));
    console.characterDelayMs = Number(parameters["character_delay"] ?? characterDelayMs);
    try {
      await walk(context, console, selector, parameters);
    } finally {
      Object.assign(console, { lineEnd, characterDelayMs });
    }
  },
});

async function walk(
  context: RunContext,
  console: Console,
  { method, prompt, steps, final }: MenuSelector,
  parameters: Readonly<Record<string, unknown>>,
): Promise<void> {
  const layout = menuLayout(parameters);
  const until = async (pattern: string): Promise<string> =>
    (await console.expect({ wait: pythonRegex(pattern) }, untilDeadline(context))).before;
  let screen = await until(neededParameter(prompt, method, context.job));
  for (const step of steps(context)) {
    await take(context, console, step, layout, screen);
    if (step.wait !== undefined) screen = await until(step.wait);
  }
  const last = final && parameters[final];
  if (last) await until(String(last));
}

async function take(
  { log }: RunContext,
  console: Console,
  step: MenuStep,
  layout: MenuLayout,
  screen: string,
): Promise<void> {
  if (step.lineEnd !== undefined) console.lineEnd = step.lineEnd;
  if (step.escape) await console.send(ESCAPE);
  if (step.enter !== undefined) await console.sendLine(step.enter);
  const wanted = [...step.items, ...(step.fallback === undefined ? [] : [step.fallback])];
  if (wanted.length === 0) return;
  const menu = readMenu(screen, layout);
  for (const label of wanted) {
    const item = findItem(menu, label);
    if (!item) continue;
    log.debug(`choosing ${item.key}, ${JSON.stringify(item.line)}`);
    return console.sendLine(item.key);
  }
  const has = menu.map(({ line }) => JSON.stringify(line)).join(", ") || "no items";
  const names = wanted.map((label) => JSON.stringify(label)).join(" nor ");
  throw new JobFailure("Job", `the firmware's menu has no item ${names}; it has ${has}`);
}

/** @throws JobFailure Configuration when the device's method does not say it. */
function neededParameter(key: string, method: string, job: JobContext): string {
  const value = methodParameters(method, job)[key];
  if (typeof value === "string" && value !== "") return value;
  const message = `the device has no actions.boot.methods.${method}.parameters.${key}: expected a regular expression of what the firmware says`;
  throw new JobFailure("Configuration", message);
}
