import {
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  ReceiveMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { AwsPlace } from "../../../control-plane/engines/aws/place.ts";
import { startDynamoDb, type DynamoDb } from "./dynamodb.ts";
import { startS3AndSqs, type S3AndSqs } from "./s3-and-sqs.ts";

/** An AWS account on loopback ports, with what infra/template.yaml makes for one lab. */
export interface Cloud {
  readonly dynamodb: DynamoDb;
  readonly storage: S3AndSqs;
  readonly place: AwsPlace;
  /** What the Lambda functions get beside it. */
  readonly env: Readonly<Record<string, string>>;
  /** Pages of this origin may read objects by signed GET, as the template's bucket lets those of the lab. */
  allowPagesOf(origin: string): void;
  /** It is there at the start; again after `storage.purge`. */
  makePassesQueue(): Promise<string>;
  /** Gives every scheduling pass that is asked for to `pass`, each device type once a batch, until none is left. */
  runPasses(pass: (deviceType: string) => Promise<void>): Promise<void>;
  /** The lab with an empty table of its own. */
  newLab(): Promise<AwsPlace>;
  close(): Promise<void>;
}

export async function startCloud({ now = Date.now } = {}): Promise<Cloud> {
  const corsOrigins: string[] = [];
  const [dynamodb, storage] = await Promise.all([
    startDynamoDb({ now }),
    startS3AndSqs({ now, corsOrigins }),
  ]);
  const { region, credentials } = storage;
  const sqs = new SQSClient({ region, credentials, endpoint: storage.sqsEndpoint });
  const makePassesQueue = async (): Promise<string> => {
    const made = await sqs.send(
      new CreateQueueCommand({
        QueueName: "pumice-passes.fifo",
        Attributes: { FifoQueue: "true", VisibilityTimeout: "120" },
      }),
    );
    return made.QueueUrl ?? "";
  };
  const passesQueueUrl = await makePassesQueue();
  const place: AwsPlace = {
    region,
    credentials,
    table: dynamodb.table,
    bucket: storage.bucket,
    passesQueueUrl,
    queuePrefix: "pumice",
    endpoints: {
      dynamodb: dynamodb.endpoint,
      s3: storage.s3Endpoint,
      sqs: storage.sqsEndpoint,
    },
  };
  return {
    dynamodb,
    storage,
    place,
    env: environment(place),
    allowPagesOf: (origin) => void corsOrigins.push(origin),
    makePassesQueue,
    async runPasses(pass) {
      for (;;) {
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({ QueueUrl: passesQueueUrl, MaxNumberOfMessages: 10 }),
        );
        if (Messages.length === 0) return;
        for (const deviceType of new Set(Messages.map(({ Body }) => Body ?? ""))) {
          await pass(deviceType);
        }
        const Entries = Messages.map(({ ReceiptHandle }, n) => ({ Id: String(n), ReceiptHandle }));
        await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: passesQueueUrl, Entries }));
      }
    },
    newLab: async () => ({ ...place, table: await dynamodb.newTable() }),
    async close() {
      sqs.destroy();
      await Promise.all([dynamodb.close(), storage.close()]);
    },
  };
}

/** As infra/template.yaml sets it, with the emulators' addresses. */
const environment = ({ region, credentials, endpoints, ...place }: AwsPlace) => ({
  AWS_REGION: region,
  AWS_ACCESS_KEY_ID: credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  AWS_SESSION_TOKEN: credentials.sessionToken ?? "",
  AWS_ENDPOINT_URL_DYNAMODB: endpoints?.dynamodb ?? "",
  AWS_ENDPOINT_URL_S3: endpoints?.s3 ?? "",
  AWS_ENDPOINT_URL_SQS: endpoints?.sqs ?? "",
  PUMICE_TABLE: place.table,
  PUMICE_BUCKET: place.bucket,
  PUMICE_PASSES_QUEUE_URL: place.passesQueueUrl,
  PUMICE_QUEUE_PREFIX: place.queuePrefix,
});
