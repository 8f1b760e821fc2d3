import { CloudFormationClient } from "@aws-sdk/client-cloudformation";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { S3Client } from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import { UsageError } from "../control-plane/cli/command.ts";

/** The account and region to work in. Whoever opened it calls `close`. */
export interface Cloud {
  readonly region: string;
  readonly cloudFormation: CloudFormationClient;
  readonly s3: S3Client;
  readonly dynamodb: DynamoDBClient;
  readonly sqs: SQSClient;
  close(): void;
}

const NO_REGION =
  "no region: give --region eu-central-1 or the like, or set AWS_REGION, or AWS_PROFILE to a profile that has one";
const NO_CREDENTIALS =
  "no credentials for AWS: set AWS_PROFILE (and run `aws sso login` if it asks for that), or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/**
 * The account as every tool of AWS finds it: environment, profile, single sign-on, the machine's role. Throws
 * `UsageError` when there is no region or there are no credentials; nothing is asked of AWS yet.
 */
export async function openCloud(region: string | undefined): Promise<Cloud> {
  const wanted =
    region || process.env["AWS_REGION"] || process.env["AWS_DEFAULT_REGION"] || undefined;
  const options = { ...(wanted ? { region: wanted } : {}), maxAttempts: 5 };
  const cloudFormation = new CloudFormationClient(options);
  const found = wanted ?? (await cloudFormation.config.region().catch(() => ""));
  if (!found) throw new UsageError(NO_REGION);
  if (!/^[a-z]{2}(-[a-z]+)+-\d+$/.test(found)) {
    throw new UsageError(`${found} is no region of AWS; one is eu-central-1, say`);
  }
  const { credentials } = cloudFormation.config;
  await credentials().catch((error: unknown) => {
    throw new UsageError(NO_CREDENTIALS, { cause: error });
  });
  const same = { ...options, region: found, credentials };
  const clients = {
    cloudFormation,
    s3: new S3Client(same),
    dynamodb: new DynamoDBClient(same),
    sqs: new SQSClient(same),
  };
  return {
    region: found,
    ...clients,
    close() {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}
