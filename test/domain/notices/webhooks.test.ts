import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AddedWebhook, NoticeList, NoticeView, WebhookView } from "#protocol/notices.ts";
import { deliverNotices } from "../../../control-plane/domain/notices/deliver.ts";
import { eventNames } from "../../../control-plane/domain/notices/webhook-changes.ts";
import { findWebhook, webhookItem } from "../../../control-plane/domain/notices/webhooks.ts";
import { without } from "../../../control-plane/domain/without.ts";
import { tick } from "../../../control-plane/domain/tick.ts";
import { aJob } from "../../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import { hookReceiver, type HookReceiver } from "../../support/hook-receiver.ts";

let lab: EmbeddedLab;
let receiver: HookReceiver;
beforeEach(async () => {
  receiver = await hookReceiver();
  // Where nobody asks after each change the tick does: the times would be others.
  lab = await embeddedLab({}, "embedded");
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  await lab.request("/settings", {
    method: "PUT",
    body: { settings: { notices: { private_hosts: ["127.0.0.1"], url: "https://lab.test" } } },
  });
});
afterEach(async () => {
  await lab.close();
  await receiver.close();
});

const add = (body: object = {}) =>
  lab.api<AddedWebhook>("/webhooks", {
    body: { url: `${receiver.url}/hook?key=k3y`, events: ["job.*", "device.health"], ...body },
  });
const webhooks = async () => (await lab.api<{ webhooks: WebhookView[] }>("/webhooks")).webhooks;
const notices = async (query = "") => (await lab.api<NoticeList>(`/notices${query}`)).notices;
const events = () => receiver.received.map(({ headers }) => headers["x-pumice-event"]);
const health = async (word: string) => {
  await lab.api("/devices/qemu-01/health", { body: { health: word, reason: "fan <b>" } });
  await lab.settled();
};
const soon = async (seconds: number) => {
  lab.pass(seconds);
  await tick(lab.deps);
  await lab.settled();
};

