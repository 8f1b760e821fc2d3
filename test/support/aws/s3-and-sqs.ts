import { randomBytes } from "node:crypto";
import type { AwsPlace, Credentials } from "../../../control-plane/engines/aws/place.ts";
import { createEmulator } from "./emulator.ts";
import { createFaults, type Faults } from "./faults.ts";
import { type CallMeter, createCallMeter } from "./meter.ts";
import { createS3, refuseAsS3, s3Operation } from "./s3-service.ts";
import type { AwsService, SignatureCheck } from "./sigv4.ts";
import { createQueues } from "./sqs-queues.ts";
import { createSqs, refuseAsSqs, sqsOperation } from "./sqs-service.ts";
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
  /** Where a lab's engine finds them; its table is nowhere yet. */
  readonly place: AwsPlace;
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
  let emulator = createEmulator(region);
  const behind = {
    s3: (call: Parameters<typeof emulator.s3>[0]) => emulator.s3(call),
    sqs: (...call: Parameters<typeof emulator.sqs>) => emulator.sqs(...call),
    close: () => emulator.close(),
  };
  const check = (service: AwsService) => (): SignatureCheck => ({
    service,
    region,
    credentials,
    now: now(),
  });
  let sqsEndpoint = "";
  const queues = createQueues({
    emulator: behind,
    faults,
    now,
    urlBase: () => `${sqsEndpoint}/${ACCOUNT}`,
  });
  const s3 = createS3({ emulator: behind, meter, corsOrigins, check: check("s3") });
  const sqs = createSqs({ queues, endpoint: () => sqsEndpoint, check: check("sqs") });
  const common = { maxBodyBytes, now, meter, faults };
  const s3Front = await startFront({
    ...common,
    service: "s3",
    operationOf: s3Operation,
    handle: async (request, operation) => await s3.handle(request, operation),
    refuse: refuseAsS3,
  });
  const sqsFront = await startFront({
    ...common,
    service: "sqs",
    operationOf: sqsOperation,
    handle: async (...call) => await sqs.handle(...call),
    refuse: refuseAsSqs,
  });
  sqsEndpoint = sqsFront.endpoint;
  const makeBuckets = async () => {
    for (const bucket of buckets) {
      await behind.s3({ method: "PUT", path: `/${bucket}`, headers: {}, body: Buffer.alloc(0) });
    }
  };
  await makeBuckets();
  return {
    s3Endpoint: s3Front.endpoint,
    sqsEndpoint,
    region,
    credentials,
    bucket: buckets[0] ?? "",
    place: {
      region,
      table: "",
      bucket: buckets[0] ?? "",
      passesQueueUrl: `${sqsEndpoint}/${ACCOUNT}/pumice-passes.fifo`,
      queuePrefix: "pumice",
      credentials,
      endpoints: { s3: s3Front.endpoint, sqs: sqsEndpoint },
    },
    meter,
    faults,
    pollsStanding: () => queues.standing(),
    async purge() {
      await queues.purge();
      faults.clear();
      meter.forgetStored();
      await emulator.close();
      emulator = createEmulator(region);
      await makeBuckets();
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
