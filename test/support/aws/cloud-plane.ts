import { createHash, randomBytes } from "node:crypto";
import path from "node:path";
import { startLambda, type Gateway } from "../lambda/gateway.ts";
import { startCloud, type Cloud } from "./cloud.ts";

/** A control plane of the bundled Lambda functions on emulators. */
export interface CloudPlane {
  readonly adminToken: string;
  /** Of the functions. */
  readonly env: Readonly<Record<string, string>>;
  readonly cloud: { readonly aws: Cloud; readonly gateway: Gateway };
  url(): string;
  /** The functions are no one process. */
  readonly process?: undefined;
  /** Every environment that is at work dies; the others are gone too. */
  kill(): Promise<void>;
  /** There is nothing to be started: the next call does it. */
  start(): Promise<void>;
  close(): Promise<void>;
}

const bundleFolder = path.resolve(import.meta.dirname, "../../../dist/lambda");

export async function startCloudPlane({
  folder = bundleFolder,
  env = {},
}: { folder?: string; env?: Record<string, string> } = {}): Promise<CloudPlane> {
  const aws = await startCloud();
  const id = randomBytes(8).toString("hex");
  const adminToken = `pumice_${id}_${randomBytes(32).toString("base64url")}`;
  const hash = createHash("sha256").update(adminToken).digest("hex");
  const { region, credentials, passesQueueUrl } = aws.place;
  const all = { ...aws.env, PUMICE_FIRST_ADMIN: `${id}:${hash}`, ...env };
  const gateway = await startLambda({
    bundleFolder: folder,
    env: all,
    passesQueue: {
      url: passesQueueUrl,
      region,
      credentials,
      endpoint: aws.storage.sqsEndpoint,
    },
    // EventBridge's minute would make a test wait.
    tickEveryMs: 5_000,
  });
  aws.allowPagesOf(gateway.url);
  return {
    adminToken,
    env: all,
    cloud: { aws, gateway },
    url: () => gateway.url,
    async kill() {
      for (const name of ["http", "schedule", "tick"]) gateway.kill(name);
      await gateway.recycle();
    },
    start: async () => {},
    async close() {
      await gateway.close();
      await aws.close();
    },
  };
}
