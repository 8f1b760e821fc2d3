import { createHash, randomBytes } from "node:crypto";
import path from "node:path";
import { startLambda, type Gateway } from "../lambda/gateway.ts";
import { startSocketFront, type SocketFront } from "../lambda/socket-front.ts";
import { startStreamSource, type StreamSource } from "../lambda/stream-source.ts";
import { startCloud, type Cloud } from "./cloud.ts";

/** A control plane of the bundled Lambda functions on emulators. */
export interface CloudPlane {
  readonly adminToken: string;
  /** Of the functions. */
  readonly env: Readonly<Record<string, string>>;
  readonly cloud: {
    readonly aws: Cloud;
    readonly gateway: Gateway;
    /** LAVA's event stream, where it was asked for. */
    readonly events: SocketFront | undefined;
    readonly stream: StreamSource | undefined;
  };
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
  hasEvents = false,
}: {
  folder?: string;
  env?: Record<string, string>;
  hasEvents?: boolean;
} = {}): Promise<CloudPlane> {
  const aws = await startCloud();
  const id = randomBytes(8).toString("hex");
  const adminToken = `pumice_${id}_${randomBytes(32).toString("base64url")}`;
  const hash = createHash("sha256").update(adminToken).digest("hex");
  const { region, credentials, passesQueueUrl } = aws.place;
  const invoke = (event: unknown): Promise<string> => gateway.invoke("events", event);
  const events = hasEvents ? await startSocketFront({ invoke, region, credentials }) : undefined;
  const own = events && {
    PUMICE_CONNECTIONS_URL: events.connectionsUrl,
    PUMICE_EVENTS_URL: events.connectionsUrl,
  };
  const all = { ...aws.env, PUMICE_FIRST_ADMIN: `${id}:${hash}`, ...own, ...env };
  const gateway: Gateway = await startLambda({
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
  const stream = events && startStreamSource(aws.dynamodb, invoke);
  return {
    adminToken,
    env: all,
    cloud: { aws, gateway, events, stream },
    url: () => gateway.url,
    async kill() {
      for (const name of ["http", "schedule", "tick", "events"]) gateway.kill(name);
      await gateway.recycle();
    },
    start: async () => {},
    async close() {
      await events?.close();
      await stream?.close();
      await gateway.close();
      await aws.close();
    },
  };
}
