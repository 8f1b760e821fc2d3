import type { AwsService } from "./sigv4.ts";

/**
 * `throttle` and `error500` are refused before anything is done. `reset` cuts the connection before anything is done,
 * `lostAnswer` after. SQS only: `duplicate` delivers a received message again although it was taken, `drop` accepts a
 * message that nobody ever receives.
 */
export type FaultKind = "throttle" | "error500" | "reset" | "lostAnswer" | "duplicate" | "drop";

export interface FaultPlan {
  readonly service: AwsService;
  /** As AWS names it, `PutObject`; any, when it is left out. */
  readonly operation?: string;
  readonly kind: FaultKind;
  /** 1 unless told; Infinity for always. */
  readonly times?: number;
}

export interface Faults {
  /** Plans that fit are used up in the order given. */
  next(plan: FaultPlan): void;
  clear(): void;
  /** How many planned faults have not struck yet. */
  pending(): number;
  /** The fault of one of these kinds that strikes now, if any; it counts as struck. */
  take(service: AwsService, operation: string, kinds: readonly FaultKind[]): FaultKind | undefined;
}

export function createFaults(): Faults {
  let plans: Array<{ plan: FaultPlan; left: number }> = [];
  return {
    next: (plan) => void plans.push({ plan, left: plan.times ?? 1 }),
    clear: () => void (plans = []),
    pending: () => plans.reduce((sum, { left }) => sum + left, 0),
    take(service, operation, kinds) {
      const found = plans.find(
        ({ plan }) =>
          plan.service === service &&
          kinds.includes(plan.kind) &&
          (plan.operation ?? operation) === operation,
      );
      if (found === undefined) return undefined;
      found.left -= 1;
      plans = plans.filter(({ left }) => left > 0);
      return found.plan.kind;
    },
  };
}
