import * as v from "valibot";
import { oneOf } from "./schema-parts.ts";

/** Webhooks, and the log of what the lab has sent: `/api/v1/webhooks`, `/api/v1/notices`. */

/** What a webhook may be told of; `*` stands for any word. */
export const WEBHOOK_EVENTS = [
  "job.submitted",
  "job.scheduled",
  "job.running",
  "job.canceling",
  "job.finished",
  "job.*",
  "device.state",
  "device.health",
  "device.*",
  "worker.state",
  "worker.health",
  "worker.*",
] as const;
export type WebhookEvent = (typeof WEBHOOK_EVENTS)[number];

/** `pumice`: the change as JSON, signed; the others are what chats take: `slack` also Mattermost, Rocket.Chat and Matrix' hookshot. */
export const WEBHOOK_FORMATS = ["pumice", "slack", "teams", "discord", "plain"] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

const line = (most: number) => v.pipe(v.string(), v.maxLength(most), v.regex(/^[^\r\n]*$/));

/** `POST /api/v1/webhooks` */
export const addWebhookSchema = v.strictObject({
  url: v.pipe(line(2000), v.regex(/^https?:\/\/[^\s/]/, "expected an address, https://...")),
  events: v.pipe(
    v.array(oneOf(...WEBHOOK_EVENTS)),
    v.minLength(1, "expected at least one event"),
    v.maxLength(WEBHOOK_EVENTS.length),
  ),
  format: v.optional(oneOf(...WEBHOOK_FORMATS), "pumice"),
  description: v.optional(line(200), ""),
  /** Of which jobs it is told: those that are public, or also personal ones and those for groups. */
  visibility: v.optional(oneOf("public", "all"), "public"),
  /** Signs what is sent; made when it is not given. Only of the format `pumice`. */
  secret: v.optional(v.pipe(line(200), v.minLength(16, "expected at least 16 characters"))),
});
export type AddWebhook = v.InferOutput<typeof addWebhookSchema>;

/** `PUT /api/v1/smtp-password` */
export const smtpPasswordSchema = v.strictObject({ value: v.pipe(line(1000), v.minLength(1)) });

export const webhookViewSchema = v.object({
  id: v.string(),
  /** Its URL without what may be secret in it. */
  to: v.string(),
  events: v.array(v.string()),
  format: v.string(),
  description: v.string(),
  /** `public` where it is absent. */
  visibility: v.optional(v.picklist(["public", "all"])),
  created: v.string(),
  by: v.string(),
  /** False: switched off, as `why` says. */
  active: v.boolean(),
  why: v.optional(v.string()),
  /** Tries that failed one after the other. */
  failures: v.number(),
});
export type WebhookView = v.InferOutput<typeof webhookViewSchema>;
export type AddedWebhook = { id: string; secret?: string };

/** One message and its tries, oldest first. */
export const noticeViewSchema = v.object({
  id: v.string(),
  kind: v.picklist(["callback", "email", "webhook"]),
  state: v.picklist(["pending", "sent", "failed", "lapsed"]),
  created: v.string(),
  to: v.string(),
  /** When it is sent (again). */
  due: v.optional(v.string()),
  job: v.optional(v.number()),
  webhook: v.optional(v.string()),
  /** What it tells of: `job.finished`. */
  event: v.string(),
  tries: v.array(
    v.object({
      time: v.string(),
      request: v.optional(v.string()),
      response: v.optional(v.string()),
      error: v.optional(v.string()),
    }),
  ),
});
export type NoticeView = v.InferOutput<typeof noticeViewSchema>;
export interface NoticeList {
  notices: NoticeView[];
  next_cursor?: string;
}
