import { type Fields, sqsRefusal } from "./emulator.ts";
import { type AwsAnswer, type AwsRefusal, type AwsRequest, headerOf } from "./exchange.ts";
import { type SignatureCheck, verifySignature } from "./sigv4.ts";
import { queryParameters, readQuery, writeQueryAnswer, writeQueryRefusal } from "./sqs-query.ts";
import type { Queues } from "./sqs-queues.ts";
import type { Service } from "./strict-front.ts";

export interface SqsOptions {
  readonly queues: Queues;
  readonly endpoint: () => string;
  check(): SignatureCheck;
}

const TARGET = "x-amz-target";

/** SQS by its JSON protocol, which the SDK speaks, and by its Query protocol, which alone can be presigned. */
export function createSqs(options: SqsOptions): Service {
  return {
    operationOf: sqsOperation,
    refuse: refuseAsSqs,
    async handle(request, operation, signal) {
      verifySignature(request, options.check());
      if (headerOf(request, TARGET) !== undefined) {
        return json(
          200,
          await options.queues.call({ operation, input: readJson(request), signal }),
        );
      }
      const queueUrl = `${options.endpoint()}${request.path}`;
      const input = readQuery(queryParameters(request), queueUrl);
      return writeQueryAnswer(operation, await options.queues.call({ operation, input, signal }));
    },
  };
}

/** AWS's name for what a request asks of SQS, by either protocol. */
const sqsOperation = (request: AwsRequest): string =>
  headerOf(request, TARGET)?.replace(/^AmazonSQS\./, "") ??
  queryParameters(request).get("Action") ??
  "Unknown";

/** A refusal in the words of the protocol that the request speaks. */
function refuseAsSqs(refusal: AwsRefusal, request: AwsRequest | undefined): AwsAnswer {
  if (request === undefined || headerOf(request, TARGET) === undefined) {
    return writeQueryRefusal(refusal);
  }
  const fault = refusal.status >= 500 ? "Receiver" : "Sender";
  return json(
    refusal.status,
    { __type: `com.amazonaws.sqs#${refusal.code}`, message: refusal.message },
    { "x-amzn-query-error": `${refusal.queryCode};${fault}` },
  );
}

function readJson(request: AwsRequest): Fields {
  const type = headerOf(request, "content-type") ?? "";
  try {
    const input: unknown = JSON.parse(request.body.toString());
    if (type === "application/x-amz-json-1.0" && typeof input === "object" && input !== null) {
      return input as Fields;
    }
  } catch {
    // Said below.
  }
  throw sqsRefusal("SerializationException", "Expected an object of application/x-amz-json-1.0.");
}

const json = (status: number, output: Fields, headers = {}): AwsAnswer => ({
  status,
  headers: {
    "content-type": "application/x-amz-json-1.0",
    "x-amzn-requestid": "strict-front",
    ...headers,
  },
  body: Buffer.from(JSON.stringify(output)),
});
