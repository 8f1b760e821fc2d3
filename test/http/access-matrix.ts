import { aSigner } from "../support/a-release.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";

/**
 * Who may use each route: the one table of it. access.test.ts asks each route as every kind of principal and prints the table as
 * docs/access.md. A route without a row fails it: add a row with the class of those who may, a path, what the answer to them is
 * and the body. What nobody changes with it may stand anywhere; what changes something for later rows stands where that is over.
 *
 * The lab of the test has the closed rule. Device type qemu, with qemu-01 and qemu-02 on worker bench, grants view to viewers,
 * submit to submitters and change to changers; so does the worker. Another tenant has type other, device other-01 and worker far.
 * Job 1 (public) and job 2 (for group team) are the owner's, who may submit, and run on qemu-01 and qemu-02.
 */

/** Who is refused whatever they ask for. */
export const UNKNOWN = ["anonymous", "inactive", "expired"] as const;
export const PEOPLE = [
  "stranger",
  "tenant",
  "viewer",
  "submitter",
  "changer",
  "owner",
  "owner's session",
  "member",
  "overseer",
  "admin",
  "admin's session",
  "admin's read token",
] as const;
export const MACHINES = ["worker", "other worker", "job", "other job"] as const;
export const KINDS = [...UNKNOWN, ...PEOPLE, ...MACHINES] as const;
export type Kind = (typeof KINDS)[number];

export const ABOUT: { readonly [K in Kind]: string } = {
  anonymous: "without a token",
  inactive: "a user who was deactivated",
  expired: "with a token whose time is over",
  stranger: "a user who was granted nothing",
  tenant: "who administers a device type, device and worker of their own",
  viewer: "who may view the device type and its worker",
  submitter: "who may submit to the device type",
  changer: "who may change the device type and its worker",
  owner: "who submitted the jobs",
  "owner's session": "the same in a browser",
  member: "who is in the group for which job 2 is visible",
  overseer: "who may view the lab as a whole",
  admin: "an administrator",
  "admin's session": "the same in a browser",
  "admin's read token": "an administrator's token with the scope `read`",
  worker: "the token of the worker that has the device",
  "other worker": "another worker's",
  job: "the token of job 1",
  "other job": "that of job 2",
};

interface Class {
  readonly about: string;
  readonly may: readonly Kind[];
  /** For whom it is not there: 404. Everybody else is refused: 403. */
  readonly hidden?: readonly Kind[];
  /** For whom the request names what is not there for them: 400. */
  readonly invalid?: readonly Kind[];
}

const ADMIN: Kind[] = ["admin", "admin's session"];
const READ: Kind[] = [...ADMIN, "admin's read token"];
const OWNER: Kind[] = ["owner", "owner's session"];
const OUTSIDERS: Kind[] = ["stranger", "tenant", "member"];
const ON_TYPE: Kind[] = ["viewer", "submitter", "changer", ...OWNER];
const people = (...not: Kind[]): Kind[] => PEOPLE.filter((kind) => !not.includes(kind));