describe("a webhook", () => {
  test("is told of what it asked for, and of nothing from before", async () => {
    await health("Bad");
    await add();
    await health("Good");
    const id = await lab.submit(aJob({ name: "boot" }));
    expect(events().map(String).toSorted()).toEqual([
      "device.health",
      "job.scheduled",
      "job.submitted",
    ]);
    const bodies = receiver.received.map(({ body }) => JSON.parse(body));
    expect(bodies.find(({ event }) => event === "job.submitted")).toMatchObject({
      kind: "job",
      name: String(id),
      who: "admin",
      changed: { state: [null, "Submitted"] },
      data: { job: id, state: "Submitted", description: "boot" },
    });
    expect(receiver.received[0]).toMatchObject({ method: "POST", path: "/hook?key=k3y" });
  });

  test("is told of public jobs, of others only when it was added for them", async () => {
    await add({ events: ["job.submitted"] });
    await add({ events: ["job.submitted"], visibility: "all" });
    await lab.api("/groups/team", { method: "PUT", body: { members: [] } });
    for (const visibility of ["public", "personal", "{group: [team]}"]) {
      await lab.submit(aJob().replace("visibility: public", `visibility: ${visibility}`));
    }
    await soon(1);
    const told = receiver.received.map(({ body }) => (JSON.parse(body) as { name: string }).name);
    expect(told.toSorted()).toEqual(["1", "1", "2", "3"]);
    const shown = (await webhooks()).map(({ visibility }) => String(visibility));
    expect(shown.toSorted()).toEqual(["all", "public"]);
  });

  test("of an earlier version, which says nothing of it, is told of public jobs", async () => {
    const { id } = await add({ events: ["job.submitted"] });
    const item = await findWebhook(lab.deps, id);
    await lab.deps.table.transact([{ put: webhookItem(without(item!.data, "visibility")) }]);
    await lab.submit(aJob().replace("visibility: public", "visibility: personal"));
    await lab.submit();
    await soon(1);
    expect(
      receiver.received.map(({ body }) => (JSON.parse(body) as { name: string }).name),
    ).toEqual(["2"]);
  });

  test("is signed with a secret that is shown once, and its time is part of what is signed", async () => {
    const { secret } = await add();
    await health("Bad");
    const { headers, body } = receiver.received[0]!;
    const [, seconds, signature] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(
      String(headers["x-pumice-signature"]),
    )!;
    const expected = createHmac("sha256", secret!).update(`${seconds}.${body}`).digest("hex");
    expect(signature).toBe(expected);
    expect(Number(seconds)).toBe(Date.parse("2026-03-01T12:00:00Z") / 1000);
    const shown = JSON.stringify([await webhooks(), await notices()]);
    expect(shown).not.toContain(secret!);
    expect(shown).not.toContain("k3y");
    const stored = JSON.stringify((await lab.deps.table.scan()).items);
    expect(stored).not.toContain(secret!);
    expect(stored).not.toContain("k3y");
  });

  test.each([
    [
      "slack",
      {
        text: expect.stringMatching(
          /^device qemu-01: health Good → Bad by admin: fan &lt;b&gt; https:\/\/lab.test\/devices\/qemu-01$/,
        ),
      },
    ],
    ["discord", { content: expect.stringContaining("fan <b>"), allowed_mentions: { parse: [] } }],
    [
      "teams",
      {
        type: "message",
        attachments: [{ contentType: "application/vnd.microsoft.card.adaptive" }],
      },
    ],
  ])("of the format %s is told as that takes it, unsigned", async (format, expected) => {
    expect(await add({ format })).toEqual({ id: expect.any(String) });
    await health("Bad");
    const { headers, body } = receiver.received[0]!;
    expect(JSON.parse(body)).toMatchObject(expected);
    expect(headers["x-pumice-signature"]).toBeUndefined();
    expect((await webhooks())[0]!.to).toBe(`${receiver.url}/...`);
  });

  test("of the format plain is told in one line of text", async () => {
    await add({ format: "plain" });
    await health("Bad");
    const { headers, body } = receiver.received[0]!;
    expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(body).toBe(
      "device qemu-01: health Good → Bad by admin: fan <b> https://lab.test/devices/qemu-01",
    );
  });

  test("is told once of each change, however many look at the same time", async () => {
    await add();
    const { signals } = lab.deps;
    const requestPass = signals.requestPass.bind(signals);
    signals.requestPass = async (what) => (what.startsWith("#") ? undefined : requestPass(what));
    for (const word of ["Bad", "Good", "Unknown", "Maintenance"]) await health(word);
    await Promise.all([1, 2, 3].map(() => deliverNotices(lab.deps)));
    await deliverNotices(lab.deps);
    expect(events()).toHaveLength(4);
    const ids = receiver.received.map(({ headers }) => headers["x-pumice-delivery"]);
    expect(new Set(ids).size).toBe(4);
  });

  test("is tried again and then told late", async () => {
    await add();
    receiver.answer(500);
    await health("Bad");
    receiver.answer(204);
    await soon(61);
    expect(events()).toEqual(["device.health", "device.health"]);
    const [notice] = await notices();
    expect(notice).toMatchObject({
      state: "sent",
      tries: [{ response: "HTTP 500" }, { response: "HTTP 204" }],
    });
  });

  test("is not tried again after a refusal or a redirect", async () => {
    await add();
    for (const status of [404, 301]) {
      receiver.answer(status, "no");
      await health(status === 404 ? "Bad" : "Good");
      await soon(24 * 3600);
      const [notice] = await notices();
      expect(notice).toMatchObject({ state: "failed", tries: [{ response: `HTTP ${status} no` }] });
    }
  });

  test("of a lab that was restored is told of nothing from before", async () => {
    await add();
    await lab.settled();
    const { signals, table } = lab.deps;
    const requestPass = signals.requestPass.bind(signals);
    signals.requestPass = async (what) => (what.startsWith("#") ? undefined : requestPass(what));
    await health("Bad");
    // That belongs to the place where it was: no backup has it.
    await table.transact([{ delete: { partition: "lab", sort: "webhooks-read" } }]);
    lab.pass(60);
    await deliverNotices(lab.deps);
    expect(events()).toEqual([]);
    await health("Good");
    await deliverNotices(lab.deps);
    expect(events()).toEqual(["device.health"]);
  });

  test("that is the first after a long time is told of nothing from that time", async () => {
    const { id } = await add();
    await health("Bad");
    await lab.request(`/webhooks/${id}`, { method: "DELETE" });
    await health("Good");
    lab.pass(3600);
    await add();
    await health("Bad");
    expect(receiver.received.map(({ body }) => JSON.parse(body).changed.health)).toEqual([
      ["Good", "Bad"],
      ["Good", "Bad"],
    ]);
  });

  test("is switched off after thirty failures in a row, as the audit log says, and told again once it is on", async () => {
    const { id } = await add();
    receiver.answer(400);
    for (let n = 0; n < 15; n++) {
      await health("Bad");
      await health("Good");
    }
    expect(events()).toHaveLength(30);
    expect(await webhooks()).toMatchObject([
      { id, active: false, failures: 30, why: "30 tries failed one after the other" },
    ]);
    const audit = await lab.deps.table.query<{ name: string; who: string }>("i2", "audit");
    expect(audit.items.map(({ data }) => data)).toContainEqual(
      expect.objectContaining({
        name: `webhook ${id}`,
        who: "lava-health",
        changed: { active: ["true", "false"] },
      }),
    );
    receiver.answer(200);
    await health("Bad");
    expect(events()).toHaveLength(30);
    await lab.api(`/webhooks/${id}/enable`, { method: "POST" });
    await health("Good");
    expect(events()).toHaveLength(31);
    expect(await webhooks()).toMatchObject([{ active: true, failures: 0 }]);
  });

  test("counts only failures in a row", async () => {
    await add();
    receiver.answer(400);
    await health("Bad");
    receiver.answer(200);
    await health("Good");
    expect(await webhooks()).toMatchObject([{ failures: 0 }]);
  });

  test("that is removed is told no more, also what was due", async () => {
    const { id } = await add();
    receiver.answer(500);
    await health("Bad");
    expect((await lab.request(`/webhooks/${id}`, { method: "DELETE" })).status).toBe(204);
    await soon(61);
    expect(events()).toHaveLength(1);
    expect(await notices()).toMatchObject([
      { state: "failed", tries: [{}, { error: "the webhook is gone" }] },
    ]);
  });

  test("is refused with what it can't be", async () => {
    const refusal = async (body: object) => {
      const answer = await lab.request("/webhooks", {
        body: { url: receiver.url, events: ["job.finished"], ...body },
      });
      return [answer.status, ((await answer.json()) as { message: string }).message];
    };
    expect(await refusal({ url: "ftp://x" })).toEqual([
      400,
      "url: expected an address, https://...",
    ]);
    expect(await refusal({ events: [] })).toEqual([400, "events: expected at least one event"]);
    expect(await refusal({ events: ["job.done"] })).toMatchObject([
      400,
      expect.stringContaining("job.finished"),
    ]);
    expect(await refusal({ format: "slack", secret: "0123456789abcdef" })).toMatchObject([
      400,
      expect.stringContaining("only webhooks of the format pumice"),
    ]);
  });
});

