import {
  DescribeStackEventsCommand,
  type CloudFormationClient,
  type StackEvent,
} from "@aws-sdk/client-cloudformation";
import { setTimeout as wait } from "node:timers/promises";
import { printable } from "../control-plane/cli/printable.ts";

/** One step of CloudFormation's, as far as people want to know it. */
export interface Step {
  readonly name: string;
  readonly type: string;
  readonly status: string;
  readonly reason: string;
}

export interface Ending {
  /** Of the stack itself: `CREATE_COMPLETE`, `UPDATE_ROLLBACK_COMPLETE`. */
  readonly status: string;
  /** What failed first comes first; what was only cancelled because of it is left out. */
  readonly failures: readonly Step[];
}

export interface Watch {
  readonly stackId: string;
  /** The client token of the request that is watched: others' events do not count. */
  readonly token: string;
  readonly pollMs: number;
  readonly signal: AbortSignal;
  onStep(step: Step): void;
}

/** Tells each step of a change until the stack has come to rest. */
export async function watchStack(client: CloudFormationClient, watch: Watch): Promise<Ending> {
  const seen = new Set<string>();
  const failures: Step[] = [];
  for (;;) {
    for (const event of await newEvents(client, watch, seen)) {
      const step = toStep(event);
      const isStack = event.PhysicalResourceId === watch.stackId;
      if (isFailure(step)) failures.push(step);
      watch.onStep(step);
      if (isStack && !step.status.endsWith("_IN_PROGRESS")) {
        return { status: step.status, failures };
      }
    }
    await wait(watch.pollMs, undefined, { signal: watch.signal });
  }
}

const toStep = (event: StackEvent): Step => ({
  name: printable(event.LogicalResourceId ?? ""),
  type: printable(event.ResourceType ?? ""),
  status: event.ResourceStatus ?? "",
  reason: printable(event.ResourceStatusReason ?? ""),
});

const isFailure = ({ status, reason, type }: Step): boolean =>
  status.endsWith("_FAILED") &&
  type !== "AWS::CloudFormation::Stack" &&
  !/^Resource (creation|update|deletion) cancelled/.test(reason);

/** Oldest first. CloudFormation lists the newest first. */
async function newEvents(
  client: CloudFormationClient,
  { stackId, token }: Watch,
  seen: Set<string>,
): Promise<StackEvent[]> {
  const events: StackEvent[] = [];
  let NextToken: string | undefined;
  do {
    const page = await client.send(
      new DescribeStackEventsCommand({ StackName: stackId, ...(NextToken ? { NextToken } : {}) }),
    );
    NextToken = page.NextToken;
    for (const event of page.StackEvents ?? []) {
      const id = event.EventId ?? "";
      if (event.ClientRequestToken !== token) continue;
      if (seen.has(id)) NextToken = undefined;
      else events.push(event);
    }
  } while (NextToken);
  for (const { EventId = "" } of events) seen.add(EventId);
  return events.toReversed();
}
