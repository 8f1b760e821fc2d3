import { randomBytes } from "node:crypto";
import type { Credentials } from "../../../control-plane/engines/aws/place.ts";
import { createEmulator } from "./emulator.ts";
import { createFaults, type Faults } from "./faults.ts";
import { type CallMeter, createCallMeter } from "./meter.ts";
import { createS3 } from "./s3-service.ts";
import type { AwsService, SignatureCheck } from "./sigv4.ts";
import { createQueues } from "./sqs-queues.ts";
import { createSqs } from "./sqs-service.ts";
import { startFront } from "./strict-front.ts";

export interface S3AndSqsOptions {
  /** Made before it starts; `pumice-test` unless told. */
  readonly buckets?: readonly string[];
  readonly region?: string;
  /** Temporary ones, with a session token, unless told. Only they are accepted. */
  readonly credentials?: Credentials;
  /** Epoch milliseconds, the real clock unless told: signatures, visibility, retention and names at rest go by it. */
  readonly now?: () => number;
  /** The largest body of one request: 10 MiB unless told. */
  readonly maxBodyBytes?: number;
  /** Origins whose pages may read objects; none unless told. */
  readonly corsOrigins?: readonly string[];
}

export interface S3AndSqs {
  readonly s3Endpoint: string;
  readonly sqsEndpoint: string;
  readonly region: string;
  readonly credentials: Credentials;
  readonly bucket: string;
  readonly meter: Pick<CallMeter, "read" | "reset">;
  readonly faults: Pick<Faults, "next" | "clear" | "pending">;
  /** How many long polls stand now, with nothing to give them. */
  pollsStanding(): number;
  /** No queue, no object and no planned fault is left; the buckets are, and the meter's counts. */
  purge(): Promise<void>;
  /** Ends every poll and connection. */
  close(): Promise<void>;
}

const ACCOUNT = "000000000000";

/**
 * S3 and SQS on two loopback ports, as strict as AWS about signatures, times, lengths and checksums, with an emulator
 * behind them. It says no to what it doesn't know rather than guess.
 */
export async function startS3AndSqs(options: S3AndSqsOptions = {}): Promise<S3AndSqs> {
  const {
    buckets = ["pumice-test"],
    region = "eu-central-1",
    credentials = temporaryCredentials(),
    now = Date.now,
    maxBodyBytes = 10 * 2 ** 20,
    corsOrigins = [],
  } = options;
  const meter = createCallMeter();
  const faults = createFaults();
  const emulator = await createEmulator(region, buckets);
  const check = (service: AwsService) => (): SignatureCheck => ({
    service,
    region,
    credentials,
    now: now(),
  });
  const common = { maxBodyBytes, now, meter, faults };
  const s3 = createS3({ emulator, meter, corsOrigins, check: check("s3") });
  const s3Front = await startFront({ ...common, ...s3, service: "s3" });
  let sqsEndpoint = "";
  const urlBase = () => `${sqsEndpoint}/${ACCOUNT}`;
  const queues = createQueues({ emulator, faults, now, urlBase });
  const sqs = createSqs({ queues, endpoint: () => sqsEndpoint, check: check("sqs") });
  const sqsFront = await startFront({ ...common, ...sqs, service: "sqs" });
  sqsEndpoint = sqsFront.endpoint;
  return {
    s3Endpoint: s3Front.endpoint,
    sqsEndpoint,
    region,
    credentials,
    bucket: buckets[0] ?? "",
    meter,
    faults,
    pollsStanding: () => queues.standing(),
    async purge() {
      await queues.purge();
      faults.clear();
      meter.forgetStored();
      await emulator.reset();
    },
    async close() {
      await Promise.all([s3Front.close(), sqsFront.close()]);
      await emulator.close();
    },
  };
}

/** As Lambda's role has them. */
const temporaryCredentials = (): Credentials => ({
  accessKeyId: `ASIA${randomBytes(8).toString("hex").toUpperCase()}`,
  secretAccessKey: randomBytes(30).toString("base64"),
  sessionToken: randomBytes(60).toString("base64"),
});