export const CLASSES = {
  everybody: { about: "everybody, known or not", may: KINDS },
  people: { about: "who is signed in; lists have what they may see", may: PEOPLE },
  "people who change": {
    about: "who is signed in, with a token for it",
    may: people("admin's read token"),
  },
  "sees job 1": {
    about: "its submitter and who may view its device",
    may: [...ON_TYPE, "overseer", ...READ],
    hidden: OUTSIDERS,
  },
  "sees job 2": {
    about: "its submitter and who is in its group",
    may: [...OWNER, "member", ...READ],
    hidden: ["stranger", "tenant", "viewer", "submitter", "changer", "overseer"],
  },
  "changes job 1": {
    about: "its submitter and who may change its device",
    may: [...OWNER, "changer", ...ADMIN],
    hidden: OUTSIDERS,
  },
  "changes job 2": {
    about: "the same of a job for a group",
    may: [...OWNER, "changer", ...ADMIN],
    hidden: ["stranger", "tenant", "viewer", "submitter", "overseer"],
  },
  "sees it": {
    about: "who may view it",
    may: [...ON_TYPE, "overseer", ...READ],
    hidden: OUTSIDERS,
  },
  "uses it": {
    about: "who may submit to it",
    may: ["submitter", "changer", ...OWNER, ...ADMIN],
    hidden: OUTSIDERS,
  },
  "changes it": { about: "who may change it", may: ["changer", ...ADMIN], hidden: OUTSIDERS },
  "puts it": {
    about: "who may change it; a new one only an administrator makes",
    may: ["changer", ...ADMIN],
  },
  "administers it": { about: "who may administer it", may: ADMIN, hidden: OUTSIDERS },
  "reads its permissions": { about: "who may administer it", may: READ, hidden: OUTSIDERS },
  "changes and reads it": {
    about: "who may change it",
    may: ["changer", ...READ],
    hidden: OUTSIDERS,
  },
  "sees the lab": { about: "who may view the lab as a whole", may: ["overseer", ...READ] },
  "reads as administrator": { about: "administrators", may: READ },
  administrators: { about: "administrators, with a token that may more than read", may: ADMIN },
  themself: {
    about: "the user themself and administrators",
    may: [...OWNER, ...READ],
    hidden: people(...OWNER, ...READ),
  },
  "for themself": {
    about: "the user themself and administrators, with a token for it",
    may: [...OWNER, ...ADMIN],
  },
  "keeps job 1": {
    about: "who may see it, with a token for it",
    may: [...ON_TYPE, "overseer", ...ADMIN],
    hidden: OUTSIDERS,
  },
  "removes their own": {
    about: "the user themself and administrators; for others it is not there",
    may: [...OWNER, ...ADMIN],
    hidden: people(...OWNER, ...READ),
  },
  submits: {
    about: "who may submit to the device type; for others there is none (400)",
    may: ["submitter", "changer", ...OWNER, ...ADMIN],
    invalid: [...OUTSIDERS, "viewer", "overseer"],
  },
  workers: { about: "a worker, for itself", may: ["worker", "other worker"] },
  "job 1": { about: "the job itself", may: ["job"] },
} as const satisfies Record<string, Class>;
export type ClassName = keyof typeof CLASSES;

export interface Row {
  readonly method: string;
  /** The page's own, or under `/api/v1` when it begins with that. */
  readonly path: string;
  readonly class: ClassName;
  /** What those who may are answered, in the order in which they ask; of several, any. */
  readonly status: number | readonly number[];
  readonly body?: unknown;
}

const row = (
  name: ClassName,
  method: string,
  path: string,
  status: number | readonly number[],
  body?: unknown,
): Row => ({ method, path, class: name, status, ...(body === undefined ? {} : { body }) });
const api = (
  name: ClassName,
  method: string,
  path: string,
  status: number | readonly number[],
  body?: unknown,
): Row => row(name, method, `/api/v1${path}`, status, body);

const device = { device_type: "qemu", worker: "bench", configuration: aDeviceConfiguration() };
const template = "{% extends 'qemu.jinja2' %}\n";
const restore = "/backup/restore/0123456789abcdef";
const chunk = { first_line: 0, bytes: 9, sha256: "0".repeat(64) };
const message = { message_id: "m" };

