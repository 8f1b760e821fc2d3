import {
  CreateChangeSetCommand,
  DeleteChangeSetCommand,
  DeleteStackCommand,
  DescribeChangeSetCommand,
  ExecuteChangeSetCommand,
  type Change as AwsChange,
  type CloudFormationClient,
  type DescribeChangeSetOutput,
  type Parameter,
} from "@aws-sdk/client-cloudformation";
import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { withoutComments } from "./read-template.ts";

/** What CloudFormation would do to one resource. */
export interface Change {
  readonly action: "Add" | "Modify" | "Remove" | "Import" | "Dynamic";
  readonly name: string;
  readonly type: string;
  /** Whether it would be made anew: `maybe` is known only on the way. */
  readonly replaced: "yes" | "no" | "maybe";
  /** What of it changes, as far as CloudFormation says: `Code`, `Timeout`, `Tags`. */
  readonly properties: readonly string[];
}

/** A change set that is ready to be carried out, or undefined when there is nothing to do. */
export interface ChangeSet {
  readonly id: string;
  readonly stackId: string;
  readonly changes: readonly Change[];
}

export interface Wanted {
  readonly stack: string;
  readonly isNew: boolean;
  readonly template: string;
  readonly parameters: Parameter[];
  readonly pollMs: number;
  readonly signal: AbortSignal;
}

/**
 * Asks CloudFormation what it would do. Nothing is changed by it; what it made is removed again by `discard`, or at
 * once when there is nothing to do. A stack that is made again takes over the data that the last one left.
 */
export async function makeChangeSet(
  client: CloudFormationClient,
  { stack, isNew, template, parameters, pollMs, signal }: Wanted,
): Promise<ChangeSet | undefined> {
  const made = await create(client, { stack, isNew, template, parameters });
  if (!made) return undefined;
  const id = made.Id ?? "";
  const stackId = made.StackId ?? "";
  const empty = { id, stackId, changes: [] };
  for (;;) {
    const first = await describe(client, id);
    if (first.Status === "CREATE_COMPLETE") {
      return { id, stackId, changes: (await changesOf(client, id, first)).map(toChange) };
    }
    if (first.Status === "FAILED") {
      await discard(client, empty, isNew);
      if (isNothing(first.StatusReason ?? "")) return undefined;
      throw new Error(`CloudFormation refuses the change: ${first.StatusReason ?? "no reason"}`);
    }
    await wait(pollMs, undefined, { signal });
  }
}

async function create(
  client: CloudFormationClient,
  {
    stack,
    isNew,
    template,
    parameters,
  }: Pick<Wanted, "stack" | "isNew" | "template" | "parameters">,
) {
  const command = new CreateChangeSetCommand({
    StackName: stack,
    ChangeSetName: `pumice-${randomUUID()}`,
    ChangeSetType: isNew ? "CREATE" : "UPDATE",
    TemplateBody: withoutComments(template),
    Parameters: parameters,
    Capabilities: ["CAPABILITY_IAM"],
    ...(isNew ? { ImportExistingResources: true } : {}),
  });
  try {
    return await client.send(command);
  } catch (error) {
    if (error instanceof Error && isNothing(error.message)) return undefined;
    throw error;
  }
}

const isNothing = (reason: string): boolean =>
  /didn't contain changes|No updates are to be performed/i.test(reason);

const describe = (client: CloudFormationClient, id: string, NextToken?: string) =>
  client.send(
    new DescribeChangeSetCommand({ ChangeSetName: id, ...(NextToken ? { NextToken } : {}) }),
  );

async function changesOf(
  client: CloudFormationClient,
  id: string,
  first: DescribeChangeSetOutput,
): Promise<AwsChange[]> {
  const changes = [...(first.Changes ?? [])];
  for (let next = first.NextToken; next;) {
    const page = await describe(client, id, next);
    changes.push(...(page.Changes ?? []));
    next = page.NextToken;
  }
  return changes;
}

function toChange({ ResourceChange: change = {} }: AwsChange): Change {
  const properties = (change.Details ?? []).map(
    ({ Target }) => Target?.Name ?? Target?.Attribute ?? "",
  );
  return {
    action: (change.Action ?? "Modify") as Change["action"],
    name: change.LogicalResourceId ?? "",
    type: change.ResourceType ?? "",
    replaced:
      change.Replacement === "True" ? "yes" : change.Replacement === "Conditional" ? "maybe" : "no",
    properties: [...new Set(properties.filter(Boolean))],
  };
}

/** Removes a change set, and the empty stack that one of a new stack makes. */
export async function discard(
  client: CloudFormationClient,
  { id, stackId }: ChangeSet,
  isNew: boolean,
): Promise<void> {
  await client.send(new DeleteChangeSetCommand({ ChangeSetName: id }));
  if (isNew) await client.send(new DeleteStackCommand({ StackName: stackId }));
}

/** Begins to carry it out. */
export const execute = (client: CloudFormationClient, { id }: ChangeSet): Promise<unknown> =>
  client.send(new ExecuteChangeSetCommand({ ChangeSetName: id }));
