import { WEBHOOK_EVENTS, WEBHOOK_FORMATS } from "#protocol/notices.ts";
import type { NoticeView, WebhookView } from "#protocol/notices.ts";
import { AdminFrame, Older, Sure, ToCopy } from "./admin-frame.tsx";
import type { Said } from "./answer-form.ts";
import { Ago } from "./time.tsx";
import type { View } from "./view.ts";

export const NOTICE_STATES = ["pending", "sent", "failed", "lapsed"] as const;
const TONES = { pending: "run", sent: "good", failed: "bad", lapsed: "warn" } as const;

export interface NoticesShown {
  view: View;
  query: {
    state?: string | undefined;
    webhook?: string | undefined;
    job?: string | undefined;
    cursor?: string | undefined;
  };
  webhooks: readonly WebhookView[];
  notices: readonly NoticeView[];
  nextCursor: string | undefined;
  message?: Said | undefined;
  /** What signs the messages of a new webhook; shown this once. */
  made?: { secret: string } | undefined;
}

/** `/admin/notices`: whom the lab tells, and what it has sent. */
export const NoticesPage = (props: NoticesShown) => (
  <AdminFrame view={props.view} title="Notices" tab="/admin/notices" message={props.message}>
    {props.made && (
      <div class="notice good" role="status">
        <p>What signs the messages of the new webhook, shown this once:</p>
        <ToCopy id="made" text={props.made.secret} label="the secret" />
      </div>
    )}
    <Webhooks webhooks={props.webhooks} />
    <Sent {...props} />
  </AdminFrame>
);

const Webhooks = ({ webhooks }: { webhooks: readonly WebhookView[] }) => (
  <section aria-labelledby="webhooks">
    <h2 id="webhooks">Webhooks</h2>
    {webhooks.length === 0 ? (
      <p class="nothing">The lab tells nobody yet, but for the notices that jobs ask for.</p>
    ) : (
      <WebhooksTable webhooks={webhooks} />
    )}
    <details>
      <summary>Add a webhook</summary>
      <AddWebhook />
    </details>
  </section>
);

const WebhooksTable = ({ webhooks }: { webhooks: readonly WebhookView[] }) => (
  <table class="stacked">
    <thead>
      <tr>
        <th scope="col">To</th>
        <th scope="col">Of</th>
        <th scope="col">As</th>
        <th scope="col">State</th>
        <th scope="col">Remove</th>
      </tr>
    </thead>
    <tbody>
      {webhooks.map((hook) => (
        <tr>
          <td class="name">
            <a href={`/admin/notices?${new URLSearchParams({ webhook: hook.id })}`}>{hook.to}</a>
            <small>{hook.description}</small>
          </td>
          <td data-label="Of">
            {hook.events.join(", ")}
            {hook.visibility === "all" && <small>of all jobs, also personal ones</small>}
          </td>
          <td data-label="As">{hook.format}</td>
          <td data-label="State">
            <span class={`chip ${hook.active ? "good" : "bad"}`}>{hook.active ? "on" : "off"}</span>
            {hook.why && <small>{hook.why}</small>}
            {!hook.active && (
              <form method="post" action="/admin/webhooks/enable">
                <input type="hidden" name="id" value={hook.id} />
                <button>Switch on</button>
              </form>
            )}
          </td>
          <td>
            <Sure
              ask="Remove"
              action="/admin/webhooks/remove"
              fields={{ id: hook.id }}
              yes="Remove the webhook"
            />
          </td>
        </tr>
      ))}
    </tbody>
  </table>
);

const AddWebhook = () => (
  <form method="post" action="/admin/webhooks">
    <div class="fields">
      <label>
        Address
        <input name="url" type="url" required maxlength={2000} autocomplete="off" />
      </label>
      <label>
        As
        <select name="format">
          {WEBHOOK_FORMATS.map((format) => (
            <option>{format}</option>
          ))}
        </select>
      </label>
      <label>
        Description
        <input name="description" maxlength={200} autocomplete="off" />
      </label>
      <label class="check">
        <input type="checkbox" name="all" value="yes" /> Also of personal jobs and of groups
      </label>
    </div>
    <fieldset>
      <legend class="muted">Of what</legend>
      <div class="filters">
        {WEBHOOK_EVENTS.map((event) => (
          <label>
            <input
              type="checkbox"
              name="event"
              value={event}
              checked={event === "job.finished" ? true : undefined}
            />{" "}
            {event}
          </label>
        ))}
      </div>
    </fieldset>
    <button class="primary">Add the webhook</button>
  </form>
);

function Sent({ view, query, notices, nextCursor }: NoticesShown) {
  return (
    <section aria-labelledby="sent">
      <h2 id="sent">Sent and to be sent</h2>
      <form class="filters" role="search" aria-label="Filter notices">
        {query.webhook && <input type="hidden" name="webhook" value={query.webhook} />}
        <label>
          State
          <select name="state">
            <option value="">any</option>
            {NOTICE_STATES.map((state) => (
              <option selected={state === query.state}>{state}</option>
            ))}
          </select>
        </label>
        <label>
          Job
          <input name="job" value={query.job ?? ""} size={8} inputmode="numeric" />
        </label>
        <button>Filter</button>
        {(query.state ?? query.job ?? query.webhook) && <a href="/admin/notices">Clear</a>}
      </form>
      {notices.length === 0 ? (
        <p class="nothing">
          {nextCursor === undefined ? "Nothing yet." : "None among these; older ones may fit."}
        </p>
      ) : (
        <table class="stacked">
          <thead>
            <tr>
              <th scope="col">When</th>
              <th scope="col">What</th>
              <th scope="col">To</th>
              <th scope="col">State</th>
              <th scope="col">Again</th>
            </tr>
          </thead>
          <tbody>
            {notices.map((notice) => (
              <Notice notice={notice} now={view.now} />
            ))}
          </tbody>
        </table>
      )}
      <Older
        of="notices"
        href={
          nextCursor &&
          `/admin/notices?${new URLSearchParams(
            Object.entries({ ...query, cursor: nextCursor }).filter(
              (entry): entry is [string, string] => entry[1] !== undefined,
            ),
          )}`
        }
      />
    </section>
  );
}

const Notice = ({ notice, now }: { notice: NoticeView; now: number }) => (
  <tr>
    <td class="when">
      <Ago iso={notice.created} now={now} />
    </td>
    <td data-label="What">
      {notice.event}
      {notice.job !== undefined && (
        <>
          {" "}
          <a href={`/jobs/${notice.job}`}>{`#${notice.job}`}</a>
        </>
      )}
    </td>
    <td data-label="To">
      {notice.to} <small>{notice.kind}</small>
    </td>
    <td data-label="State">
      <span class={`chip ${TONES[notice.state]}`}>{notice.state}</span>
      {notice.tries.length > 0 && (
        <details>
          <summary class="muted">
            {notice.tries.length === 1 ? "1 try" : `${notice.tries.length} tries`}
          </summary>
          {notice.tries.map(({ time, request, response, error }) => (
            <pre class="code">{[time, request, response, error].filter(Boolean).join("\n")}</pre>
          ))}
        </details>
      )}
    </td>
    <td>
      {notice.state !== "pending" && (
        <Sure
          ask="Send again"
          action="/admin/notices/replay"
          fields={{ id: notice.id }}
          yes="Send it once more"
        />
      )}
    </td>
  </tr>
);
