import type { LabSettings } from "#protocol/lab-settings.ts";
import { CallRefused, type Guard } from "../../ports/outbound.ts";
import type { Deps } from "../deps.ts";
import { noticeKey } from "../keys.ts";
import { secretValue } from "../secrets.ts";
import { findUser } from "../users.ts";
import { bySuite, casesYaml } from "./cases-yaml.ts";
import { comparisonLines } from "./compare.ts";
import type { DeliveryRecord } from "./delivery-record.ts";
import { messageText, subjectOf } from "./message.ts";
import type { NoticeRecord } from "./notice-record.ts";
import { logYaml, readNoticed, resultsOf, type NoticedDefinition } from "./noticed-job.ts";
import { callbacksOf, recipientsOf } from "./open-notice.ts";
import { shownUrl } from "./shown-url.ts";
import { bodyOf, filledUrl, payloadOf, type Payload } from "./payload.ts";
import type { Notify } from "./criteria.ts";
import { smtpPassword } from "./smtp-password.ts";

/** What came back: of HTTP its status. */
export interface Sent {
  request: string;
  response: string;
  status?: number;
}

type Notices = LabSettings["notices"];
type Callback = ReturnType<typeof callbacksOf>[number];
type NoticeOf = NonNullable<DeliveryRecord["notice"]>;

/** As LAVA: a callback is answered within 5 s. */
const CALLBACK_MS = 5_000;

/** Sends a message of a job's `notify`. Throws `CallRefused` for what can't be sent, now or later. */
export async function sendNotice(
  deps: Deps,
  settings: Notices,
  { id, kind, to }: DeliveryRecord,
  about: NoticeOf,
): Promise<Sent> {
  const { job, attempt, state, index } = about;
  const notice = (await deps.table.get<NoticeRecord>(noticeKey(job, attempt, state)))?.data;
  const noticed = await readNoticed(deps, job);
  if (!notice || !noticed.notify) throw new CallRefused("the job is gone");
  if (kind === "email") return sendMail(deps, settings, { id, to, notice, noticed, index });
  const callback = callbacksOf(noticed.notify)[index];
  if (!callback) throw new CallRefused("the job has no such callback");
  return sendCallback(deps, settings, { id, notice, noticed, callback });
}

async function sendCallback(
  deps: Deps,
  settings: Notices,
  parts: { id: string; notice: NoticeRecord; noticed: NoticedDefinition; callback: Callback },
): Promise<Sent> {
  const { id, notice, noticed, callback } = parts;
  const { method = "GET", dataset = "minimal", "content-type": type = "urlencoded" } = callback;
  const token = await tokenOf(deps, notice.snapshot.submitter, callback.token);
  const wants = method === "POST" ? dataset : "minimal";
  const payload = await makePayload(deps, notice, noticed, token, wants);
  const url = filledUrl(callback.url, payload);
  const body = method === "POST" ? bodyOf(payload, type) : undefined;
  const headerName = typeof callback["header"] === "string" ? callback["header"] : "Authorization";
  const { status, text } = await deps.outbound.call({
    url,
    method,
    headers: {
      ...(body === undefined ? {} : { "content-type": MEDIA_TYPE[type] }),
      "x-pumice-delivery": id,
      ...headerOf(headerName, token),
    },
    ...(body === undefined ? {} : { body }),
    timeoutMs: CALLBACK_MS,
    guard: guardOf(settings),
  });
  const size = body === undefined ? "" : `, ${body.length} characters of ${type}`;
  return {
    request: `${method} ${shownUrl(url)}${size}`,
    response: answerText(status, text),
    status,
  };
}

const MEDIA_TYPE = { json: "application/json", urlencoded: "application/x-www-form-urlencoded" };

function headerOf(name: string, token: string | undefined): Record<string, string> {
  if (token === undefined) return {};
  const isHeader = /^[\w!#$%&'*+.^`|~-]{1,100}$/.test(name) && /^[\t\x20-\x7e]*$/.test(token);
  if (!isHeader) throw new CallRefused(`${JSON.stringify(name)} and its token make no HTTP header`);
  if (/^(host|content-length|transfer-encoding|connection)$/i.test(name)) {
    throw new CallRefused(`the token can't be sent as the header ${name}`);
  }
  return { [name.toLowerCase()]: token };
}

/** The value of the submitter's secret (LAVA: remote artefact token) of that name, else the text itself (SCHEDULER.md 6). */
async function tokenOf(
  deps: Deps,
  submitter: string,
  token: string | undefined,
): Promise<string | undefined> {
  return token === undefined ? undefined : ((await secretValue(deps, submitter, token)) ?? token);
}

async function makePayload(
  deps: Deps,
  { job, attempt, snapshot }: NoticeRecord,
  { text, metadata }: NoticedDefinition,
  token: string | undefined,
  dataset: NonNullable<Callback["dataset"]>,
): Promise<Payload> {
  const user = (await findUser(deps, snapshot.submitter))?.data;
  const wants = (what: string) => dataset === what || dataset === "all";
  const results = wants("results")
    ? [...bySuite(await resultsOf(deps, job, attempt))].map(
        ([suite, cases]) => [suite, casesYaml(job, cases)] as const,
      )
    : undefined;
  return payloadOf(snapshot, {
    definition: text,
    metadata,
    submitterEmail: user?.email ?? "",
    healthCheck: "health_check" in snapshot && snapshot.health_check === true,
    token,
    ...(wants("logs") ? { log: await logYaml(deps, job, attempt) } : {}),
    ...(results ? { results: Object.fromEntries(results) } : {}),
  });
}

async function sendMail(
  deps: Deps,
  { smtp, url }: Notices,
  parts: {
    id: string;
    to: string;
    notice: NoticeRecord;
    noticed: NoticedDefinition;
    index: number;
  },
): Promise<Sent> {
  if (!smtp) throw new CallRefused("the lab has no mail server: settings, notices.smtp");
  const { id, to, notice, noticed, index } = parts;
  const { job, attempt, snapshot, state } = notice;
  const notify = noticed.notify as Notify;
  const { verbosity = "quiet", compare } = notify;
  const results = verbosity === "verbose" ? await resultsOf(deps, job, attempt) : [];
  const text = messageText({
    ...{ job: snapshot, state, verbosity, results, metadata: noticed.metadata },
    name: recipientsOf(notify, snapshot.submitter)[index]?.user ?? to,
    url: url === undefined ? undefined : `${url}/jobs/${job}`,
    comparison:
      verbosity === "verbose" && compare
        ? await comparisonLines(deps, compare, snapshot, results)
        : [],
  });
  const { host, port, tls, user, from } = smtp;
  const password = user === undefined ? undefined : await smtpPassword(deps);
  const server = { host, port, tls, user, password };
  const messageId = `${id}@${new URL(url ?? "http://pumice.invalid").hostname}`;
  const mail = { from, to, subject: subjectOf(snapshot), text, messageId, server };
  return { request: `mail to ${to}`, response: await deps.outbound.mail(mail) };
}

export const guardOf = (settings: Notices): Guard => ({
  allowPrivate: settings.allow_private,
  privateHosts: settings.private_hosts,
  onlyHosts: settings.only_hosts,
});

/** For the log of deliveries: what an answer said, in short and without what no page can show. */
export const answerText = (status: number, text: string): string =>
  // oxlint-disable-next-line no-control-regex
  `HTTP ${status} ${text.slice(0, 300).replaceAll(/[\u0000-\u001f\u007f]+/g, " ")}`.trim();
