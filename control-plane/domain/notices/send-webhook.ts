import type { LabSettings } from "#protocol/lab-settings.ts";
import type { WebhookFormat } from "#protocol/notices.ts";
import { CallRefused } from "../../ports/outbound.ts";
import type { ChangeRecord } from "../changes.ts";
import type { Deps } from "../deps.ts";
import type { DeliveryRecord } from "./delivery-record.ts";
import { answerText, guardOf, type Sent } from "./send-notice.ts";
import { eventNames } from "./webhook-changes.ts";
import { findWebhook, unsealed } from "./webhooks.ts";

const WEBHOOK_MS = 10_000;

/** Sends a webhook's message. Throws `CallRefused` for what can't be sent, now or later. */
export async function sendWebhook(
  deps: Deps,
  settings: LabSettings["notices"],
  { id, webhook = "", change }: DeliveryRecord,
): Promise<Sent> {
  const found = (await findWebhook(deps, webhook))?.data;
  if (!found || !change) throw new CallRefused("the webhook is gone");
  if (!found.active) throw new CallRefused("the webhook is switched off");
  const url = unsealed(deps, webhook, found.sealed_url);
  const secret = found.sealed_secret && unsealed(deps, webhook, found.sealed_secret);
  if (url === undefined || (found.sealed_secret !== undefined && !secret)) {
    throw new CallRefused("the webhook was made where the lab had another secret: add it anew");
  }
  const [event = ""] = eventNames(change);
  const [body, type] = bodyFor(found.format, change, event, settings.url);
  const seconds = Math.floor(deps.system.now() / 1000);
  const { status, text } = await deps.outbound.call({
    url,
    method: "POST",
    headers: {
      "content-type": type,
      "x-pumice-delivery": id,
      "x-pumice-event": event,
      ...(secret
        ? {
            "x-pumice-signature": `t=${seconds},v1=${deps.system.hmac(secret, `${seconds}.${body}`)}`,
          }
        : {}),
    },
    body,
    timeoutMs: WEBHOOK_MS,
    guard: guardOf(settings),
  });
  const request = `POST ${found.to}, ${event}, ${body.length} characters`;
  return { request, response: answerText(status, text), status };
}

/** The change as somebody takes it, and its media type. */
function bodyFor(
  format: WebhookFormat,
  change: ChangeRecord,
  event: string,
  labUrl: string | undefined,
): [body: string, type: string] {
  if (format === "pumice") return [JSON.stringify({ event, ...change }), "application/json"];
  const text = sentence(change, labUrl);
  if (format === "plain") return [text, "text/plain; charset=utf-8"];
  return [JSON.stringify(CHATS[format](text)), "application/json"];
}

const CHATS: Record<"slack" | "teams" | "discord", (text: string) => unknown> = {
  // Its three characters of markup; a job's name must not mention a channel.
  slack: (text) => ({
    text: text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"),
  }),
  discord: (text) => ({ content: text, allowed_mentions: { parse: [] } }),
  teams: (text) => ({
    type: "message",
    attachments: [
      {
        contentType: "application/vnd.microsoft.card.adaptive",
        content: {
          $schema: "http://adaptivecards.io/schemas/adaptive-card.json",
          type: "AdaptiveCard",
          version: "1.4",
          body: [{ type: "TextBlock", text, wrap: true }],
        },
      },
    ],
  }),
};

/** What happened, in one line. */
export function sentence(
  { kind, name, changed, data = {}, who, reason }: ChangeRecord,
  labUrl?: string,
): string {
  const to = Object.entries(changed)
    .map(([field, [before, now]]) => `${field} ${before === null ? "" : `${before} → `}${now}`)
    .join(", ");
  const description = kind === "job" ? ` (${String(data["description"] ?? "")})` : "";
  const device = kind === "job" && data["device"] ? ` on ${String(data["device"])}` : "";
  const why = reason === undefined ? "" : `: ${reason}`;
  const by = who === "lava-health" ? "" : ` by ${who}`;
  const link = labUrl === undefined || kind === "worker" ? "" : ` ${labUrl}/${kind}s/${name}`;
  // oxlint-disable-next-line no-control-regex
  const line = `${kind} ${name}${description}${device}: ${to}${by}${why}`.replaceAll(
    /[\u0000-\u001f\u007f]+/g,
    " ",
  );
  return `${line.slice(0, 1000)}${link}`;
}
