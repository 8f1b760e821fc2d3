import * as v from "valibot";
import { photoViewSchema } from "#protocol/device-photos.ts";
import { labName } from "#protocol/lab.ts";
import { plainRecord } from "#protocol/plain-record.ts";
import type { Key, NewItem } from "../ports/table.ts";
import { changeRecordItem, type ChangeRecord } from "./changes.ts";
import { credentialItem, type CredentialRecord } from "./credential-record.ts";
import type { PhotosRecord } from "./device-photos.ts";
import { deviceItem, type DeviceRecord } from "./device-record.ts";
import { deviceTypeItem, type DeviceTypeRecord } from "./device-types.ts";
import { groupItem, type GroupRecord } from "./group-record.ts";
import { identityItem, type IdentityRecord } from "./identity-record.ts";
import { healthDueItem, type HealthDueRecord } from "./health-due-record.ts";
import {
  whole,
  named,
  jobSchema,
  deviceSchema,
  workerSchema,
  userSchema,
  tokenSchema,
  groupSchema,
  credentialSchema,
  chunkSchema,
  releaseSchema,
  textSchema,
} from "./item-schemas.ts";
import { attemptItem, jobItem, type JobRecord } from "./job-record.ts";
import {
  annotationKey,
  assignmentsKey,
  chunkKey,
  devicePhotosKey,
  keptKey,
  namedKey,
  queryKey,
  resultsKey,
  signerKey,
  textKey,
  textVersionKey,
  workerSettingsKey,
  type TextKind,
} from "./keys.ts";
import { restoredDelivery, type DeliveryRecord } from "./notices/delivery-record.ts";
import { durationsItem, type DurationsRecord } from "./durations.ts";
import { dayReportItem, type DayCounts } from "./reports/day-counts.ts";
import { useItem, type UseRecord } from "./fair-share.ts";
import { queueDeadlineItem } from "./queue-deadlines.ts";
import { slotItem } from "./quotas.ts";
import { webhookItem, type WebhookRecord } from "./notices/webhooks.ts";
import { releaseItem, type ReleaseRecord } from "./releases.ts";
import {
  reservationItem,
  reservationsOfItem,
  type ReservationRecord,
} from "./reservation-record.ts";
import { retentionItem, type RetentionRecord } from "./retention/retention-record.ts";
import { tokenItem, type TokenRecord } from "./tokens.ts";
import { userItem, type UserRecord } from "./users.ts";
import { windowItem, type WindowRecord } from "./windows.ts";
import { workerItem, type WorkerRecord } from "./worker-record.ts";

/** What an item of the table is. */
export interface ItemKind {
  /** For people: `device`. */
  readonly name: string;
  /** Whether it belongs to the lab wherever that is; the others belong to one place or moment. */
  readonly travels: boolean;
  /** Least that the data must be. */
  readonly schema: v.GenericSchema;
  /** The item as this version of Pumice writes it. */
  readonly remake: (data: never, key: Key) => NewItem;
}

