import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { Slot } from "../../pipeline/slot.ts";

/** An action that does nothing, with everything below it, when the slot is true by then. Its plan stays as it is. */
export function unless(condition: Slot<boolean>, action: Action): Action {
  return mapped(action, (run) => async (context) => {
    if (context.slots.find(condition) === true) return context.log.debug("not needed");
    return run(context);
  });
}

/** Of the time of an action that may fail: the rest is for going on. */
const PATIENCE = 0.9;

/**
 * An action that may fail: the slot says afterwards whether everything in it succeeded. After the first failure the
 * rest of it does nothing.
 */
export function trying(succeeded: Slot<boolean>, action: Action): Action {
  const tolerant = mapped(action, (run) => async (context) => {
    if (context.slots.find(succeeded) === false) return;
    const own = AbortSignal.timeout(context.timeoutSeconds * 1000 * PATIENCE);
    try {
      await run({ ...context, signal: AbortSignal.any([context.signal, own]) });
    } catch (error) {
      context.signal.throwIfAborted();
      const { type, message } = own.aborted
        ? new JobFailure("Job", "it takes too long")
        : JobFailure.from(error);
      if (type === "Bug") throw error;
      context.log.warning(`going on although it failed: ${message}`);
      context.slots.put(succeeded, false);
    }
  });
  return { ...tolerant, run: async ({ slots }) => slots.put(succeeded, true) };
}

type Run = (context: RunContext) => Promise<void>;

/** The same tree with every `run` and `runAfter` in it changed. */
function mapped(action: Action, change: (run: Run) => Run): Action {
  const { steps } = action;
  return {
    ...action,
    ...(action.run ? { run: change(async (context) => action.run?.(context)) } : {}),
    ...(action.runAfter ? { runAfter: change(async (context) => action.runAfter?.(context)) } : {}),
    ...(steps ? { steps: steps.map((step) => mapped(step, change)) } : {}),
  };
}
