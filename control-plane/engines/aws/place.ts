export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Where a lab lives in AWS: what CloudFormation made for it. */
export interface AwsPlace {
  readonly region: string;
  readonly table: string;
  readonly bucket: string;
  readonly passesQueueUrl: string;
  /** Names of the workers' queues begin with it. */
  readonly queuePrefix: string;
  readonly credentials: Credentials;
  /** Other addresses than AWS's own, for emulators. */
  readonly endpoints?: {
    readonly dynamodb?: string | undefined;
    readonly s3?: string | undefined;
    readonly sqs?: string | undefined;
  };
}

/** What every client of the SDK is made with: quick to notice a dead connection, patient with throttling. */
export const clientOptions = (place: AwsPlace, endpoint: string | undefined) => ({
  region: place.region,
  credentials: place.credentials,
  maxAttempts: 6,
  ...(endpoint === undefined ? {} : { endpoint }),
  requestHandler: { connectionTimeout: 1500, requestTimeout: 5000 },
});
