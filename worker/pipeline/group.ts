import { timeoutSeconds, type TimeoutMapping } from "#protocol/timeouts.ts";
import type { ActionLog } from "./action.ts";

/** What was sent under one message id: by the job id of who sent it, keys and values. */
export type GroupData = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** What a member asks of its group (MULTINODE.md 2). */
export type GroupCall =
  | { readonly op: "send"; readonly id: string; readonly data: ReadonlyMap<string, string> }
  | { readonly op: "wait" | "sync"; readonly id: string }
  | { readonly op: "wait-all"; readonly id: string; readonly role?: string | undefined };

export type GroupAnswer =
  | { readonly kind: "ack"; readonly data: GroupData }
  /** It can't be had: nobody has sent what all shall have sent. */
  | { readonly kind: "nack"; readonly message: string }
  /** The call's own time is over. */
  | { readonly kind: "timeout" };

export interface CallOptions {
  readonly timeoutSeconds: number;
  /** Ends the call with its reason. */
  readonly signal: AbortSignal;
  /** Told once per call when the control plane can't be reached. */
  readonly log: Pick<ActionLog, "warning" | "debug">;
}

/**
 * The multinode group of this job. A control plane that is away for a while is asked again until the call's time is over; a
 * repeated question never counts twice.
 */
export interface Group {
  /** Role of each member by job id; empty until `start` has found them. */
  readonly roles: ReadonlyMap<string, string>;
  /** Waits until all members have been started. @throws as `call` */
  start(options: CallOptions): Promise<"started" | "timeout">;
  /** @throws JobFailure Canceled when the control plane knows the job as ended, Job when it refuses the call; the signal's reason. */
  call(call: GroupCall, options: CallOptions): Promise<GroupAnswer>;
  /** Says that this member is done with the group. @throws as `call` */
  finish(options: CallOptions): Promise<void>;
}

/** `protocols.lava-multinode` of a member's definition, as the control plane makes it (MULTINODE.md 1); undefined in other jobs. */
export interface MultinodeSettings {
  readonly role: string;
  readonly timeout?: TimeoutMapping | undefined;
  readonly request?: unknown;
  readonly expect_role?: unknown;
  readonly environment?: Readonly<Record<string, unknown>> | undefined;
}

export function multinodeSettings(definition: {
  readonly protocols?: unknown;
}): MultinodeSettings | undefined {
  const protocols = definition.protocols as Record<string, unknown> | null | undefined;
  return (protocols?.["lava-multinode"] as MultinodeSettings | null | undefined) ?? undefined;
}

/** A time-out of the protocol, or LAVA's own number where nobody says one. */
export const groupSeconds = (
  timeout: TimeoutMapping | null | undefined,
  otherwise: number,
): number => (timeout ? timeoutSeconds(timeout) : otherwise);
