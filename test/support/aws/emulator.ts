import { buildApp } from "fauxqs";
import { type AwsAnswer, AwsRefusal } from "./exchange.ts";

export type Fields = Record<string, unknown>;

/** The emulator behind the fronts. It believes everything; no socket leads to it. */
export interface Emulator {
  s3(call: {
    method: string;
    path: string;
    headers: Record<string, string>;
    body: Buffer;
  }): Promise<AwsAnswer>;
  /** One operation of the JSON protocol. Throws AwsRefusal. */
  sqs(operation: string, input: Fields): Promise<Fields>;
  /** As new: no queue and nothing in the buckets. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** fauxqs in this process, asked without a port: listening, it would listen on every address of the machine. */
export async function createEmulator(
  region: string,
  buckets: readonly string[],
): Promise<Emulator> {
  let app = buildApp({ logger: false, defaultRegion: region });
  const s3: Emulator["s3"] = async ({ method, path, headers, body }) => {
    const answer = await app.inject({
      method: method as "GET",
      url: path,
      headers: { ...headers, host: "localhost" },
      ...(body.length === 0 ? {} : { payload: body }),
    });
    return {
      status: answer.statusCode,
      headers: textHeaders(answer.headers),
      body: answer.rawPayload,
    };
  };
  async function makeBuckets(): Promise<void> {
    for (const bucket of buckets) {
      await s3({ method: "PUT", path: `/${bucket}`, headers: {}, body: Buffer.alloc(0) });
    }
  }
  await makeBuckets();
  return {
    s3,
    async sqs(operation, input) {
      const answer = await app.inject({
        method: "POST",
        url: "/",
        headers: {
          host: "localhost",
          "content-type": "application/x-amz-json-1.0",
          "x-amz-target": `AmazonSQS.${operation}`,
        },
        payload: JSON.stringify(input),
      });
      const output = answer.json<Fields>();
      if (answer.statusCode === 200) return output;
      throw refusalOf(answer.statusCode, output);
    },
    async reset() {
      await app.close();
      app = buildApp({ logger: false, defaultRegion: region });
      await makeBuckets();
    },
    close: async () => await app.close(),
  };
}

/** Codes of the Query protocol that differ from the JSON protocol's. */
const QUERY_CODES: Record<string, string> = {
  QueueDoesNotExist: "AWS.SimpleQueueService.NonExistentQueue",
  QueueDeletedRecently: "AWS.SimpleQueueService.QueueDeletedRecently",
  QueueNameExists: "QueueAlreadyExists",
  MessageNotInflight: "AWS.SimpleQueueService.MessageNotInflight",
  PurgeQueueInProgress: "AWS.SimpleQueueService.PurgeQueueInProgress",
  EmptyBatchRequest: "AWS.SimpleQueueService.EmptyBatchRequest",
  TooManyEntriesInBatchRequest: "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
  BatchEntryIdsNotDistinct: "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
  InvalidBatchEntryId: "AWS.SimpleQueueService.InvalidBatchEntryId",
  BatchRequestTooLong: "AWS.SimpleQueueService.BatchRequestTooLong",
  UnsupportedOperation: "AWS.SimpleQueueService.UnsupportedOperation",
};

/** A refusal by SQS: `code` as the JSON protocol names it. */
export const sqsRefusal = (code: string, message: string, status = 400): AwsRefusal =>
  new AwsRefusal(status, code, message, QUERY_CODES[code] ?? code);

function refusalOf(status: number, output: Fields): AwsRefusal {
  const code = String(output.__type ?? "InternalFailure").replace(/^.*#/, "");
  return sqsRefusal(code, String(output.message ?? ""), status);
}

function textHeaders(headers: Record<string, unknown>): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name, value]) =>
      value !== undefined && !["connection", "date", "transfer-encoding"].includes(name),
  );
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]));
}
