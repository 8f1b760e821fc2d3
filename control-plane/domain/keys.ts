import type { ConsoleView } from "#protocol/consoles.ts";
import type { ReservationView } from "#protocol/reservations.ts";
import type { JobRecord } from "./job-record.ts";
import type { DeviceRecord } from "./device-record.ts";
import type { Key, SecondaryKeys } from "../ports/table.ts";

/*
 * Every access pattern of the table. A new one gets its line here first.
 *
 * | Asked for                                  | index | partition           | sort                       |
 * | ------------------------------------------ | ----- | ------------------- | -------------------------- |
 * | one job                                    | main  | job#ID              | job                        |
 * | a job's log chunks by line                 | main  | job#ID              | chunk#FIRST_LINE           |
 * | a job's result records by line             | main  | job#ID              | results#FIRST_LINE         |
 * | the same of its second attempt             | main  | job#ID              | chunk.2#... results.2#...  |
 * | an attempt that another one followed       | main  | job#ID              | attempt#N                  |
 * | what the results of an attempt come to     | main  | job#ID              | summary#N                  |
 * | queries of a person; all of them           | main  | queries             | OWNER/NAME                 |
 * | what people wrote down about a job         | main  | job#ID              | annotation#TIME#ID         |
 * | what the jobs of a day came to (UTC)       | main  | day-reports         | YYYY-MM-DD                 |
 * | jobs that somebody wants to be kept        | main  | job#ID              | kept                       |
 * | how far retention has looked at old jobs   | main  | lab                 | retention                  |
 * | whether somebody watches a job             | main  | job#ID              | watch                      |
 * | all jobs, newest first                     | i1    | jobs                | ID                         |
 * | what of 1000 ids has ended, in short       | main  | job-blocks          | FIRST_ID                   |
 * | queue of a device type (Submitted)         | i2    | queue#TYPE          | 100-PRIORITY#SUBMITTED#ID  |
 * | the same by submitter (Submitted)          | i3    | share-queue#TYPE    | 100-PRIORITY#SUBMITTER#... |
 * | when missing jobs were looked for in that  | main  | device-type#TYPE    | share-queue                |
 * | whose turn was last, of very many        | main  | device-type#TYPE    | share-turn                 |
 * | queue time-outs (Submitted with one)       | main  | queue-deadlines     | DEADLINE#ID                |
 * | jobs of a device (once assigned)           | i3    | device-jobs#HOST    | ID, of an attempt ID#N     |
 * | one multinode group                        | main  | multinode#UUID      | group                      |
 * | members of a group that have begun         | main  | multinode#UUID      | member#ID                  |
 * | what its members sent under a message id   | main  | multinode#UUID      | message#HASH#ID            |
 * | where its members meet                     | main  | multinode#UUID      | sync#HASH                  |
 * | groups of which a job has not ended        | i1    | open-multinode      | UUID                       |
 * | groups of which a job has just failed, due | main  | multinode-due       | UUID#ID                    |
 * | a submission that may come again           | main  | submission#NAME     | HASH_OF_KEY                |
 * | jobs of a submitter                        | i4    | submitter-jobs#NAME | ID                         |
 * | one device                                 | main  | device#HOST         | device                     |
 * | all devices                                | i1    | devices             | HOST                       |
 * | devices of a type                          | i2    | type-devices#TYPE   | HOST                       |
 * | devices of a type that could take a job    | i3    | idle-devices#TYPE   | TAGS#IDLE_SINCE#HOST       |
 * | those to look at for a health check first  | i3    | check-devices#TYPE  | HOST                       |
 * | when a device's health check gets old      | main  | device#HOST         | health-due                 |
 * | devices whose health check has got old     | i1    | health-due          | DUE#HOST                   |
 * | photos of a device                         | main  | device#HOST         | photos                     |
 * | devices of a worker                        | i4    | worker-devices#NAME | HOST                       |
 * | one worker                                 | main  | worker#NAME         | worker                     |
 * | jobs that hold a device of a worker        | main  | worker#NAME         | assignments                |
 * | texts that go with each job to a worker    | main  | worker#NAME         | settings                   |
 * | all workers                                | i1    | workers             | NAME                       |
 * | workers whose silence the tick looks at    | i2    | attention           | ATTEND_AT#NAME             |
 * | releases of the worker                     | main  | releases            | VERSION                    |
 * | keys that may have signed one              | main  | release-keys        | ID                         |
 * | the roll-out                               | main  | rollout             | rollout                    |
 * | one device type                            | main  | device-type#TYPE    | device-type                |
 * | all device types                           | i1    | device-types        | TYPE                       |
 * | one user                                   | main  | user#NAME           | user                       |
 * | all users                                  | i1    | users               | NAME                       |
 * | whether all users have records             | main  | lab                 | users-known                |
 * | one token                                  | main  | token#ID            | token                      |
 * | all tokens                                 | i1    | tokens              | CREATED#ID                 |
 * | tokens of a worker                         | i2    | worker-tokens#NAME  | ID                         |
 * | tokens, sessions and links of a person     | i2    | user-tokens#NAME    | ID                         |
 * | a person's password, hashed                | main  | credential#NAME     | credential                 |
 * | whose an account of a provider is          | main  | identity#HASH       | identity                   |
 * | accounts of a person                       | i1    | identities#NAME     | HASH                       |
 * | tries to sign in that failed               | main  | attempts#HASH       | attempts                   |
 * | a terminal that wants to be signed in      | main  | terminal#ID         | terminal                   |
 * | remote artefact tokens of a person, sealed | main  | secrets#NAME        | NAME_OF_SECRET             |
 * | secrets of sign-in providers, sealed       | main  | sign-in-secrets     | PROVIDER                   |
 * | all texts of a kind, as they are now       | main  | texts#KIND          | NAME                       |
 * | versions of a text, also of a removed one  | main  | text#KIND#NAME      | version#N                  |
 * | whether any template has changed           | main  | lab                 | templates                  |
 * | aliases, tags, groups                      | main  | aliases (and so on) | NAME                       |
 * | who is just applying a lab                 | main  | lab                 | apply                      |
 * | whether the lab has been set up            | main  | lab                 | setup                      |
 * | what is set for the lab as a whole         | main  | lab                 | settings                   |
 * | what a quota has left (quotas.ts)          | main  | quota#ACCOUNT       | KIND#SLOT                  |
 * | what somebody has used of late             | main  | use#ACCOUNT         | use                        |
 * | how long jobs of a type took of late       | main  | durations#TYPE      | durations                  |
 * | maintenance windows                        | main  | windows             | NAME                       |
 * | one reservation                            | main  | reservation#ID      | reservation                |
 * | reservations that have not ended           | i1    | reservations        | CREATED#ID                 |
 * | what the tick has to do at a time (due.ts) | i2    | due                 | TIME#NAME                  |
 * | which a person has                         | main  | reservations-of#NAME | open                      |
 * | one console session                        | main  | console#ID          | console                    |
 * | what the device said in it, by byte        | main  | console#ID          | output#FROM                |
 * | what was typed in it                       | main  | console#ID          | input#SEQ                  |
 * | console sessions of a device               | i1    | device-consoles#HOST | CREATED#ID                |
 * | the one that was opened last               | main  | device#HOST         | console                    |
 * | those that a worker serves                 | main  | worker#NAME         | consoles                   |
 * | whether the lab takes nothing new, and why | main  | lab                 | closed                     |
 * | which backup was restored into it          | main  | lab                 | restored                   |
 * | password of the mail server                | main  | lab                 | smtp-password              |
 * | what happened to a job, device, worker ... | main  | changes#KIND#NAME   | TIME#ID                    |
 * | what happened in the lab on a day (UTC)    | i1    | changes#YYYY-MM-DD  | TIME#ID                    |
 * | what people did, and healths               | i2    | audit               | TIME#ID                    |
 * | a job's change that somebody may be told   | main  | notice#JOB          | ATTEMPT#STATE              |
 * | such changes that nobody has looked at yet | i3    | notices-due         | TIME#ID                    |
 * | one message: a mail, callback or webhook's | main  | delivery#ID         | delivery                   |
 * | all of them, newest first                  | i1    | deliveries          | TIME#ID                    |
 * | those of a job                             | i2    | job-deliveries#JOB  | TIME#ID                    |
 * | those that are to be sent                  | i3    | deliveries-due      | DUE#ID                     |
 * | those of a webhook                         | i4    | hook-deliveries#ID  | TIME#ID                    |
 * | webhooks                                   | main  | webhooks            | ID                         |
 * | whether there is any                       | i1    | webhooks            | ID                         |
 * | up to where their changes have been read   | main  | lab                 | webhooks-read              |
 * | who listens to LAVA's events, in AWS       | main  | listeners           | ID_OF_CONNECTION           |
 *
 * Hot partitions. DynamoDB gives a partition key 1,000 write and 3,000 read units a second, in the table and in each
 * index by itself; indexes hold keys only, so an entry is one unit and is written when its key changes, not with the item.
 * At 100 jobs/s:
 * - `jobs` (i1): one write a job, when it is made: 100/s. `submitter-jobs#NAME` (i4): the same, if all are one CI's.
 * - `queue#TYPE` (i2): in and out, 200/s if all jobs are of one type; a device type that runs 100 jobs/s has
 *   thousands of devices. `idle-devices#TYPE` (i3): out and in with each job, 200/s. `share-queue#TYPE` (i3): as
 *   `queue#TYPE`. `queue-deadlines`: 200/s if every job has a queue time-out.
 * - `counter#job`, one item: 100/s of its 1,000. It is the first to be hot: beyond 1,000 submissions/s ids would have to
 *   be drawn in blocks.
 * - `attention` (i2): each idle worker moves its entry with its sync every 5 minutes, two units: 70/s with 10,000 workers.
 * - `changes#DAY` (i1): four writes a job and three of its device: 700/s.
 * - Everything else of a job is in partitions of its own: job#ID, device#HOST, worker#NAME. A worker's items are written
 *   with its own jobs only. `lab` and `device-type#TYPE` are read and seldom written.
 * What reads: a pass reads the heads of two lists (1, 2, 4 ... items), a page its own length (scripts/bench scale).
 */

