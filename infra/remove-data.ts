import {
  DeleteTableCommand,
  DescribeTableCommand,
  UpdateTableCommand,
} from "@aws-sdk/client-dynamodb";
import {
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
} from "@aws-sdk/client-s3";
import { DeleteQueueCommand, ListQueuesCommand } from "@aws-sdk/client-sqs";
import { setTimeout as wait } from "node:timers/promises";
import type { Context } from "./apply-change.ts";
import type { Cloud } from "./cloud.ts";

/** Takes the protection off, deletes the table, and waits until its name is free. */
export async function removeTable(
  { cloud: { dynamodb }, options, signal }: Context,
  TableName: string,
): Promise<void> {
  const again = () => wait(options.pollMs, undefined, { signal });
  await dynamodb.send(new UpdateTableCommand({ TableName, DeletionProtectionEnabled: false }));
  for (;;) {
    try {
      const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }));
      if (Table?.TableStatus === "ACTIVE") {
        await dynamodb.send(new DeleteTableCommand({ TableName }));
      }
    } catch (error) {
      const name = error instanceof Error ? error.name : "";
      if (name === "ResourceNotFoundException") return;
      if (name !== "ResourceInUseException") throw error;
    }
    await again();
  }
}

export async function removeBucket(cloud: Cloud, Bucket: string): Promise<void> {
  await emptyBucket(cloud, Bucket);
  await cloud.s3.send(new DeleteBucketCommand({ Bucket }));
}

/** Every version of every object, a page of at most 1,000 at a time. */
export async function emptyBucket({ s3 }: Cloud, Bucket: string): Promise<void> {
  for (;;) {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket }));
    const all = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    const Objects = all.flatMap(({ Key, VersionId }) =>
      Key === undefined ? [] : [{ Key, ...(VersionId ? { VersionId } : {}) }],
    );
    if (Objects.length === 0) return;
    const { Errors = [] } = await s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
    );
    const [failed] = Errors;
    if (failed) throw new Error(`cannot delete s3://${Bucket}/${failed.Key}: ${failed.Message}`);
  }
}

/** The functions made them at run time, so no stack knows of them. They hold nothing but doorbells. */
export async function removeWorkersQueues({ sqs }: Cloud, stack: string): Promise<void> {
  const isOurs = new RegExp(`/${stack}-w-[0-9a-f]{32}$`);
  let NextToken: string | undefined;
  do {
    const page = await sqs.send(
      new ListQueuesCommand({
        QueueNamePrefix: `${stack}-w-`,
        MaxResults: 1000,
        ...(NextToken ? { NextToken } : {}),
      }),
    );
    const urls = (page.QueueUrls ?? []).filter((url) => isOurs.test(url));
    await Promise.all(urls.map((QueueUrl) => sqs.send(new DeleteQueueCommand({ QueueUrl }))));
    NextToken = page.NextToken;
  } while (NextToken);
}
