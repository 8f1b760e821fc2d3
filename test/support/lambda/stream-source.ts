import { LAB_TEMPLATE, readTemplate } from "../../../infra/read-template.ts";
import type { DynamoDb } from "../aws/dynamodb.ts";
import type { Attributes } from "../aws/dynamodb-units.ts";

export interface StreamSource {
  /** Resolves when nothing waits and no batch is at work. */
  settled(): Promise<void>;
  /** How often the function was called. */
  calls(): number;
  close(): Promise<void>;
}

interface Mapping {
  readonly BatchSize: number;
  readonly MaximumRetryAttempts: number;
  readonly FilterCriteria: { readonly Filters: readonly { readonly Pattern: string }[] };
}

/**
 * Lambda's event source for the table's stream, with the filter and the bounds of infra/template.yaml: one batch after the other; one
 * that failed comes again, a few times. What a shard is to DynamoDB, the whole table is here.
 */
export function startStreamSource(
  dynamodb: DynamoDb,
  invoke: (event: unknown) => Promise<unknown>,
): StreamSource {
  const mapping = readTemplate(LAB_TEMPLATE).template.Resources["TakeChanges"]
    ?.Properties as unknown as Mapping;
  const patterns = mapping.FilterCriteria.Filters.map(
    ({ Pattern }) => JSON.parse(Pattern) as Pattern,
  );
  let waiting: object[] = [];
  let calls = 0;
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const Records = waiting.slice(0, mapping.BatchSize);
      waiting = waiting.slice(mapping.BatchSize);
      for (let attempt = 0; attempt <= mapping.MaximumRetryAttempts; attempt++) {
        calls += 1;
        if (
          await invoke({ Records }).then(
            () => true,
            () => false,
          )
        )
          break;
      }
    }
    working = undefined;
  }

  dynamodb.stream((before, after) => {
    const record = recordOf(before, after);
    if (!patterns.some((pattern) => fits(record, pattern))) return;
    waiting.push(record);
    working ??= Promise.resolve().then(work);
  });
  return {
    async settled() {
      while (working) await working;
    },
    calls: () => calls,
    async close() {
      dynamodb.stream(undefined);
      await working;
    },
  };
}

function recordOf(before: Attributes | undefined, after: Attributes | undefined) {
  const { p = {}, s = {} } = after ?? before ?? {};
  return {
    eventName: !after ? "REMOVE" : before ? "MODIFY" : "INSERT",
    eventSource: "aws:dynamodb",
    dynamodb: { Keys: { p, s }, NewImage: after, StreamViewType: "NEW_IMAGE" },
  };
}

interface Pattern {
  readonly [name: string]: Pattern | readonly (string | { readonly prefix: string })[];
}

/** As Lambda filters events: all names of the pattern, any of the values of each. */
function fits(value: unknown, pattern: Pattern): boolean {
  return Object.entries(pattern).every(([name, rule]) => {
    const part = (value as Record<string, unknown> | undefined)?.[name];
    if (!Array.isArray(rule)) return fits(part, rule as Pattern);
    return (rule as readonly (string | { prefix: string })[]).some((one) =>
      typeof one === "string" ? part === one : String(part).startsWith(one.prefix),
    );
  });
}