/** Integers in sort keys: 12 digits, so that text order is number order. */
export const padded = (n: number): string => String(n).padStart(12, "0");

export const jobKey = (id: number): Key => ({ partition: `job#${id}`, sort: "job" });
export const watchKey = (id: number): Key => ({ partition: `job#${id}`, sort: "watch" });
/** Parts of an attempt after the first have its number in their names. */
const partsOf = (kind: "chunk" | "results", attempt: number): string =>
  attempt === 1 ? `${kind}#` : `${kind}.${attempt}#`;
export const chunkKey = (id: number, firstLine: number, attempt = 1): Key => ({
  partition: `job#${id}`,
  sort: partsOf("chunk", attempt) + padded(firstLine),
});
export const resultsKey = (id: number, firstLine: number, attempt = 1): Key => ({
  partition: `job#${id}`,
  sort: partsOf("results", attempt) + padded(firstLine),
});
export const summaryKey = (id: number, attempt: number): Key => ({
  partition: `job#${id}`,
  sort: `summary#${padded(attempt)}`,
});
export const annotationKey = (id: number, time: string, name: string): Key => ({
  partition: `job#${id}`,
  sort: `annotation#${time}#${name}`,
});
export const keptKey = (id: number): Key => ({ partition: `job#${id}`, sort: "kept" });
export const queryKey = (owner: string, name: string): Key => ({
  partition: "queries",
  sort: `${owner}/${name}`,
});
export const dayReportKey = (day: string): Key => ({ partition: "day-reports", sort: day });
export const retentionKey: Key = { partition: "lab", sort: "retention" };
export const attemptKey = (id: number, attempt: number): Key => ({
  partition: `job#${id}`,
  sort: `attempt#${padded(attempt)}`,
});
export const submissionKey = (submitter: string, hash: string): Key => ({
  partition: `submission#${submitter}`,
  sort: hash,
});
export const deviceKey = (host: string): Key => ({ partition: `device#${host}`, sort: "device" });
export const healthDueKey = (host: string): Key => ({
  partition: `device#${host}`,
  sort: "health-due",
});
export const workerKey = (name: string): Key => ({ partition: `worker#${name}`, sort: "worker" });
export const assignmentsKey = (worker: string): Key => ({
  partition: `worker#${worker}`,
  sort: "assignments",
});
export const workerSettingsKey = (worker: string): Key => ({
  partition: `worker#${worker}`,
  sort: "settings",
});
export const deviceTypeKey = (name: string): Key => ({
  partition: `device-type#${name}`,
  sort: "device-type",
});
export const shareTurnKey = (deviceType: string): Key => ({
  partition: deviceTypeKey(deviceType).partition,
  sort: "share-turn",
});
export const shareQueueKey = (deviceType: string): Key => ({
  partition: deviceTypeKey(deviceType).partition,
  sort: "share-queue",
});
/** Kinds of texts that have versions; `device`: a dictionary, or a configuration in its place; `worker`: by `NAME/env`. */
export type TextKind = "template" | "health-check" | "device" | "worker";
export const textKey = (kind: TextKind, name: string): Key => ({
  partition: `texts#${kind}`,
  sort: name,
});
export const textVersionKey = (kind: TextKind, name: string, version: number): Key => ({
  partition: `text#${kind}#${name}`,
  sort: `version#${padded(version)}`,
});
/** Its version grows with every change of a template. */
export const templatesKey: Key = { partition: "lab", sort: "templates" };
export const namedKey = (list: "aliases" | "tags" | "groups", name: string): Key => ({
  partition: list,
  sort: name,
});
export const releaseKey = (version: string): Key => ({ partition: "releases", sort: version });
export const signerKey = (id: string): Key => ({ partition: "release-keys", sort: id });
export const rolloutKey: Key = { partition: "rollout", sort: "rollout" };
export const applyKey: Key = { partition: "lab", sort: "apply" };
export const setupKey: Key = { partition: "lab", sort: "setup" };
export const changeKey = (kind: string, name: string, id: string): Key => ({
  partition: `changes#${kind}#${name}`,
  sort: id,
});
/** The attempt comes first: a job may begin more than once. */
export const noticeKey = (job: number, attempt: number, state: string): Key => ({
  partition: `notice#${job}`,
  sort: `${attempt}#${state}`,
});
export const deliveryKey = (id: string): Key => ({ partition: `delivery#${id}`, sort: "delivery" });
export const webhookKey = (id: string): Key => ({ partition: "webhooks", sort: id });
export const smtpPasswordKey: Key = { partition: "lab", sort: "smtp-password" };
export const webhooksReadKey: Key = { partition: "lab", sort: "webhooks-read" };
export const listenerKey = (id: string): Key => ({ partition: "listeners", sort: id });
export const settingsKey: Key = { partition: "lab", sort: "settings" };
/** For what the tick has to do at a time, as ISO 8601. */
export const dueKey = (time: string, name: string): Key => ({
  partition: "due",
  sort: `${time}#${name}`,
});
export const queueDeadlineKey = (deadline: string, job: number): Key => ({
  partition: "queue-deadlines",
  sort: `${deadline}#${padded(job)}`,
});
export const windowKey = (name: string): Key => ({ partition: "windows", sort: name });
export const slotKey = (account: string, slot: string): Key => ({
  partition: `quota#${account}`,
  sort: slot,
});
export const useKey = (account: string): Key => ({ partition: `use#${account}`, sort: "use" });
export const durationsKey = (deviceType: string): Key => ({
  partition: `durations#${deviceType}`,
  sort: "durations",
});
export const reservationKey = (id: string): Key => ({
  partition: `reservation#${id}`,
  sort: "reservation",
});
export const reservationsOfKey = (holder: string): Key => ({
  partition: `reservations-of#${holder}`,
  sort: "open",
});
export const closedKey: Key = { partition: "lab", sort: "closed" };
export const restoredKey: Key = { partition: "lab", sort: "restored" };

