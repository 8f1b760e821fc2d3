import type { Parameter } from "@aws-sdk/client-cloudformation";
import { nearestWord } from "#protocol/nearest-word.ts";
import { UsageError } from "../control-plane/cli/command.ts";
import { parseTemplate } from "./read-template.ts";
import type { Stack } from "./stack.ts";

/** Set by deploy itself. */
const OURS = ["CodeBucket", "CodeKey", "Release", "FirstAdmin"];

/**
 * Parameters of a template for a stack: those that are given, then those that the stack has; the rest is left to the
 * template's defaults. Throws `UsageError` for one that the template does not have.
 */
export function parametersFor(
  template: string,
  stack: Stack | undefined,
  ours: Readonly<Record<string, string>>,
  asked: Readonly<Record<string, string>> = {},
): Parameter[] {
  const names = Object.keys(parseTemplate(template).Parameters);
  for (const name of Object.keys(asked)) checkAsked(name, names);
  const given = { ...asked, ...ours };
  return names.flatMap((ParameterKey): Parameter[] => {
    const ParameterValue = given[ParameterKey];
    if (ParameterValue !== undefined) return [{ ParameterKey, ParameterValue }];
    const isThere = stack !== undefined && Object.hasOwn(stack.parameters, ParameterKey);
    return isThere ? [{ ParameterKey, UsePreviousValue: true }] : [];
  });
}

function checkAsked(name: string, names: readonly string[]): void {
  if (OURS.includes(name)) throw new UsageError(`--parameter ${name}: deploy sets that itself`);
  if (names.includes(name)) return;
  const near = nearestWord(name, [...names]);
  const hint = near ? `did you mean ${near}?` : `there are ${names.join(", ")}`;
  throw new UsageError(`--parameter ${name}: infra/template.yaml has no such parameter; ${hint}`);
}
