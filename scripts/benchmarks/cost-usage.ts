import { DynamoDBClient, paginateScan } from "@aws-sdk/client-dynamodb";
import type { Cloud } from "../../test/support/aws/cloud.ts";
import { INDEXES, itemBytes, type Attributes } from "../../test/support/aws/dynamodb-units.ts";
import type { Gateway } from "../../test/support/lambda/gateway.ts";
import { NOTHING, type Usage } from "./prices.ts";

/** Memory of the functions as infra/template.yaml has it, MB. */
const MEMORY_MB: Record<string, number> = { http: 512, schedule: 512, tick: 256, events: 256 };
/** Lambda gives a whole processor at 1,769 MB; what takes a millisecond here takes longer with less. */
const FULL_PROCESSOR_MB = 1769;
/** START, END and REPORT of each invocation, and the API's access log: bytes that we don't write ourselves. */
const PLATFORM_LOG_BYTES = 350;
const ACCESS_LOG_BYTES = 400;
/** AWS adds this to each item and index entry that it stores. */
const STORED_OVERHEAD_BYTES = 100;

export interface Counted {
  readonly aws: Cloud;
  readonly gateway: Gateway;
}

/** Everything that was used since the last `resetUsage`; what is stored is as it is now. */
export async function readUsage({ aws, gateway }: Counted): Promise<Usage> {
  const units = aws.dynamodb.meter.read();
  const storage = aws.storage.meter.read();
  const functions = gateway.meter.read();
  const usage: Usage = {
    ...NOTHING,
    readUnits: units.reads,
    writeUnits: units.writes + units.indexWrites,
    httpRequests: functions["http"]?.invocations ?? 0,
    s3Bytes: storage.storedBytes,
    tableBytes: await tableBytes(aws),
  };
  for (const [name, { invocations, billedMs, initMs }] of Object.entries(functions)) {
    const memoryMb = MEMORY_MB[name] ?? 512;
    const seconds = ((billedMs + initMs) / 1000) * (FULL_PROCESSOR_MB / memoryMb);
    usage.lambdaRequests += invocations;
    usage.lambdaGbSeconds += seconds * (memoryMb / 1024);
    usage.logBytes += invocations * PLATFORM_LOG_BYTES;
  }
  usage.logBytes += usage.httpRequests * ACCESS_LOG_BYTES;
  usage.logBytes += gateway.lines.reduce((sum, line) => sum + line.length + 1, 0);
  for (const [operation, { calls }] of Object.entries(storage.s3)) {
    if (/^(Put|Copy|Post|List)/.test(operation)) usage.s3Puts += calls;
    else usage.s3Gets += calls;
  }
  for (const { calls } of Object.values(storage.sqs)) usage.sqsRequests += calls;
  return usage;
}

export function resetUsage({ aws, gateway }: Counted): void {
  aws.dynamodb.meter.reset();
  aws.storage.meter.reset();
  gateway.meter.reset();
}

async function tableBytes({ place, dynamodb }: Cloud): Promise<number> {
  const { region, credentials, table: TableName } = place;
  const client = new DynamoDBClient({ region, credentials, endpoint: dynamodb.endpoint });
  let bytes = 0;
  for await (const page of paginateScan({ client }, { TableName })) {
    for (const item of (page.Items ?? []) as unknown as Attributes[]) {
      bytes += itemBytes(item) + STORED_OVERHEAD_BYTES;
      for (const index of INDEXES) {
        if (!item[`${index}p`]) continue;
        const keys = ["p", "s", `${index}p`, `${index}s`];
        bytes += STORED_OVERHEAD_BYTES;
        for (const name of keys) bytes += itemBytes({ [name]: item[name] ?? {} });
      }
    }
  }
  client.destroy();
  return bytes;
}