/** How the sort keys of queues begin: what is more urgent sorts first. */
export const urgencyOf = ({ priority }: Pick<JobRecord, "priority">): string =>
  String(100 - priority).padStart(3, "0");

/** The lists in which a job stands, by its state. */
export function jobKeys(job: JobRecord): SecondaryKeys {
  const id = padded(job.id);
  const keys: SecondaryKeys = {
    i1: { partition: "jobs", sort: id },
    i4: { partition: `submitter-jobs#${job.submitter}`, sort: id },
  };
  if (job.state === "Submitted") {
    const urgency = urgencyOf(job);
    // Members stand together, in the same order in the queues of all their types; one without a device waits in none.
    const place =
      job.sub_id === undefined ? id : `${padded(Number.parseInt(job.sub_id, 10))}#${id}`;
    if (job.host_job === undefined) {
      const turn = `${job.submit_time}#${place}`;
      keys.i2 = { partition: `queue#${job.device_type}`, sort: `${urgency}#${turn}` };
      keys.i3 = {
        partition: `share-queue#${job.device_type}`,
        sort: `${urgency}#${job.submitter}#${turn}`,
      };
    }
  } else if (job.device !== undefined) {
    keys.i3 = { partition: `device-jobs#${job.device}`, sort: id };
  }
  return keys;
}

