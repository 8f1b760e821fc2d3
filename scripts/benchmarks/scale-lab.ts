import {
  BatchWriteItemCommand,
  DynamoDBClient,
  type BatchWriteItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { deviceItem, type DeviceRecord } from "../../control-plane/domain/device-record.ts";
import { deviceTypeKey } from "../../control-plane/domain/keys.ts";
import { jobItem, type JobRecord } from "../../control-plane/domain/job-record.ts";
import { userItem } from "../../control-plane/domain/users.ts";
import { workerItem, type WorkerRecord } from "../../control-plane/domain/worker-record.ts";
import { contentAttributes, keyAttributes } from "../../control-plane/engines/aws/stored-item.ts";
import type { NewItem, Table } from "../../control-plane/ports/table.ts";
import type { Cloud } from "../../test/support/aws/cloud.ts";

/** How large a lab is. */
export interface Size {
  readonly workers: number;
  readonly devices: number;
  readonly jobs: number;
}

const MOST_TYPES = 500;
const DEVICES_OF_TYPE = 10;
const SUBMITTERS = 100;
const LATER = "2030-01-01T00:00:00.000Z";

/** Items of a lab of this size, of at most 500 device types, beside the few devices that take part in what is measured. */
export function* itemsOfLab({ workers, devices, jobs }: Size): Generator<NewItem> {
  for (let n = 0; n < workers; n++) {
    const worker: WorkerRecord = {
      name: `worker-${n}`,
      state: "Online",
      health: "Active",
      description: "",
      job_limit: 0,
      version: "0.1.0",
      last_sync: LATER,
      silent_after: LATER,
      attend_at: LATER,
    };
    yield workerItem(worker);
  }
  // A job of somebody whom nobody knows gets no device.
  for (let n = 0; n < SUBMITTERS; n++) {
    const names = { name: `user-${n}`, full_name: "", email: "" };
    const person = { admin: true, active: true, source: "local" as const };
    yield userItem({ ...names, ...person, groups: [], created: LATER });
  }
  const types = Math.min(MOST_TYPES, devices / DEVICES_OF_TYPE);
  for (let n = 0; n < types; n++) {
    const name = `type-${n}`;
    const key = deviceTypeKey(name);
    yield { key, data: { name }, keys: { i1: { partition: "device-types", sort: name } } };
  }
  for (let n = 0; n < devices; n++) {
    const type = n % types;
    const device: DeviceRecord = {
      hostname: `device-${n}`,
      device_type: `type-${type}`,
      worker: `worker-${n % workers}`,
      state: type === IDLE ? "Idle" : "Running",
      health: "Good",
      tags: [],
      description: "",
      idle_since: LATER,
    };
    yield deviceItem(device);
  }
  for (let id = 1; id <= jobs; id++) {
    const job: JobRecord = {
      id,
      state: "Submitted",
      health: "Unknown",
      description: "a job of the load that stands in the queue",
      device_type: `type-${1 + (id % (types - 1))}`,
      submitter: `user-${id % SUBMITTERS}`,
      priority: id % 101,
      tags: [],
      submit_time: "2026-01-01T00:00:00.000Z",
      log_lines: 0,
    };
    yield jobItem(job);
  }
}

/** The one type that has idle devices and no queue, and one that has busy devices and a queue. */
const IDLE = 0;
export const IDLE_TYPE = `type-${IDLE}`;
export const QUEUE_TYPE = "type-1";

export async function fillTable(table: Table, items: Iterable<NewItem>): Promise<void> {
  for (const batch of batches(items, 100)) {
    await table.transact(batch.map((item) => ({ put: item })));
  }
}

/** Past transactions: an emulator has to be filled in minutes. */
export async function fillDynamoDb(cloud: Cloud, items: Iterable<NewItem>): Promise<void> {
  const { region, credentials, table } = cloud.place;
  const endpoint = cloud.dynamodb.endpoint;
  const client = new DynamoDBClient({ region, credentials, endpoint });
  for (const batch of batches(items, 25)) {
    const Requests = batch.map((item) => ({
      PutRequest: {
        Item: {
          ...keyAttributes(item.key),
          v: { N: "1" },
          ...contentAttributes(item, "0123456789abcdef"),
        },
      },
    }));
    const input: BatchWriteItemCommandInput = { RequestItems: { [table]: Requests } };
    await client.send(new BatchWriteItemCommand(input));
  }
  client.destroy();
}

function* batches<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
