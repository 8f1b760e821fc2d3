import { announcingTable } from "./domain/announcing-table.ts";
import { DEFAULT_SETTINGS, type Deps } from "./domain/deps.ts";
import { makeFirstAdmin } from "./domain/set-up-lab.ts";
import { bucketUrl } from "./engines/aws/blobs.ts";
import { openAwsEngine, type AwsPlace } from "./engines/aws/engine.ts";
import { log } from "./lambda-log.ts";
import { outbound } from "./node-outbound.ts";
import { system as nodeSystem } from "./node-system.ts";
import { planner } from "./planner.ts";
import { stockTemplates } from "./stock-templates.ts";

let opened: Promise<Deps> | undefined;

/**
 * The lab of this function's environment variables, opened once per process; after a failure the next call tries
 * again. Throws with the name of a variable that is missing, and `Unavailable` while the table is away.
 */
export function lambdaLab(): Promise<Deps> {
  opened ??= open(process.env).catch((error: unknown) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

type Environment = Readonly<Record<string, string | undefined>>;

async function open(env: Environment): Promise<Deps> {
  const place = placeOf(env);
  const system = {
    ...nodeSystem,
    log: (message: string, context: Record<string, unknown> = {}) =>
      log("error" in context ? "error" : "info", message, context),
  };
  const engine = openAwsEngine(place, system);
  const { blobs, signals } = engine;
  const table = announcingTable(engine.table, signals, { eager: false });
  const settings = {
    ...DEFAULT_SETTINGS,
    engine: "aws",
    retentionDays: numberOf(env, "PUMICE_RETENTION_DAYS"),
    archive: env["PUMICE_ARCHIVE"] === "yes",
    // A held answer costs as much as one that is being worked on.
    logHoldSeconds: 0,
    blobOrigin: new URL(bucketUrl(place)).origin,
    ...(env["PUMICE_EVENTS_URL"] ? { eventsUrl: env["PUMICE_EVENTS_URL"] } : {}),
  };
  const templates = stockTemplates();
  const rest = { table, blobs, signals, system, outbound, planner, templates };
  const firstAdmin = firstAdminOf(env);
  const [secret] = await Promise.all([
    engine.secret(),
    firstAdmin && makeFirstAdmin(rest, firstAdmin),
  ]);
  return { ...rest, settings: { ...settings, secret } };
}

/** The credentials are fixed for an environment's life. */
export function placeOf(env: Environment): AwsPlace {
  const sessionToken = env["AWS_SESSION_TOKEN"];
  return {
    region: required(env, "AWS_REGION"),
    table: required(env, "PUMICE_TABLE"),
    bucket: required(env, "PUMICE_BUCKET"),
    passesQueueUrl: required(env, "PUMICE_PASSES_QUEUE_URL"),
    queuePrefix: required(env, "PUMICE_QUEUE_PREFIX"),
    credentials: {
      accessKeyId: required(env, "AWS_ACCESS_KEY_ID"),
      secretAccessKey: required(env, "AWS_SECRET_ACCESS_KEY"),
      ...(sessionToken ? { sessionToken } : {}),
    },
    endpoints: {
      dynamodb: env["AWS_ENDPOINT_URL_DYNAMODB"] || undefined,
      s3: env["AWS_ENDPOINT_URL_S3"] || undefined,
      sqs: env["AWS_ENDPOINT_URL_SQS"] || undefined,
    },
  };
}

export function required(env: Environment, name: string): string {
  const value = env[name];
  if (value) return value;
  throw new Error(`${name} is not set: expected the function as infra/template.yaml makes it`);
}

/** 0 when it is not set. */
function numberOf(env: Environment, name: string): number {
  const text = env[name] || "0";
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new Error(`${name}: expected a number of days, not ${text}`);
}

/** Of `PUMICE_FIRST_ADMIN`, `TOKENID:SHA256`: whoever reads the template's parameters has no token. */
function firstAdminOf(env: Environment): { id: string; hash: string } | undefined {
  const text = env["PUMICE_FIRST_ADMIN"] || undefined;
  if (text === undefined) return undefined;
  const [, id, hash] = /^([0-9a-f]{16}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (id && hash) return { id, hash };
  throw new Error("PUMICE_FIRST_ADMIN: expected TOKENID:SHA256, 16 and 64 hex digits");
}