/** The one list in which an attempt stands that another one followed: that of the device which it had. */
export function attemptKeys({ id, device, attempt = 1 }: JobRecord): SecondaryKeys {
  if (device === undefined) return {};
  return { i3: { partition: `device-jobs#${device}`, sort: `${padded(id)}#${attempt}` } };
}

/** The lists in which a device stands, by its state and health. */
export function deviceKeys(device: DeviceRecord): SecondaryKeys {
  const sort = device.hostname;
  const keys: SecondaryKeys = {
    i1: { partition: "devices", sort },
    i2: { partition: `type-devices#${device.device_type}`, sort },
    i4: { partition: `worker-devices#${device.worker}`, sort },
  };
  const { state, health, check_due } = device;
  const isHealthy = health === "Good" || health === "Unknown";
  if (state === "Idle" && (health === "Looping" || (isHealthy && check_due !== undefined))) {
    keys.i3 = { partition: `check-devices#${device.device_type}`, sort };
  } else if (state === "Idle" && isHealthy) {
    // Those with few tags first, so that they are kept for jobs that need the tags; then those that were idle longest,
    // so that all wear alike.
    const tags = String(device.tags.length).padStart(3, "0");
    keys.i3 = {
      partition: `idle-devices#${device.device_type}`,
      sort: `${tags}#${device.idle_since}#${sort}`,
    };
  }
  return keys;
}

