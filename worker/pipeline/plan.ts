import type { JobAction, TestBlock } from "#protocol/job-actions.ts";
import type { Action, JobContext } from "./action.ts";
import {
  actionSeconds,
  connectionSeconds,
  retriesOf,
  type BlockLimits,
  type ParentLimits,
  type Retries,
} from "./durations.ts";
import { groupCallsOf, type PlannedCall } from "./group-calls.ts";
import { JobFailure } from "./job-failure.ts";
import type { Strategy, StrategyContext } from "./strategy.ts";

/** An action in its place: what `Action` leaves open is decided here. */
export interface PlannedAction extends Retries {
  readonly action: Action;
  /** Dotted, from 1: `2.1.1`. */
  readonly level: string;
  readonly section: string;
  readonly namespace: string;
  /** The namespace whose connection it uses: its own, or the block's `connection-namespace`. */
  readonly connectionNamespace: string;
  /** `deploy:tmpfs`; at the top level only. */
  readonly strategy?: string;
  readonly timeoutSeconds: number;
  readonly connectionTimeoutSeconds: number;
  /** A time-out of the test itself fails the block and not the job (`timeout: {skip: true}`). */
  readonly skipsTimeout: boolean;
  /** Made before it begins, when there are any. */
  readonly groupCalls?: readonly PlannedCall[];
  readonly steps: readonly PlannedAction[];
}

const RESERVED = ["common", "docker-test-shell"];

/**
 * The plan of a job on a device, `finalize` last (DISPATCHER.md 1 to 3). Touches nothing.
 *
 * @throws JobFailure Job when a block has no strategy or namespaces are mixed.
 */
export function planJob(
  job: JobContext,
  strategies: readonly Strategy[],
  finalize: Action,
): PlannedAction[] {
  const { actions } = job.definition;
  const namespaces = namespacesOf(actions);
  const stages = new Map<string, number>();
  const planned = actions.map((item, index) => {
    const [kind, block] = firstBlock(item, index);
    const namespace = namespaces[index] ?? "common";
    const overlayTests = testsOf(actions, namespaces, namespace);
    const stage = stages.get(namespace) ?? 0;
    if (kind === "test" && usesOverlay(block as TestBlock)) stages.set(namespace, stage + 1);
    const hasShell = shellTestsOn(actions, namespaces, namespace).length > 0;
    checkConnection(block, namespaces.slice(0, index), index);
    const context: StrategyContext = { job, namespace, overlayTests, hasShell, stage };
    const strategy = pick(strategies, kind, block, context, index);
    const action = strategy.action(block as never, context);
    // As in LAVA, whose reference plans have it so: a command's own `timeout` is not looked at.
    const limits = kind === "command" ? {} : (block as BlockLimits);
    const place = { job, block: limits, section: kind, namespace };
    return {
      ...annotate(action, String(index + 1), place, undefined),
      strategy: kind === "command" ? kind : `${kind}:${strategy.name}`,
    };
  });
  const last = { job, block: {}, section: "finalize", namespace: "common" };
  const end = annotate(finalize, String(actions.length + 1), last, undefined);
  return [...planned, { ...end, strategy: "finalize" }];
}

interface Place {
  readonly job: JobContext;
  readonly block: BlockLimits;
  readonly section: string;
  readonly namespace: string;
}

function annotate(
  action: Action,
  level: string,
  place: Place,
  parent: ParentLimits | undefined,
): PlannedAction {
  const { job, block, section, namespace } = place;
  const retries = retriesOf(action, job, block, section);
  const timeoutSeconds = actionSeconds(action, job, block, parent);
  const own = { timeoutSeconds, attempts: retries.attempts };
  const groupCalls = groupCallsOf(job, block, action.name);
  return {
    ...retries,
    action,
    level,
    section,
    namespace,
    connectionNamespace: block["connection-namespace"] ?? namespace,
    timeoutSeconds,
    connectionTimeoutSeconds: connectionSeconds(action, job),
    skipsTimeout: section === "test" && block.timeout?.skip === true,
    ...(groupCalls.length > 0 ? { groupCalls } : {}),
    steps: (action.steps ?? []).map((step, index) =>
      annotate(step, `${level}.${index + 1}`, place, own),
    ),
  };
}

type Kind = "deploy" | "boot" | "test" | "command";

/** LAVA looks at the first key of an item only (JOB.md 0). */
function firstBlock(item: JobAction, index: number): [Kind, NonNullable<JobAction[Kind]>] {
  const [kind] = Object.keys(item) as Kind[];
  const block = kind && item[kind];
  if (!kind || !block) throw new JobFailure("Job", `actions[${index}] is empty`);
  return [kind, block];
}

function pick(
  strategies: readonly Strategy[],
  kind: Kind,
  block: object,
  { job }: StrategyContext,
  index: number,
): Strategy {
  const refusals: string[] = [];
  for (const strategy of strategies.filter(({ family }) => family === kind)) {
    const refusal = strategy.refuses(block as never, job);
    if (refusal === undefined) return strategy;
    refusals.push(`${strategy.name}: ${refusal}`);
  }
  // Who could do something else has nothing to say about it.
  const own = refusals.filter((refusal) => !FOR_ANOTHER.test(refusal));
  const { to, method } = block as { to?: unknown; method?: unknown };
  const asked = to ?? method;
  const none = `this worker has no ${kind} strategy${asked === undefined ? "" : ` ${String(asked)}`}`;
  const why = own.length > 0 ? own.join("; ") : none;
  throw new JobFailure("Job", `actions[${index}].${kind} can't be done on this device: ${why}`);
}

/** How a strategy says that a block is for another one (strategy.ts). */
const FOR_ANOTHER = /^\S+: the (?:method is|deployment is to|block has no) /;

function namespacesOf(actions: readonly JobAction[]): string[] {
  const named = actions.map((item, index) => {
    const namespace = firstBlock(item, index)[1].namespace;
    if (namespace !== undefined && RESERVED.includes(namespace)) {
      throw new JobFailure("Job", `actions[${index}]: the namespace ${namespace} is reserved`);
    }
    return namespace;
  });
  const missing = named.indexOf(undefined);
  if (missing >= 0 && named.some((namespace) => namespace !== undefined)) {
    const message = `actions[${missing}] has no namespace: when one action has one, all must`;
    throw new JobFailure("Job", message);
  }
  return named.map((namespace) => namespace ?? "common");
}

/** Test blocks that use the overlay which this namespace deploys. */
function testsOf(
  actions: readonly JobAction[],
  namespaces: readonly string[],
  namespace: string,
): TestBlock[] {
  return actions.flatMap(({ test }, index) =>
    test && usesOverlay(test) && namespaces[index] === namespace ? [test] : [],
  );
}

/** Test blocks that run in the shell behind this namespace's connection. */
function shellTestsOn(
  actions: readonly JobAction[],
  namespaces: readonly string[],
  namespace: string,
): TestBlock[] {
  return actions.flatMap(({ test }, index) => {
    if (!test || !usesOverlay(test) || test["docker"] !== undefined) return [];
    return [namespaces[index], test["connection-namespace"]].includes(namespace) ? [test] : [];
  });
}

const usesOverlay = (test: TestBlock): boolean => test.definitions !== undefined;

function checkConnection(
  { "connection-namespace": wanted }: { "connection-namespace"?: string | undefined },
  earlier: readonly string[],
  index: number,
): void {
  if (wanted === undefined || earlier.includes(wanted)) return;
  const message = `actions[${index}]: Unable to reuse connection from namespace '${wanted}': no earlier action has it`;
  throw new JobFailure("Job", message);
}
