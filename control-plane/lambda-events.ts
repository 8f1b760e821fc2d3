import type { ChangeRecord } from "./domain/changes.ts";
import { openConnections } from "./engines/aws/connections.ts";
import { makeFailureLimit } from "./http/failure-limit.ts";
import type { Invocation } from "./lambda-event.ts";
import { lambdaLab, placeOf, required } from "./lambda-lab.ts";
import { log, logFor } from "./lambda-log.ts";
import { createPusher } from "./lava/events/push-events.ts";
import {
  answerSocket,
  refusal,
  type SocketAnswer,
  type SocketEvent,
} from "./lava/events/socket-routes.ts";
import { Unavailable } from "./ports/unavailable.ts";

/** Of the table's stream, of which the template lets through changes that are new. */
export interface StreamEvent {
  readonly Records: readonly {
    readonly dynamodb?: { readonly NewImage?: { readonly d?: { readonly S?: string } } };
  }[];
}

const limits = {
  failures: makeFailureLimit(() => Date.now()),
  trustedProxies: Number(process.env["PUMICE_TRUSTED_PROXIES"] || 0),
};
let push: ReturnType<typeof createPusher> | undefined;
await lambdaLab().catch(() => {});

/** LAVA's event stream in AWS: who comes and who goes, and what happens. A batch of the stream that failed comes again. */
export async function handler(
  event: SocketEvent | StreamEvent,
  invocation: Invocation,
): Promise<SocketAnswer | undefined> {
  logFor(invocation.awsRequestId);
  if ("Records" in event) return tellChanges(event);
  try {
    return await answerSocket(await lambdaLab(), event, limits);
  } catch (error) {
    const isBusy = error instanceof Unavailable;
    log("error", "events failed", { error: stackOf(error) });
    return isBusy ? refusal(503, "the lab's table is busy; try again") : refusal(500, "an error");
  }
}

async function tellChanges({ Records }: StreamEvent): Promise<undefined> {
  try {
    push ??= await pusher();
    await push(Records.flatMap(({ dynamodb }) => changeIn(dynamodb?.NewImage?.d?.S)));
  } catch (error) {
    log("error", "events were not told", { error: stackOf(error) });
    throw error;
  }
}

async function pusher(): Promise<ReturnType<typeof createPusher>> {
  const deps = await lambdaLab();
  const url = required(process.env, "PUMICE_CONNECTIONS_URL");
  return createPusher(deps, openConnections(placeOf(process.env), url, deps.system));
}

/** What is no change is left out: a batch that failed for it would come again and again, and hold all that is behind it. */
function changeIn(data: string | undefined): ChangeRecord[] {
  if (data === undefined) return [];
  const value = parsed(data);
  if (isChange(value)) return [value];
  log("error", "a record of the stream is no change", { record: data.slice(0, 200) });
  return [];
}

function isChange(value: unknown): value is ChangeRecord {
  if (typeof value !== "object" || value === null) return false;
  const { id, time, who, kind, name, data = {} } = value as Record<string, unknown>;
  const isText = [id, time, who, kind, name].every((text) => typeof text === "string");
  return isText && typeof data === "object" && data !== null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const stackOf = (error: unknown) => (error instanceof Error ? error.stack : String(error));
