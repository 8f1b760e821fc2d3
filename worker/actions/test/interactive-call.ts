import type { RunContext } from "../../pipeline/action.ts";
import { requireGroup } from "../../pipeline/group-start.ts";
import type { GroupCall } from "../../pipeline/group.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import type { Substitutions } from "./interactive-step.ts";
import type { Step } from "./interactive.ts";
import { readPairs } from "./multinode-words.ts";

const WORDS = ["lava-send", "lava-wait", "lava-wait-all", "lava-sync"] as const;

/** A step that talks to the group instead of the DUT. */
interface InteractiveCall {
  readonly word: (typeof WORDS)[number];
  readonly call: GroupCall;
}

/** @throws JobFailure Job for words that are none. */
export function interactiveCall(step: Step): InteractiveCall | undefined {
  const word = WORDS.find((known) => step[known] !== undefined);
  if (!word) return undefined;
  const text = String(step[word]).trim();
  const [id = "", ...more] = text.split(/\s+/);
  if (id === "") throw new JobFailure("Job", `interactive: ${word}: expected a message id`);
  if (word === "lava-send")
    return { word, call: { op: "send", id, data: readPairs(more.join(" ")) } };
  if (word === "lava-wait") return { word, call: { op: "wait", id } };
  if (word === "lava-sync") return { word, call: { op: "sync", id } };
  const [, role] = /^role=(\S+)$/.exec(more[0] ?? "") ?? [];
  if (more.length > 0 && role === undefined) {
    const message = `interactive: lava-wait-all: expected role=ROLE behind ${id}, not ${more.join(" ")}`;
    throw new JobFailure("Job", message);
  }
  return { word, call: { op: "wait-all", id, role } };
}

/**
 * Talks to the group; the keys and values that others sent become substitutions of the commands that follow (TEST-SHELL.md 9).
 * Only the action's own time-out ends a wait.
 *
 * @throws JobFailure Test when it can't be had.
 */
export async function callFromScript(
  { job, timeoutSeconds, signal, log }: RunContext,
  { word, call }: InteractiveCall,
  substitutions: Substitutions,
): Promise<void> {
  log.debug(`${word} ${call.id}`);
  const answer = await requireGroup(job).call(call, { timeoutSeconds, signal, log });
  if (answer.kind === "ack") {
    for (const pairs of answer.data.values()) {
      for (const [key, value] of pairs) substitutions.set(key, value);
    }
    return;
  }
  const why = answer.kind === "nack" ? answer.message : `timed out after ${timeoutSeconds} seconds`;
  throw new JobFailure("Test", `${word} ${call.id}: ${why}`);
}
