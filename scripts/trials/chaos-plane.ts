import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import {
  GetQueueAttributesCommand,
  ListQueuesCommand,
  SQSClient,
  type QueueAttributeName,
} from "@aws-sdk/client-sqs";
import type { AwsPlace } from "../../control-plane/engines/aws/place.ts";
import { startCloudPlane } from "../../test/support/aws/cloud-plane.ts";
import { root } from "../../test/support/real-lab.ts";
import { serveProcess } from "../../test/support/serve-process.ts";
import type { Dice } from "./dice.ts";
import type { FakeClock } from "./fake-clock.ts";
import type { Engine } from "./load-plane.ts";
import { openFilesLeft } from "./open-files.ts";

/** The control plane of a lab that is broken: what can be done to it, and what it leaves behind. */
export interface ChaosPlane {
  readonly url: string;
  readonly adminToken: string;
  readonly clock: FakeClock | undefined;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** How the services under it may fail for all requests until `heal`. Undefined where there are none. */
  readonly drawServiceFault: ((dice: Dice) => { what: string; begin: () => void }) | undefined;
  heal(): void;
  /** Others than `url` that a worker talks to, on loopback. */
  readonly ports: readonly number[];
  /** What is there that belongs to nothing, once the lab is at rest; `isOfJob`: whether the id is a job's, or may still be swept. */
  leaks(isOfJob: (id: number) => boolean): Promise<string[]>;
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
    drawServiceFault: undefined,
    heal: () => {},
    ports: [],
    leaks: async (isOfJob) => {
      const names = (folder: string): string[] =>
        existsSync(path.join(data, folder)) ? readdirSync(path.join(data, folder)) : [];
      return [
        ...names("incoming").map((name) => `half a file: incoming/${name}`),
        ...[...names("blobs/jobs"), ...jobsWithRows(path.join(data, "table.sqlite"))]
          .filter((id) => !isOfJob(Number(id)))
          .map((id) => `files of job ${id}, which is not there`),
        ...openFilesLeft("the server", server.process().pid!),
      ];
    },
    close: () => server.close(),
  };
}

/** Ids of jobs that have small blobs (engines/embedded/small-blobs.ts). Of a copy: the server, which is at rest, has its file for itself. */
function jobsWithRows(file: string): string[] {
  const folder = mkdtempSync(path.join(tmpdir(), "pumice-rows-"));
  for (const end of ["", "-wal"]) {
    if (existsSync(file + end)) copyFileSync(file + end, path.join(folder, `rows${end}`));
  }
  const database = new DatabaseSync(path.join(folder, "rows"));
  try {
    const keys = database.prepare("SELECT key FROM blob WHERE key LIKE 'jobs/%'").all();
    return [...new Set(keys.map(({ key }) => String(key).split("/")[1] ?? ""))];
  } finally {
    database.close();
    rmSync(folder, { recursive: true });
  }
}

/** More requests than come while a fault lasts. */
const MOST_TIMES = 100_000;
const TABLE_CALLS = ["GetItem", "Query", "TransactWriteItems", "UpdateItem"] as const;

async function onAws(): Promise<ChaosPlane> {
  const plane = await startCloudPlane();
  const { dynamodb, storage } = plane.cloud.aws;
  return {
    ...{ url: plane.url(), adminToken: plane.adminToken, clock: undefined },
    kill: () => plane.kill(),
    start: () => plane.start(),
    drawServiceFault(dice) {
      const kind = dice.of(["throttle", "error500", "lostAnswer"] as const);
      const service = dice.of(["dynamodb", "s3", "sqs"] as const);
      const operation = dice.of(TABLE_CALLS);
      if (service !== "dynamodb") {
        const begin = (): void => storage.faults.next({ service, kind, times: MOST_TIMES });
        return { what: `${service}: ${kind}`, begin };
      }
      const begin = (): void => dynamodb.fail({ operation, kind, times: MOST_TIMES });
      return { what: `${operation} of the table: ${kind}`, begin };
    },
    heal() {
      dynamodb.clearFaults();
      storage.faults.clear();
    },
    ports: [storage.s3Endpoint, storage.sqsEndpoint].map((url) => Number(new URL(url).port)),
    async leaks(isOfJob) {
      await plane.cloud.gateway.settled();
      return [
        ...(await objectsLeft(plane.cloud.aws.place, isOfJob)),
        ...(await messagesLeft(plane.cloud.aws.place)),
      ];
    },
    close: () => plane.close(),
  };
}

const clientOf = ({ region, credentials }: AwsPlace, endpoint: string | undefined) => ({
  region,
  credentials,
  ...(endpoint === undefined ? {} : { endpoint }),
});

/** Objects of jobs that are not there. */
async function objectsLeft(place: AwsPlace, isOfJob: (id: number) => boolean): Promise<string[]> {
  const s3 = new S3Client({ ...clientOf(place, place.endpoints?.s3), forcePathStyle: true });
  const strange = new Set<string>();
  for (let after: string | undefined = ""; after !== undefined;) {
    const more: string = after;
    const { Contents = [], NextContinuationToken } = await s3.send(
      new ListObjectsV2Command({
        Bucket: place.bucket,
        Prefix: "jobs/",
        ...(more === "" ? {} : { ContinuationToken: more }),
      }),
    );
    for (const { Key = "" } of Contents) {
      const [, id] = Key.split("/");
      if (!isOfJob(Number(id))) strange.add(`objects of job ${id}, which is not there`);
    }
    after = NextContinuationToken;
  }
  return [...strange];
}

/** Messages in any queue, those of the passes and the workers' bells. */
async function messagesLeft(place: AwsPlace): Promise<string[]> {
  const sqs = new SQSClient(clientOf(place, place.endpoints?.sqs));
  const AttributeNames: QueueAttributeName[] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
  ];
  const { QueueUrls = [] } = await sqs.send(new ListQueuesCommand({}));
  const all = await Promise.all(
    QueueUrls.map(async (QueueUrl) => {
      const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames });
      const { Attributes = {} } = await sqs.send(asked);
      return Object.entries(Attributes)
        .filter(([, count]) => Number(count) > 0)
        .map(([name, count]) => `queue ${QueueUrl.split("/").at(-1)}: ${name} ${count}`);
    }),
  );
  return all.flat();
}