export const ROWS: readonly Row[] = [
  api("everybody", "GET", "/health", 200),
  // No code: what it answers is not about who asks.
  api("everybody", "POST", "/enrol", [400, 429], {}),
  // Nor here: no token comes of it before a person has said yes.
  api("everybody", "POST", "/terminal-sign-ins", [201, 429], {}),
  api("everybody", "POST", "/terminal-sign-ins/redeem", [401, 429], { secret: "none" }),
  row("everybody", "GET", "/schemas/job.json", 200),
  row("everybody", "GET", "/assets/none", 404),
  row("everybody", "GET", "/docs", 200),
  row("everybody", "GET", "/docs/no-such-page", 404),
  row("everybody", "GET", "/api/v1/openapi.json", 200),

  api("people", "GET", "/jobs", 200),
  api("sees job 1", "GET", "/jobs/1", 200),
  api("sees job 2", "GET", "/jobs/2", 200),
  api("sees job 1", "GET", "/jobs/1/definition", 200),
  api("sees job 2", "GET", "/jobs/2/definition", 200),
  // The 404 of those who may: it is in no group.
  api("sees job 1", "GET", "/jobs/1/multinode-definition", 404),
  api("sees job 1", "GET", "/jobs/1/log", 200),
  api("sees job 2", "GET", "/jobs/2/log", 200),
  api("sees job 1", "GET", "/jobs/1/log-chunks", 200),
  api("sees job 2", "GET", "/jobs/2/log-chunks", 200),
  api("sees job 1", "GET", "/jobs/1/results", 200),
  api("sees job 2", "GET", "/jobs/2/results", 200),
  api("sees job 2", "GET", "/jobs/2/results?format=junit", 200),
  api("sees job 1", "GET", "/jobs/1/suites", 200),
  api("sees job 2", "GET", "/jobs/2/suites", 200),
  // The 404 of those who may: nothing has been tested yet.
  api("sees job 1", "GET", "/jobs/1/suites/none/cases", 404),
  api("sees job 1", "GET", "/jobs/1/suites/none/results.csv", 404),
  api("sees job 2", "GET", "/jobs/2/results.yaml", 200),
  api("sees job 2", "GET", "/jobs/2/metadata", 200),
  api("sees job 1", "GET", "/jobs/1/history", 200),
  api("sees job 2", "GET", "/jobs/2/history", 200),
  api("people", "GET", "/queue?device_type=none", [200, 404]),
  // It runs: no priority any more.
  api("changes job 1", "PATCH", "/jobs/1", 409, { priority: "high" }),
  api("changes job 1", "POST", "/jobs/1/annotations", 201, { text: "it is the cable" }),
  // The 404 of those who may: there is no such annotation.
  api("changes job 1", "DELETE", "/jobs/1/annotations/none", 404),
  api("administrators", "POST", "/jobs/1/fail", 409, {}),

  api("people", "GET", "/devices", 200),
  api("sees it", "GET", "/devices/qemu-01", 200),
  api("sees it", "GET", "/devices/qemu-01/history", 200),
  api("sees it", "GET", "/devices/qemu-01/photos", 200),
  api("sees it", "GET", "/devices/qemu-01/photos/none", 404),
  // What is sent is no image.
  api("changes it", "POST", "/devices/qemu-01/photos", 400, "none"),
  api("changes it", "DELETE", "/devices/qemu-01/photos/none", 404),
  api("sees it", "GET", "/devices/qemu-01/configuration", 200),
  api("sees it", "GET", "/devices/qemu-01/config", 200),
  api("sees it", "GET", "/devices/qemu-01/dictionary", 200),
  api("sees it", "GET", "/devices/qemu-01/versions", 200),
  api("administrators", "PUT", "/devices/qemu-03", 200, device),
  api("puts it", "PUT", "/devices/qemu-03", 200, device),
  api("changes it", "PATCH", "/devices/qemu-03", 200, { notes: "on the left" }),
  api("changes it", "POST", "/devices/qemu-03/health", 200, { health: "Bad" }),
  api("changes it", "POST", "/devices/qemu-03/health-check", 409, {}),
  // No job has it.
  api("changes it", "POST", "/devices/qemu-03/release", 409),
  api("changes it", "PUT", "/devices/qemu-03/dictionary", 200, template),
  api("changes it", "POST", "/devices/qemu-03/put-back", 200, { version: 1 }),
  api("reads its permissions", "GET", "/permissions/device/qemu-03", 200),
  api("administers it", "POST", "/permissions/device/qemu-03", 200, {
    to: "everyone",
    permission: "view",
    remove: true,
  }),
  api("administers it", "DELETE", "/devices/qemu-03", [204, 404]),

  api("people", "GET", "/device-types", 200),
  api("sees it", "GET", "/device-types/qemu", 200),
  api("puts it", "PUT", "/device-types/qemu", 200, {}),
  api("administers it", "DELETE", "/device-types/qemu", 409),
  api("reads its permissions", "GET", "/permissions/device-type/qemu", 200),
  api("administers it", "POST", "/permissions/device-type/qemu", 200, {
    to: "everyone",
    permission: "view",
    remove: true,
  }),

  api("sees the lab", "GET", "/templates", 200),
  api("administrators", "PUT", "/templates/own.jinja2", 200, template),
  api("sees the lab", "GET", "/templates/own.jinja2", 200),
  api("sees the lab", "GET", "/templates/own.jinja2/versions", 200),
  api("sees the lab", "GET", "/templates/own.jinja2/versions/1", 200),
  api("administrators", "POST", "/templates/own.jinja2/put-back", 200, { version: 1 }),
  api("administrators", "DELETE", "/templates/own.jinja2", [204, 404]),
  api("sees the lab", "GET", "/health-checks", 200),
  api("administrators", "PUT", "/health-checks/new", 200, aJob()),
  api("sees the lab", "GET", "/health-checks/new", 200),
  api("sees the lab", "GET", "/health-checks/new/versions", 200),
  api("sees the lab", "GET", "/health-checks/new/versions/1", 200),
  api("administrators", "POST", "/health-checks/new/put-back", 200, { version: 1 }),
  api("administrators", "DELETE", "/health-checks/new", [204, 404]),

  api("people", "GET", "/aliases", 200),
  api("administrators", "PUT", "/aliases/new", 200, { device_type: "qemu" }),
  api("administrators", "DELETE", "/aliases/new", [204, 404]),
  api("people", "GET", "/tags", 200),
  api("administrators", "PUT", "/tags/new", 200, { description: "it has this" }),
  api("administrators", "DELETE", "/tags/new", [204, 404]),

  api("people", "GET", "/me", 200),
  api("reads as administrator", "GET", "/users", 200),
  api("administrators", "POST", "/users", [201, 409], { name: "somebody" }),
  api("themself", "GET", "/users/owner", 200),
  api("administrators", "PATCH", "/users/somebody", 200, { email: "somebody@example.org" }),
  api("administrators", "PUT", "/users/somebody/password", 204, {
    password: "a few words will do",
  }),
  api("administrators", "POST", "/users/somebody/password-links", 201, {}),
  api("administrators", "POST", "/users/somebody/sign-out", 200, {}),
  api("themself", "GET", "/users/owner/accounts", 200),
  api("administrators", "POST", "/users/somebody/accounts", 400, {
    provider: "none",
    subject: "1",
  }),
  api("removes their own", "DELETE", "/users/owner/accounts/none", 404),
  api("people", "GET", "/groups", 200),
  api("administrators", "PUT", "/groups/new", 200, { members: ["somebody"] }),
  api("administrators", "PUT", "/groups/new/members/somebody", 200),
  api("administrators", "DELETE", "/groups/new/members/somebody", 200),
  api("administrators", "DELETE", "/groups/new", [204, 404]),
  api("reads as administrator", "GET", "/permissions", 200),
  api("reads as administrator", "GET", "/permissions/lab/lab", 200),
  api("administrators", "POST", "/permissions/lab/lab", 200, {
    to: "everyone",
    permission: "view",
    remove: true,
  }),
  api("reads as administrator", "GET", "/audit", 200),
  api("people", "GET", "/tokens", 200),
  api("for themself", "POST", "/tokens", 201, { subject: "owner" }),
  api("people who change", "DELETE", "/tokens/none", 404),
  api("people who change", "POST", "/tokens/none/rotate", 404, {}),
  api("people who change", "POST", "/sign-in-links", 201),
  api("people", "GET", "/secrets", 200),
  api("people who change", "PUT", "/secrets/new", 200, { value: "glpat-1" }),
  api("people who change", "DELETE", "/secrets/new", [204, 404]),
  api("administrators", "PUT", "/sign-in-secrets/new", 204, { value: "shared" }),
  api("administrators", "DELETE", "/sign-in-secrets/new", [204, 404]),

  api("administrators", "GET", "/lab", 200),
  api("administrators", "POST", "/lab/plan", 200, { lab: {} }),
  api("administrators", "POST", "/lab/apply", 200, { lab: {} }),
  api("reads as administrator", "GET", "/settings", 200),
  api("administrators", "PUT", "/settings", 200, { settings: {} }),
  api("people", "GET", "/reservations", 200),
  api("people who change", "POST", "/reservations", 404, { device: "none", seconds: 60 }),
  api("people who change", "POST", "/reservations/none/extend", 404, { seconds: 60 }),
  api("people who change", "DELETE", "/reservations/none", 404),
  api("people who change", "POST", "/consoles", 404, { device: "none" }),
  api("uses it", "POST", "/consoles", 409, { device: "qemu-01" }),
  api("people", "GET", "/consoles/none", 404),
  api("people", "GET", "/consoles/none/output", 404),
  api("people", "GET", "/consoles/none/input", 404),
  api("people who change", "POST", "/consoles/none/input", 404, {
    ...{ writer: "none", call: "1", data: "" },
  }),
  api("people who change", "POST", "/consoles/none/power", 404, { power: "on" }),
  api("people who change", "POST", "/consoles/none/continue", 404),
  api("people who change", "DELETE", "/consoles/none", 404),
  api("sees it", "GET", "/devices/qemu-01/consoles", 200),
  api("workers", "POST", "/worker/consoles/none/output", 404, { from: 0, data: "" }),
  api("workers", "POST", "/worker/consoles/none/input", 404, {}),
  api("sees job 1", "GET", "/jobs/1/keep", 200),
  api("keeps job 1", "PUT", "/jobs/1/keep", 200),
  api("keeps job 1", "DELETE", "/jobs/1/keep", 200),
  api("administrators", "POST", "/retention/run", 200, { dry_run: true }),
  api("for themself", "PUT", "/queries/owner/mine", 200, {}),
  api("people", "GET", "/queries", 200),
  api("people", "GET", "/queries/run", 200),
  api("themself", "GET", "/queries/owner/mine", 200),
  api("themself", "GET", "/queries/owner/mine/run", 200),
  row("people who change", "POST", "/views", 400, {}),
  row("people who change", "POST", "/views/remove", 400, {}),
  row("people", "GET", "/queries", 200),
  row("people", "GET", "/queries/new", 200),
  // What is sent has no name.
  row("people who change", "POST", "/queries", 400, {}),
  row("themself", "GET", "/queries/owner/mine", 200),
  row("themself", "GET", "/queries/owner/mine/edit", 200),
  row("removes their own", "POST", "/queries/owner/mine", 303, {}),
  row("removes their own", "POST", "/queries/owner/mine/remove", [303, 404], {}),
  api("removes their own", "DELETE", "/queries/owner/mine", [204, 404]),
  api("people", "GET", "/charts/pass-rate", 200),
  api("people", "GET", "/charts/measurement?case=none", 200),
  api("people", "GET", "/flaky", 200),
  api("sees job 2", "GET", "/compare?before=2&after=2", 200),
  row("sees job 1", "GET", "/compare?before=1&after=1", 200),
  row("people", "GET", "/tests", 200),
  row("people", "GET", "/tests/latest", 200),
  row("people", "GET", "/reports", 200),
  row("sees job 1", "GET", "/jobs/1/suites", 200),
  row("sees job 2", "GET", "/jobs/2/suites", 200),
  // The 404 of those who may: nothing has been tested yet.
  row("sees job 1", "GET", "/jobs/1/suites/none", 404),
  row("sees job 1", "GET", "/jobs/1/suites/none/none", 404),
  api("people", "GET", "/windows", 200),
  api("administrators", "PUT", "/windows/new", 200, {
    lab: true,
    weekly: { days: ["sat"], at: "22:00", minutes: 60 },
  }),
  api("administrators", "DELETE", "/windows/new", [204, 404]),
  api("people", "GET", "/events?follow=false", 200),
  api("reads as administrator", "GET", "/webhooks", 200),
  api("administrators", "POST", "/webhooks", 201, {
    url: "https://ci.test/",
    events: ["job.finished"],
  }),
  api("administrators", "POST", "/webhooks/none/enable", 404),
  api("administrators", "DELETE", "/webhooks/none", 404),
  api("administrators", "PUT", "/smtp-password", 204, { value: "secret" }),
  api("administrators", "DELETE", "/smtp-password", 204),
  api("reads as administrator", "GET", "/notices", 200),
  api("people", "GET", "/notices/none", 404),
  api("people who change", "POST", "/notices/none/replay", 404),

  api("people", "GET", "/workers", 200),
  api("sees it", "GET", "/workers/bench", 200),
  api("sees it", "GET", "/workers/bench/history", 200),
  api("changes and reads it", "GET", "/workers/bench/settings", 200),
  api("changes it", "PUT", "/workers/bench", 200, { description: "as before" }),
  api("changes it", "PATCH", "/workers/bench", 200, { job_limit: 5 }),
  api("changes and reads it", "GET", "/workers/bench/texts/env", 200),
  api("changes it", "PUT", "/workers/bench/texts/env", 200, "overrides: {A: b}\n"),
  api("changes and reads it", "GET", "/workers/bench/texts/env/versions", 200),
  api("changes it", "POST", "/workers/bench/texts/env/put-back", 200, { version: 1 }),
  api("changes it", "POST", "/workers/bench/health", 200, { health: "Active" }),
  api("reads its permissions", "GET", "/permissions/worker/bench", 200),
  api("administers it", "POST", "/permissions/worker/bench", 200, {
    to: "everyone",
    permission: "view",
    remove: true,
  }),
  // It has devices.
  api("administers it", "DELETE", "/workers/bench", 409),
  api("administrators", "POST", "/workers", [201, 409], { name: "new" }),
  api("administrators", "POST", "/workers/new/enrolment", 201, {}),
  api("administrators", "PUT", "/workers/bench/pin", 404, { version: "9.9.9" }),
  api("administrators", "DELETE", "/workers/bench/pin", 200),
  api("administrators", "POST", "/workers/far/rotate", 202, { overlap_seconds: 60 }),
  api("workers", "POST", "/worker/token", 409, {
    rotation: "none",
    token_id: "0".repeat(16),
    token_hash: "0".repeat(64),
  }),
  api("workers", "GET", "/worker/devices", 200),
  api("workers", "POST", "/worker/sync", 200, {
    protocol: 1,
    version: "1",
    runners: [],
    wait_seconds: 0,
  }),

  api("administrators", "PUT", "/release-keys", 200, { pem: aSigner().publicPem }),
  api("sees the lab", "GET", "/release-keys", 200),
  api("administrators", "DELETE", "/release-keys/none", 404),
  api("sees the lab", "GET", "/releases", 200),
  api("administrators", "PUT", "/releases/none", 400, { manifest: "", signature: "", files: [] }),
  api("sees the lab", "GET", "/releases/none", 404),
  api("administrators", "DELETE", "/releases/none", 404),
  api("sees the lab", "GET", "/rollout", 200),
  api("administrators", "POST", "/rollout", 404, { version: "9.9.9" }),
  api("administrators", "POST", "/rollout/next", 404),
  api("administrators", "POST", "/rollout/stop", 404),

  api("administrators", "GET", "/backup/items", 200),
  api("administrators", "GET", "/backup/jobs/1", 200),
  api("administrators", "GET", "/backup/check", 200),
  api("administrators", "GET", "/backup/state", 200),
  api("administrators", "PUT", "/backup/closed", 200),
  api("administrators", "DELETE", "/backup/closed", 200),
  // This lab is not a new one, so there is nothing to restore into it.
  api("administrators", "PUT", restore, 409, { format: 1 }),
  api("administrators", "PUT", `${restore}/items`, 409, { items: [] }),
  api("administrators", "PUT", `${restore}/blobs`, 409, { blobs: [] }),
  api("administrators", "PUT", `${restore}/settle`, 409, {}),
  api("administrators", "PUT", `${restore}/end`, 409),

  row("people", "GET", "/", 200),
  row("people", "GET", "/jobs", 302),
  row("sees job 1", "GET", "/jobs/1", 200),
  row("sees job 2", "GET", "/jobs/2", 200),
  row("sees job 1", "GET", "/jobs/1/parts", 200),
  row("sees job 2", "GET", "/jobs/2/parts", 200),
  row("sees job 1", "GET", "/jobs/1/definition", 200),
  row("sees job 2", "GET", "/jobs/2/definition", 200),
  row("sees job 1", "GET", "/jobs/1/plan", 200),
  row("sees job 2", "GET", "/jobs/2/plan", 200),
  row("sees job 1", "GET", "/jobs/1/device", 200),
  row("sees job 2", "GET", "/jobs/2/device", 200),
  row("sees job 1", "GET", "/jobs/1/similar", 200),
  row("sees job 2", "GET", "/jobs/2/similar", 200),
  row("sees job 1", "GET", "/jobs/1/results", 200),
  row("sees job 2", "GET", "/jobs/2/results", 200),
  row("sees job 1", "GET", "/jobs/1/metadata", 200),
  row("sees job 2", "GET", "/jobs/2/metadata", 200),
  row("sees job 1", "GET", "/jobs/1/cancel", 200),
  row("changes job 1", "POST", "/jobs/1/annotations", 303, "text=the+cable&cause=lab"),
  row("changes job 1", "POST", "/jobs/1/annotations/none/remove", 404),
  row("people", "GET", "/submit", 200),
  row("sees job 2", "GET", "/submit?from=2", 200),
  row("people", "GET", "/submit?template=qemu-smoke", 200),
  row("people who change", "POST", "/submit", 200, "definition=&dry-run=yes"),
  // The form is empty: refused with a page that says so, whoever sends it.
  row("people who change", "POST", "/submit", 400, "definition="),
  row("people", "GET", "/queue", 200),
  row("people", "GET", "/account", 200),
  row("people who change", "POST", "/account/tokens", 400, "days=0"),
  row("people who change", "POST", "/account/tokens/revoke", 404, "id=none"),
  row("people who change", "POST", "/account/unlink", 404, "id=none"),
  row("people who change", "POST", "/account/secrets", 400, "name=a/b&value=1"),
  row("people who change", "POST", "/account/secrets/remove", 404, "name=none"),
  row("people who change", "POST", "/account/password", 400, "password=x&again=x"),
  row("people who change", "POST", "/account/link/none", 404),
  row("people", "GET", "/account/terminal", 200),
  row("people who change", "POST", "/account/terminal", [404, 429], "code=none"),
  row("people who change", "POST", "/account/terminal/answer", [404, 429], "code=none&answer=yes"),
  row("people", "GET", "/devices", 200),
  row("sees it", "GET", "/devices/qemu-01", 200),
  row("sees it", "GET", "/devices/qemu-01/jobs", 200),
  row("sees it", "GET", "/devices/qemu-01/dictionary", 200),
  row("sees it", "GET", "/devices/qemu-01/configuration", 200),
  row("sees it", "GET", "/devices/qemu-01/history", 200),
  row("sees it", "GET", "/devices/qemu-01/console", 200),
  row("changes it", "POST", "/devices/qemu-01/health", 303, "health=Good"),
  row("changes it", "POST", "/devices/qemu-01/health-check", 409),
  row("changes it", "POST", "/devices/qemu-01/dictionary", 303, "put_back=1"),
  row("people", "GET", "/device-types", 200),
  row("sees it", "GET", "/device-types/qemu", 200),
  row("sees the lab", "GET", "/device-types/qemu/template", 200),
  row("sees the lab", "GET", "/device-types/qemu/health-check", 200),
  row("people", "GET", "/workers", 200),
  row("sees it", "GET", "/workers/bench", 200),
  row("changes it", "POST", "/workers/bench/health", 303, "health=Active"),
  row("changes and reads it", "GET", "/workers/bench/texts/env", 200),
  // Of a version that there is not: refused with a page that says so.
  row("changes it", "POST", "/workers/bench/texts/env", 409, "text=&version=99"),
  row("reads as administrator", "GET", "/audit", 200),
  row("people", "GET", "/search?q=qemu", 200),
  // This lab has had a job: it is led to its jobs.
  row("people", "GET", "/welcome", 303),
  row("people", "GET", "/welcome/worker", 303),
  row("people", "GET", "/welcome/device", 303),
  row("administrators", "POST", "/welcome/worker", 303, "name=a/b"),
  row("administrators", "POST", "/welcome/device", 303, "hostname=a/b"),
  row("reads as administrator", "GET", "/admin", 200),
  row("reads as administrator", "GET", "/admin/users", 200),
  row("administrators", "POST", "/admin/users", 400, "name=a/b"),
  row("reads as administrator", "GET", "/admin/users/owner", 200),
  row("administrators", "POST", "/admin/users/nobody", 404, "full_name=Nobody"),
  row("administrators", "POST", "/admin/users/owner/group", 400, "group="),
  row("administrators", "POST", "/admin/users/nobody/password-link", 404),
  row("administrators", "POST", "/admin/users/somebody/sign-out", 303),
  row("administrators", "POST", "/admin/users/owner/unlink", 404, "id=none"),
  row("reads as administrator", "GET", "/admin/groups", 200),
  row("administrators", "POST", "/admin/groups", 409, "name=team"),
  row("reads as administrator", "GET", "/admin/groups/team", 200),
  row("administrators", "POST", "/admin/groups/none", 404, "description=x"),
  row("administrators", "POST", "/admin/groups/team/member", 400, "user="),
  row("administrators", "POST", "/admin/groups/none/remove", 404),
  row("reads as administrator", "GET", "/admin/permissions", 200),
  row("reads its permissions", "GET", "/admin/permissions/device-type/qemu", 200),
  row(
    "administers it",
    "POST",
    "/admin/permissions",
    400,
    "kind=device-type&name=qemu&to=none&permission=view",
  ),
  row("reads as administrator", "GET", "/admin/tokens", 200),
  row("administrators", "POST", "/admin/tokens", 400, "subject=a/b&days=1"),
  row("administrators", "POST", "/admin/tokens/revoke", 404, "id=none"),
  row("reads as administrator", "GET", "/admin/releases", 200),
  row("administrators", "POST", "/admin/releases/start", 404, "version=9.9.9&stage=one"),
  row("administrators", "POST", "/admin/releases/next", 404),
  row("administrators", "POST", "/admin/releases/stop", 404),
  row("administrators", "POST", "/admin/releases/remove", 404, "version=9.9.9"),
  row("administrators", "POST", "/admin/releases/pin", 404, "worker=none&version=9.9.9"),
  row("reads as administrator", "GET", "/admin/notices", 200),
  row("administrators", "POST", "/admin/notices/replay", 404, "id=none"),
  row("administrators", "POST", "/admin/webhooks", 400, "url=none"),
  row("administrators", "POST", "/admin/webhooks/remove", 404, "id=none"),
  row("administrators", "POST", "/admin/webhooks/enable", 404, "id=none"),
  row("reads as administrator", "GET", "/admin/settings", 200),
  row("administrators", "POST", "/admin/settings", 400, "section=none"),

  api("job 1", "POST", "/jobs/1/multinode/group", 409),
  api("job 1", "POST", "/jobs/1/multinode/send", 409, message),
  api("job 1", "POST", "/jobs/1/multinode/wait", 409, { ...message, call: 1 }),
  api("job 1", "POST", "/jobs/1/multinode/wait-all", 409, { ...message, call: 1 }),
  api("job 1", "POST", "/jobs/1/multinode/sync", 409, { ...message, call: 1 }),
  api("job 1", "POST", "/jobs/1/multinode/finish", 409),
  api("job 1", "GET", "/jobs/1/log-tail", 200),
  api("job 1", "POST", "/jobs/1/log-uploads", 200, chunk),
  api("job 1", "POST", "/jobs/1/log-chunks", 400, { ...chunk, count: 1, results: [] }),
  row("changes job 2", "POST", "/jobs/2/cancel", 303),
  api("changes job 2", "POST", "/jobs/2/cancel", 200),
  api("changes job 1", "POST", "/jobs/1/cancel", 200),
  api("job 1", "POST", "/jobs/1/finish", 200, { result: "pass", lines: 0 }),
  // A refusal is part of the answer, also for who may not submit anywhere.
  api("people who change", "POST", "/jobs/check", 200, aJob()),
  api("people who change", "POST", "/jobs/dry-run", 200, aJob()),
  api("submits", "POST", "/jobs", 201, aJob()),
  // The first has it for an hour.
  row("uses it", "POST", "/devices/qemu-01/console", [303, 409]),
  row("uses it", "POST", "/devices/qemu-01/reservation", [303, 409], "do=reserve&hours=1"),
];

/** Routes that are about signing in itself, or the browser alone: sign-in.test.ts, oidc.test.ts and theme.test.ts have them. */
export const ELSEWHERE: readonly string[] = [
  "GET /sign-in",
  "POST /sign-in",
  "POST /sign-out",
  "POST /theme",
  "POST /account/sign-out",
  "GET /sign-in/oidc/:provider",
  "GET /sign-in/oidc/:provider/callback",
  "GET /sign-in/oidc/:provider/sign-out",
  "GET /password",
  "POST /password",
];

/** What a kind of principal is answered to a row: 0 for what those are who may. */
export function expected({ class: name }: Row, kind: Kind): 0 | 400 | 401 | 403 | 404 {
  const { may, hidden = [], invalid = [] }: Class = CLASSES[name];
  if (may.includes(kind)) return 0;
  if (UNKNOWN.some((one) => one === kind)) return 401;
  if (invalid.includes(kind)) return 400;
  return hidden.includes(kind) ? 404 : 403;
}
