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
  readonly pollMs: number;
  readonly signal: AbortSignal;
  readonly onStep: (step: Step) => void;
}

/** Begins a change, then tells each of its steps until the stack has come to rest. */
export async function watchStack(
  client: CloudFormationClient,
  begin: () => Promise<unknown>,
  { stackId, pollMs, signal, onStep }: Watch,
): Promise<Ending> {
  let [last] = await eventsAfter(client, stackId, undefined);
  await begin();
  const failures: Step[] = [];
  for (;;) {
    const events = await eventsAfter(client, stackId, last?.EventId);
    last = events[0] ?? last;
    for (const event of events.toReversed()) {
      const step = toStep(event);
      if (isFailure(step)) failures.push(step);
      onStep(step);
      if (event.PhysicalResourceId === stackId && !step.status.endsWith("_IN_PROGRESS")) {
        return { status: step.status, failures };
      }
    }
    await wait(pollMs, undefined, { signal });
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

/** Newest first, as CloudFormation lists them; those of the first page when it is not said after which. */
async function eventsAfter(
  client: CloudFormationClient,
  StackName: string,
  last: string | undefined,
): Promise<StackEvent[]> {
  const events: StackEvent[] = [];
  let NextToken: string | undefined;
  do {
    const page = await client.send(
      new DescribeStackEventsCommand({ StackName, ...(NextToken ? { NextToken } : {}) }),
    );
    for (const event of page.StackEvents ?? []) {
      if (event.EventId === last) return events;
      events.push(event);
    }
    NextToken = page.NextToken;
  } while (NextToken && last !== undefined);
  return events;
}