describe("the log of notices", () => {
  test("names a job's for its submitter, and all for administrators only", async () => {
    const alice = await lab.addUser("alice");
    await lab.request("/settings", {
      method: "PUT",
      body: { settings: { access: { permissions: { submit: ["everyone"] } } } },
    });
    const definition = aJob({
      lines: [
        `notify: {criteria: {status: finished}, callback: {url: "${receiver.url}/x?t=s3cret"}}`,
      ],
    });
    const { job_ids } = await lab.api<{ job_ids: number[] }>("/jobs", {
      body: definition,
      ...alice,
    });
    const job = job_ids[0]!;
    await lab.api(`/jobs/${job}/cancel`, { method: "POST", ...alice });
    const list = async (token: string, query: string) => lab.request(`/notices${query}`, { token });
    expect((await list(alice.token, "")).status).toBe(403);
    expect((await list(alice.token, `?job=${job}`)).status).toBe(200);
    expect((await list((await lab.addUser("bob")).token, `?job=${job}`)).status).toBe(403);
  });

  test("has each try, and what is asked for again is sent under the same id", async () => {
    receiver.answer(404, "who?");
    await add();
    await health("Bad");
    const [failed] = await notices();
    expect(failed).toMatchObject({
      kind: "webhook",
      state: "failed",
      event: "device.health",
      to: `${receiver.url}/hook?...`,
      tries: [{ time: "2026-03-01T12:00:00.000Z", response: "HTTP 404 who?" }],
    });
    receiver.answer(200, "found");
    const where = `/notices/${failed!.id}`;
    expect(await lab.api<NoticeView>(`${where}/replay`, { method: "POST" })).toMatchObject({
      state: "pending",
    });
    await lab.settled();
    expect(await lab.api<NoticeView>(where)).toMatchObject({
      state: "sent",
      tries: [{ response: "HTTP 404 who?" }, { response: "HTTP 200 found" }],
    });
    const [first, second] = receiver.received.map(({ headers }) => headers["x-pumice-delivery"]);
    expect(second).toBe(first);
    expect(await notices("?state=failed")).toEqual([]);
    expect(await notices("?state=sent")).toHaveLength(1);
  });

  test("keeps what is secret to itself", async () => {
    await add();
    receiver.answer(200, "x".repeat(5000));
    await health("Bad");
    const [notice] = await notices();
    expect(notice!.tries[0]!.response!.length).toBeLessThan(320);
  });
});

test("the names of changes", () => {
  const change = (kind: string, changed: object) => eventNames({ kind, changed } as never);
  expect(
    change("job", { state: ["Running", "Finished"], health: ["Unknown", "Complete"] }),
  ).toEqual(["job.finished"]);
  expect(change("job", { health: ["Unknown", "Complete"] })).toEqual([]);
  expect(change("device", { state: ["Idle", "Reserved"] })).toEqual(["device.state"]);
  expect(change("worker", { state: ["Online", "Offline"] })).toEqual(["worker.state"]);
  expect(change("user", { admin: ["false", "true"] })).toEqual([]);
});
