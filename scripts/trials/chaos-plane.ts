import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import { GetQueueAttributesCommand, SQSClient, type QueueAttributeName } from "@aws-sdk/client-sqs";
import { startCloudPlane } from "../../test/support/aws/cloud-plane.ts";
import { root } from "../../test/support/real-lab.ts";
import { serveProcess } from "../../test/support/serve-process.ts";
import type { Dice } from "./dice.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { Engine } from "./load-plane.ts";

/** The control plane of a lab that is broken: what can be done to it, and what it leaves behind. */
export interface ChaosPlane {
  readonly url: string;
  readonly adminToken: string;
  readonly clock: FakeClock | undefined;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Lets the services under it fail for some requests; says how. Undefined where there are none. */
  readonly failServices: ((dice: Dice) => string) | undefined;
  heal(): void;
  openFiles(): number;
  /** What is there that belongs to nothing, once the lab is at rest. */
  leaks(jobs: ReadonlySet<number>): Promise<string[]>;
  close(): Promise<void>;
}

export async function chaosPlane(
  engine: Engine,
  dir: string,
  clock: FakeClock | undefined,
): Promise<ChaosPlane> {
  return engine === "aws" ? onAws() : embedded(dir, clock);
}

async function embedded(dir: string, clock: FakeClock | undefined): Promise<ChaosPlane> {
  const data = path.join(dir, "data");
  const file = path.join(root, "dist/pumice.mjs");
  const server = await serveProcess(file, data, [], clock?.env);
  return {
    ...{ url: server.url(), adminToken: server.adminToken, clock },
    kill: () => server.kill(),
    start: () => server.start(),
    failServices: undefined,
    heal: () => {},
    openFiles: () => readdirSync(`/proc/${server.process().pid}/fd`).length,
    leaks: async (jobs) => {
      const names = (folder: string): string[] =>
        existsSync(path.join(data, folder)) ? readdirSync(path.join(data, folder)) : [];
      return [
        ...names("incoming").map((name) => `half a file: incoming/${name}`),
        ...names("blobs/jobs")
          .filter((id) => !jobs.has(Number(id)))
          .map((id) => `files of job ${id}, which is not there`),
      ];
    },
    close: () => server.close(),
  };
}

const TABLE_CALLS = ["GetItem", "Query", "TransactWriteItems", "UpdateItem"] as const;

async function onAws(): Promise<ChaosPlane> {
  const plane = await startCloudPlane();
  const { dynamodb, storage } = plane.cloud.aws;
  return {
    ...{ url: plane.url(), adminToken: plane.adminToken, clock: undefined },
    kill: () => plane.kill(),
    start: () => plane.start(),
    failServices(dice) {
      const times = Math.round(dice.between(1, 20));
      const kind = dice.of(["throttle", "error500", "lostAnswer"] as const);
      const service = dice.of(["dynamodb", "s3", "sqs"] as const);
      if (service === "dynamodb") {
        const operation = dice.of(TABLE_CALLS);
        dynamodb.fail({ operation, kind, times });
        return `${operation} of the table: ${kind}, ${times} times`;
      }
      storage.faults.next({ service, kind, times });
      return `${service}: ${kind}, ${times} times`;
    },
    heal() {
      dynamodb.clearFaults();
      storage.faults.clear();
    },
    openFiles: () => 0,
    async leaks() {
      await plane.cloud.gateway.settled();
      const { region, credentials, endpoints, passesQueueUrl } = plane.cloud.aws.place;
      const sqs = new SQSClient({
        region,
        credentials,
        ...(endpoints?.sqs === undefined ? {} : { endpoint: endpoints.sqs }),
      });
      const AttributeNames: QueueAttributeName[] = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
      ];
      const asked = new GetQueueAttributesCommand({ QueueUrl: passesQueueUrl, AttributeNames });
      const { Attributes = {} } = await sqs.send(asked);
      return Object.entries(Attributes)
        .filter(([, count]) => Number(count) > 0)
        .map(([name, count]) => `messages of passes: ${name} ${count}`);
    },
    close: () => plane.close(),
  };
}