/** Of one partition `NAME#...` and one sort key, or one that begins so. */
const KINDS: readonly (ItemKind & { partition: RegExp; sort: RegExp })[] = [
  kind("job", /^job#\d+$/, /^job$/, jobSchema, (job: JobRecord) => jobItem(job)),
  kind("attempt", /^job#\d+$/, /^attempt#/, jobSchema, (job: JobRecord) => attemptItem(job)),
  kind(
    "log chunk",
    /^job#\d+$/,
    /^chunk(\.\d+)?#/,
    chunkSchema,
    (data: { first_line: number }, key) => ({
      key: chunkKey(jobOfPart(key), data.first_line, attemptOfPart(key)),
      data,
    }),
  ),
  kind(
    "results",
    /^job#\d+$/,
    /^results(\.\d+)?#/,
    v.looseObject({ results: v.array(v.any()) }),
    asIs,
  ),
  kind(
    "change",
    /^changes#/,
    /./,
    v.looseObject({
      id: v.string(),
      time: v.string(),
      who: v.string(),
      changed: plainRecord(v.string(), v.any()),
    }),
    (data: ChangeRecord) => changeRecordItem(data),
  ),
  kind("multinode group", /^multinode#/, /^group$/, groupSchema, (group: GroupRecord) =>
    groupItem(group),
  ),
  kind("multinode state", /^multinode#/, /^(member|message|sync)#/, v.looseObject({}), asIs),
  // The tick comes to each group in its round, too.
  kind("multinode group to look at", /^multinode-due$/, /./, v.any(), asIs, false),
  // Looked for again in a restored lab.
  kind("queue by submitter", /^device-type#/, /^share-(queue|turn)$/, v.any(), asIs, false),
  // Made again of the jobs, or of the results, when somebody asks.
  kind("jobs in short", /^job-blocks$/, /./, v.any(), asIs, false),
  kind("summary", /^job#\d+$/, /^summary#/, v.any(), asIs, false),
  kind(
    "kept job",
    /^job#\d+$/,
    /^kept$/,
    v.looseObject({ by: v.array(v.string()) }),
    (data: object, { partition }) => ({ key: keptKey(Number(after(partition))), data }),
  ),
  kind(
    "annotation",
    /^job#\d+$/,
    /^annotation#/,
    v.looseObject({ id: v.string(), time: v.string(), who: v.string(), text: v.string() }),
    (data: { id: string; time: string }, key) => ({
      key: annotationKey(jobOfPart(key), data.time, data.id),
      data,
    }),
  ),
  kind(
    "query",
    /^queries$/,
    /./,
    v.looseObject({ owner: v.string(), name: v.string(), conditions: v.array(v.any()) }),
    (data: { owner: string; name: string }) => ({ key: queryKey(data.owner, data.name), data }),
  ),
  // Of jobs that retention may have removed since.
  kind(
    "day report",
    /^day-reports$/,
    /./,
    v.looseObject({ day: v.string(), rows: v.array(v.any()) }),
    (data: DayCounts) => dayReportItem(data),
  ),
  kind("watch", /^job#\d+$/, /^watch$/, v.any(), asIs, false),
  kind("submission", /^submission#/, /./, v.any(), asIs, false),
  kind("device", /^device#/, /^device$/, deviceSchema, (data: DeviceRecord) => deviceItem(data)),
  kind(
    "health due",
    /^device#/,
    /^health-due$/,
    v.looseObject({ hostname: labName, due: v.string() }),
    (data: HealthDueRecord) => healthDueItem(data),
  ),
  kind(
    "device photos",
    /^device#/,
    /^photos$/,
    v.looseObject({ hostname: labName, photos: v.array(photoViewSchema) }),
    (data: PhotosRecord) => ({ key: devicePhotosKey(data.hostname), data }),
  ),
  kind("worker", /^worker#/, /^worker$/, workerSchema, (data: WorkerRecord) => workerItem(data)),
  kind(
    "assignments",
    /^worker#/,
    /^assignments$/,
    v.looseObject({ job_ids: v.array(whole) }),
    (data: object, { partition }) => ({ key: assignmentsKey(after(partition)), data }),
  ),
  kind(
    "worker settings",
    /^worker#/,
    /^settings$/,
    v.looseObject({ dispatcher: v.string(), env: v.string(), env_dut: v.string() }),
    (data: object, { partition }) => ({ key: workerSettingsKey(after(partition)), data }),
  ),
  kind("device type", /^device-type#/, /^device-type$/, named, (data: DeviceTypeRecord) =>
    deviceTypeItem(data),
  ),
  kind("user", /^user#/, /^user$/, userSchema, (data: UserRecord) => userItem(data)),
  kind("token", /^token#/, /^token$/, tokenSchema, (data: TokenRecord) => tokenItem(data)),
  kind("password", /^credential#/, /^credential$/, credentialSchema, (data: CredentialRecord) =>
    credentialItem(data),
  ),
  kind(
    "account",
    /^identity#/,
    /^identity$/,
    v.looseObject({ hash: v.string(), provider: v.string(), user: v.string() }),
    (data: IdentityRecord) => identityItem(data),
  ),
  // Sealed by the secret of one place: it is worth nothing in another one.
  kind("secret", /^secrets#/, /./, v.any(), asIs, false),
  kind("sign-in secret", /^sign-in-secrets$/, /./, v.any(), asIs, false),
  kind("terminal to sign in", /^terminal#/, /./, v.any(), asIs, false),
  kind("tries to sign in", /^attempts#/, /^attempts$/, v.any(), asIs, false),
  kind(
    "text",
    /^texts#(template|health-check|device|worker)$/,
    /./,
    textSchema,
    (data: { name: string }, { partition }) => ({
      key: textKey(after(partition) as TextKind, data.name),
      data,
    }),
  ),
  kind(
    "text version",
    /^text#(template|health-check|device|worker)#/,
    /^version#/,
    textSchema,
    (data: { name: string; version: number }, { partition }) => ({
      key: textVersionKey(partition.split("#")[1] as TextKind, data.name, data.version),
      data,
    }),
  ),
  ...(["aliases", "tags", "groups"] as const).map((list) =>
    kind(
      { aliases: "alias", tags: "tag", groups: "group" }[list],
      new RegExp(`^${list}$`),
      /./,
      named,
      (data: { name: string }) => ({ key: namedKey(list, data.name), data }),
    ),
  ),
  kind("release", /^releases$/, /./, releaseSchema, (data: ReleaseRecord) =>
    // Its files stay where they are: it is added again, which is quick where they are there already.
    releaseItem({ ...data, ready: false }),
  ),
  kind(
    "release key",
    /^release-keys$/,
    /./,
    v.looseObject({ id: v.string(), pem: v.string() }),
    (data: { id: string }) => ({ key: signerKey(data.id), data }),
  ),
  // What a notice would tell may have been told where the backup was made.
  kind("notice", /^notice#/, /./, v.any(), asIs, false),
  kind(
    "delivery",
    /^delivery#/,
    /^delivery$/,
    v.looseObject({ id: v.string(), created: v.string(), tries: v.array(v.any()) }),
    (data: DeliveryRecord) => restoredDelivery(data),
  ),
  kind(
    "webhook",
    /^webhooks$/,
    /./,
    v.looseObject({ id: v.string(), events: v.array(v.string()), since: v.string() }),
    (data: WebhookRecord) => webhookItem(data),
  ),
  kind("roll-out", /^rollout$/, /./, v.any(), asIs, false),
  kind(
    "queue deadline",
    /^queue-deadlines$/,
    /./,
    v.looseObject({ deadline: v.string(), job: whole }),
    ({ deadline, job }: { deadline: string; job: number }) => queueDeadlineItem(deadline, job),
  ),
  kind(
    "quota slot",
    /^quota#/,
    /./,
    v.looseObject({ name: v.string(), job: whole }),
    ({ name, job }: { name: string; job: number }) => slotItem(name, job),
  ),
  kind("maintenance window", /^windows$/, /./, named, (data: WindowRecord) => windowItem(data)),
  kind("use", /^use#/, /^use$/, v.looseObject({ account: v.string() }), (data: UseRecord) =>
    useItem(data),
  ),
  kind(
    "durations",
    /^durations#/,
    /^durations$/,
    v.looseObject({ device_type: v.string(), recent: v.array(v.number()) }),
    (data: DurationsRecord) => durationsItem(data),
  ),
  kind(
    "reservation",
    /^reservation#/,
    /^reservation$/,
    v.looseObject({ id: v.string(), device: v.string(), holder: v.string(), state: v.string() }),
    (data: ReservationRecord) => reservationItem(data),
  ),
  kind(
    "reservations of a person",
    /^reservations-of#/,
    /^open$/,
    v.looseObject({ holder: v.string(), ids: v.array(v.string()) }),
    ({ holder, ids }: { holder: string; ids: string[] }) => reservationsOfItem(holder, ids),
  ),
  // A connection to one place.
  kind("listener", /^listeners$/, /./, v.any(), asIs, false),
  // Its worker and its reservation's time are those of one place.
  kind("console session", /^console#/, /./, v.any(), asIs, false),
  kind("console of a device", /^device#/, /^console$/, v.any(), asIs, false),
  kind("consoles of a worker", /^worker#/, /^consoles$/, v.any(), asIs, false),
  kind("lab settings", /^lab$/, /^settings$/, plainRecord(v.string(), v.any()), asIs),
  kind(
    "retention",
    /^lab$/,
    /^retention$/,
    v.looseObject({ due: v.optional(v.string()) }),
    (data: RetentionRecord) => retentionItem(data),
  ),
  // The secret, the first start, who applies, whether it is closed: true of one place.
  kind("lab", /^lab$/, /./, v.any(), asIs, false),
];

/** What an item is, by its key; undefined for what a newer Pumice may have written. */
export const kindOf = ({ partition, sort }: Key): ItemKind | undefined =>
  KINDS.find((one) => one.partition.test(partition) && one.sort.test(sort));

/** The job that an item is a part of, by its key. */
export function jobOfPart({ partition }: Key): number {
  const id = /^job#([1-9]\d{0,14})$/.exec(partition)?.[1];
  return id === undefined ? 0 : Number(id);
}

/** First line of a part of a job's log or results. */
export const lineOfPart = ({ sort }: Key): number => Number(sort.split("#")[1]);

/** The attempt whose log it is a part of. */
export const attemptOfPart = ({ sort }: Key): number => Number(/^\w+\.(\d+)#/.exec(sort)?.[1] ?? 1);

export const isPartOfLog = ({ partition, sort }: Key): boolean =>
  jobOfPart({ partition, sort }) > 0 && /^(chunk|results)(\.\d{1,3})?#\d{12}$/.test(sort);

/** Key of a part of a results record's place, which its data does not have. */
function asIs(data: object, key: Key): NewItem {
  if (!isPartOfLog(key)) return { key, data };
  return { key: resultsKey(jobOfPart(key), lineOfPart(key), attemptOfPart(key)), data };
}

const after = (partition: string): string => partition.slice(partition.indexOf("#") + 1);

function kind<T extends object>(
  name: string,
  partition: RegExp,
  sort: RegExp,
  schema: v.GenericSchema,
  remake: (data: T, key: Key) => NewItem,
  travels = true,
) {
  return { name, partition, sort, schema, remake: remake as ItemKind["remake"], travels };
}
