import type { Context } from "./apply-change.ts";
import { discard, makeChangeSet } from "./change-set.ts";
import { changesText, dataAtRisk } from "./change-text.ts";
import { makePlan, parametersOf } from "./plan.ts";
import { isFailedCreation } from "./stack.ts";

/** Shows what a deploy would change, and changes nothing. @returns 0 nothing, 1 something. */
export async function diff(context: Context): Promise<number> {
  const { cloud, options, terminal, signal } = context;
  const plan = await makePlan(context);
  const { stack, template, bucket = "made-by-deploy" } = plan;
  if (stack && isFailedCreation(stack)) {
    throw new Error(
      `stack ${stack.name} is what a failed creation left: npm run deploy removes it`,
    );
  }
  const isNew = stack === undefined;
  const set = await makeChangeSet(cloud.cloudFormation, {
    stack: options.stack,
    isNew,
    template,
    parameters: parametersOf(context, plan, bucket, undefined),
    pollMs: options.pollMs,
    signal,
  });
  if (set) await discard(cloud.cloudFormation, set, isNew);
  const changes = set?.changes ?? [];
  if (options.json) terminal.out(JSON.stringify({ stack: options.stack, changes }, undefined, 2));
  else terminal.out(set ? changesText(terminal, changes) : "Nothing to do.");
  for (const { name } of dataAtRisk(changes)) {
    terminal.say(`warning: ${name} has the lab's data; deploy wants --replace-data for this`);
  }
  return set ? 1 : 0;
}