export const devicePhotosKey = (hostname: string): Key => ({
  partition: `device#${hostname}`,
  sort: "photos",
});
export const consoleKey = (id: string): Key => ({ partition: `console#${id}`, sort: "console" });
export const consoleOutputKey = (id: string, from: number): Key => ({
  partition: `console#${id}`,
  sort: `output#${padded(from)}`,
});
export const consoleInputKey = (id: string, seq: number): Key => ({
  partition: `console#${id}`,
  sort: `input#${padded(seq)}`,
});
export const consoleOfDeviceKey = (host: string): Key => ({
  partition: `device#${host}`,
  sort: "console",
});
export const consolesOfWorkerKey = (worker: string): Key => ({
  partition: `worker#${worker}`,
  sort: "consoles",
});
/** The lists in which a console session stands; the tick ends it when its time is over. */
export function consoleKeys({ id, device, created, until, ended }: ConsoleView): SecondaryKeys {
  return {
    i1: { partition: `device-consoles#${device}`, sort: `${created}#${id}` },
    ...(ended === undefined ? { i2: dueKey(until, id) } : {}),
  };
}

/** The lists in which a reservation stands until it has ended; the tick looks at one that waits each time. */
export function reservationKeys({ id, created, until, ended }: ReservationView): SecondaryKeys {
  if (ended !== undefined) return {};
  return {
    i1: { partition: "reservations", sort: `${created}#${id}` },
    i2: dueKey(until ?? "0", id),
  };
}
