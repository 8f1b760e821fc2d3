import { type Fields, sqsRefusal } from "./emulator.ts";
import { type AwsAnswer, type AwsRefusal, decodePairs, escapeXml } from "./exchange.ts";
import { type AwsRequest, headerOf } from "./exchange.ts";

const VERSION = "2012-11-05";
const NUMBERS = new Set([
  "DelaySeconds",
  "MaxNumberOfMessages",
  "VisibilityTimeout",
  "WaitTimeSeconds",
]);
const TEXTS = new Set([
  "MessageBody",
  "MessageDeduplicationId",
  "MessageGroupId",
  "QueueName",
  "QueueNamePrefix",
  "QueueUrl",
  "ReceiptHandle",
  "ReceiveRequestAttemptId",
]);
/** `AttributeName.1=All` and so on: the list it is one of. */
const LISTS: Record<string, string> = {
  AttributeName: "AttributeNames",
  MessageAttributeName: "MessageAttributeNames",
  MessageSystemAttributeName: "MessageSystemAttributeNames",
};
/** Where AWS reads them for signing alone. */
const IGNORED = /^(Action|Version|X-Amz-.*)$/;

/** The parameters of a Query request, of the query string and of a form. */
export function queryParameters(request: AwsRequest): Map<string, string> {
  const isForm = (headerOf(request, "content-type") ?? "").startsWith(
    "application/x-www-form-urlencoded",
  );
  return new Map([...request.query, ...(isForm ? decodePairs(request.body.toString()) : [])]);
}

/**
 * A request of SQS's Query protocol as the JSON protocol has it. The path names the queue. Known are the operations of
 * one message or queue, not batches or message attributes. Throws AwsRefusal at any other parameter.
 */
export function readQuery(parameters: ReadonlyMap<string, string>, queueUrl: string): Fields {
  if (parameters.get("Version") !== VERSION) {
    throw sqsRefusal("NoSuchVersion", `Version must be ${VERSION}.`);
  }
  const input: Record<string, unknown> = { QueueUrl: queueUrl };
  for (const [name, value] of parameters) {
    const [, list = "", index] = /^(\w+)\.(\d+)$/.exec(name) ?? [];
    if (IGNORED.test(name)) continue;
    if (index !== undefined && LISTS[list] !== undefined) {
      input[LISTS[list]] = [...((input[LISTS[list]] ?? []) as string[]), value];
    } else if (NUMBERS.has(name)) {
      input[name] = /^-?\d+$/.test(value) ? Number(value) : value;
    } else if (TEXTS.has(name)) {
      input[name] = value;
    } else {
      throw sqsRefusal("InvalidParameterValue", `The tests' SQS does not know ${name} by Query.`);
    }
  }
  return input;
}

/** The answer of the JSON protocol in the XML of the Query protocol. */
export function writeQueryAnswer(operation: string, output: Fields): AwsAnswer {
  const result = resultOf(output);
  const inner =
    result === "" && output.Messages === undefined && operation !== "ReceiveMessage"
      ? ""
      : `<${operation}Result>${result}</${operation}Result>`;
  return xml(
    200,
    `<${operation}Response xmlns="http://queue.amazonaws.com/doc/${VERSION}/">${inner}<ResponseMetadata><RequestId>strict-front</RequestId></ResponseMetadata></${operation}Response>`,
  );
}

export const writeQueryRefusal = (refusal: AwsRefusal): AwsAnswer =>
  xml(
    refusal.status,
    `<ErrorResponse xmlns="http://queue.amazonaws.com/doc/${VERSION}/"><Error><Type>${refusal.status >= 500 ? "Receiver" : "Sender"}</Type><Code>${refusal.queryCode}</Code><Message>${escapeXml(refusal.message)}</Message><Detail/></Error><RequestId>strict-front</RequestId></ErrorResponse>`,
  );

function resultOf(output: Fields): string {
  return Object.entries(output)
    .map(([name, value]) => {
      if (name === "Messages") return (value as Fields[]).map(messageOf).join("");
      if (name === "Attributes") return attributesOf(value as Fields);
      if (name === "QueueUrls")
        return (value as string[]).map((url) => tag("QueueUrl", url)).join("");
      return tag(name, String(value));
    })
    .join("");
}

function messageOf(message: Fields): string {
  const { Attributes = {}, MessageAttributes: _, ...rest } = message;
  const plain = Object.entries(rest).map(([name, value]) => tag(name, String(value)));
  return `<Message>${plain.join("")}${attributesOf(Attributes as Fields)}</Message>`;
}

const attributesOf = (attributes: Fields): string =>
  Object.entries(attributes)
    .map(
      ([name, value]) =>
        `<Attribute>${tag("Name", name)}${tag("Value", String(value))}</Attribute>`,
    )
    .join("");

const tag = (name: string, text: string): string => `<${name}>${escapeXml(text)}</${name}>`;

const xml = (status: number, document: string): AwsAnswer => ({
  status,
  headers: { "content-type": "text/xml", "x-amzn-requestid": "strict-front" },
  body: Buffer.from(`<?xml version="1.0"?>${document}`),
});
