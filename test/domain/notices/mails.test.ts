import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NoticeList } from "#protocol/notices.ts";
import { tick } from "../../../control-plane/domain/tick.ts";
import { userItem, newUser } from "../../../control-plane/domain/users.ts";
import { aJob, aResult } from "../../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import { mailReceiver, type MailReceiver } from "../../support/mail-receiver.ts";

let lab: EmbeddedLab;
let worker: string;
let receiver: MailReceiver;
beforeEach(async () => {
  receiver = await mailReceiver();
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  await mailBy(receiver);
});
afterEach(async () => {
  await lab.close();
  await receiver.close();
});

const mailBy = ({ port }: MailReceiver, more: object = {}) =>
  lab.request("/settings", {
    method: "PUT",
    body: {
      settings: {
        notices: {
          url: "https://lab.example.org",
          smtp: { host: "127.0.0.1", port, tls: "none", from: "Lab <lab@example.org>", ...more },
        },
      },
    },
  });

async function aPerson(name: string, email: string, active = true): Promise<void> {
  const user = await newUser(lab.deps, name, { source: "local", email, active });
  await lab.deps.table.transact([{ put: userItem(user) }]);
}

const definition = (notify: object, name = "smoke") =>
  aJob({ name, lines: [`notify: ${JSON.stringify(notify)}`] });
const to = (to: object) => ({ to: { method: "email", ...to } });
const finished = { criteria: { status: "finished" } };

async function run(
  text: string,
  { result = "pass", results = [aResult()] }: { result?: "pass" | "fail"; results?: object[] } = {},
): Promise<number> {
  const id = await lab.submit(text);
  const { start } = await lab.sync(worker);
  const { token } = start.find(({ job_id }) => job_id === id)!;
  await lab.sync(worker, [{ job_id: id, state: "running" }]);
  lab.pass(75);
  const records = results.map((msg) => ({
    dt: "2026-03-01T12:00:11.000000+00:00",
    lvl: "results",
    msg,
  }));
  await lab.ship(id, token, 0, records);
  await lab.finish(id, token, {
    result,
    lines: records.length,
    ...(result === "fail" ? { error_type: "Test", error_msg: "it broke" } : {}),
  });
  await lab.sync(worker);
  return id;
}
const notices = async () => (await lab.api<NoticeList>("/notices")).notices;
const receivers = () => receiver.mails.map((mail) => String(mail.to[0])).toSorted();

describe("a mail", () => {
  test("has LAVA's subject, and by default says how the job ended, its device and its times", async () => {
    const id = await run(
      definition({ ...finished, recipients: [to({ email: "ann@example.org" })] }),
    );
    const [mail] = receiver.mails;
    expect(mail).toMatchObject({ from: "lab@example.org", to: ["ann@example.org"] });
    expect(mail!.headers.get("subject")).toBe(`LAVA notification for Test Job ${id} smoke`);
    expect(mail!.headers.get("from")).toBe("Lab <lab@example.org>");
    expect(mail!.headers.get("message-id")).toBe(`<${id}-1-finished-email-0@lab.example.org>`);
    expect(mail!.headers.get("auto-submitted")).toBe("auto-generated");
    expect(mail!.text).toBe(`Hello ann@example.org,

job ${id} is now in state Finished and health Complete.
https://lab.example.org/jobs/${id}

Device: qemu-01
Device type: qemu
Worker: bench

Description: smoke
Submitter: admin
Priority: 50
Submitted: 2026-03-01 12:00:00+00:00
Started: 2026-03-01 12:00:00+00:00
Finished: 2026-03-01 12:01:15+00:00
Duration: 0:01:15
`);
  });

  test("that is status-only says no more than the state", async () => {
    const recipients = [to({ email: "ann@example.org" })];
    const id = await run(definition({ ...finished, verbosity: "status-only", recipients }));
    expect(receiver.mails[0]!.text.trim().split("\n")).toEqual([
      "Hello ann@example.org,",
      "",
      `job ${id} is now in state Finished and health Complete.`,
      `https://lab.example.org/jobs/${id}`,
    ]);
  });

  test("of a job that failed says why", async () => {
    const recipients = [to({ email: "ann@example.org" })];
    await run(definition({ ...finished, recipients }), { result: "fail" });
    expect(receiver.mails[0]!.text).toContain("Error type: Test\nError message: it broke\n");
  });

  test("that is verbose has metadata, every result, and how they differ from the last Complete job", async () => {
    const compare = {
      query: { entity: "testjob", conditions: { submitter: "admin", description: "boot" } },
      blacklist: ["noise"],
    };
    const recipients = [to({ email: "ann@example.org" })];
    const notify = { ...finished, verbosity: "verbose", recipients, compare };
    const text = `${definition(notify, "boot")}metadata: {build: 7}\n`;
    const of = (name: string, result: string, more: object = {}) =>
      aResult({ case: name, result, ...more });
    const first = await run(text, {
      results: [of("a", "pass"), of("b", "fail"), of("noise", "pass"), of("gone", "pass")],
    });
    await run(definition(notify, "other"));
    await run(text, {
      results: [
        of("a", "fail"),
        of("b", "fail", { measurement: 1.5, units: "s" }),
        of("noise", "fail"),
        of("new", "pass"),
        aResult({ definition: "1_more", case: "x" }),
      ],
    });
    expect(receiver.mails.at(-1)!.text).toContain(`Metadata:
  build: 7

Suite 0_smoke:
  a: fail
  b: fail (1.5 s)
  noise: fail
  new: pass
Suite 1_more:
  x: pass

Comparison with the last jobs:
  ${first} Complete boot
Different from job ${first}:
  0_smoke/gone is gone
  0_smoke/a: fail, pass before
  0_smoke/new is new: pass
  suite 1_more is new, with 1 cases
`);
  });

  test("is one line for a job's name of any characters", async () => {
    const name = "née\\nBcc: x@example.org";
    const text = definition({
      ...finished,
      recipients: [to({ email: "ann@example.org" })],
    }).replace("job_name: smoke", `job_name: "${name}"`);
    await run(text);
    const [mail] = receiver.mails;
    expect(mail!.to).toEqual(["ann@example.org"]);
    expect(mail!.headers.has("bcc")).toBe(false);
    expect(mail!.headers.get("subject")).toMatch(/^=\?UTF-8\?/);
  });
});

describe("recipients", () => {
  test("are addresses, users, and the owner of the job's device", async () => {
    await aPerson("bob", "bob@example.org");
    await aPerson("olga", "olga@example.org");
    const device = await lab.deps.table.get<object>({
      partition: "device#qemu-01",
      sort: "device",
    });
    const { deviceItem } = await import("../../../control-plane/domain/device-record.ts");
    await lab.deps.table.transact([
      { put: deviceItem({ ...device!.data, physical_owner: "olga" } as never) },
    ]);
    const recipients = [
      to({ email: "ann@example.org" }),
      to({ user: "bob" }),
      to({ user: "{LAVA_DEVICE_OWNER}" }),
      to({ email: "ann@example.org" }),
    ];
    await run(definition({ ...finished, recipients }));
    expect(receivers()).toEqual(["ann@example.org", "bob@example.org", "olga@example.org"]);
  });

  test("who are users are named in the log of notices, where nobody learns their addresses", async () => {
    await aPerson("bob", "bob@example.org");
    await run(definition({ ...finished, recipients: [to({ user: "bob" })] }));
    expect(receivers()).toEqual(["bob@example.org"]);
    const told = await notices();
    expect(told).toMatchObject([{ to: "bob", state: "sent", tries: [{ request: "mail to bob" }] }]);
    expect(JSON.stringify(told)).not.toContain("bob@example.org");
  });

  test("are the submitter where nobody is named and no callback is", async () => {
    await aPerson("admin", "admin@example.org");
    await run(definition(finished));
    expect(receivers()).toEqual(["admin@example.org"]);
    await run(definition({ ...finished, callback: { url: "http://ci.invalid/" } }));
    expect(receivers()).toEqual(["admin@example.org"]);
  });

  test("without an address get none, and the log of notices says so", async () => {
    await aPerson("carl", "");
    await aPerson("dora", "dora@example.org", false);
    const recipients = [
      ...["carl", "dora", "nobody"].map((user) => to({ user })),
      to({ user: "{LAVA_DEVICE_OWNER}" }),
    ];
    await run(definition({ ...finished, recipients }));
    expect(receiver.mails).toEqual([]);
    const said = (await notices()).map(({ state, to: name, tries }) => [
      state,
      name,
      tries[0]?.error,
    ]);
    expect(said.toSorted((a, b) => String(a[1]).localeCompare(String(b[1])))).toEqual([
      ["lapsed", "{LAVA_DEVICE_OWNER}", "the job's device has no owner"],
      ["lapsed", "carl", expect.stringContaining("user carl has no mail address")],
      ["lapsed", "dora", "there is no active user dora"],
      ["lapsed", "nobody", "there is no active user nobody"],
    ]);
  });

  test("by irc are accepted, with a warning", async () => {
    const recipients = [{ to: { method: "irc", handle: "ann", server: "irc.example.org" } }];
    const text = definition({ ...finished, recipients });
    const { warnings } = await lab.api<{ warnings: string[] }>("/jobs", { body: text });
    expect(warnings).toContainEqual(expect.stringContaining("by irc are told nothing"));
  });
});

describe("the mail server", () => {
  test("that says later is asked again; what it never takes is not sent again", async () => {
    const text = definition({ ...finished, recipients: [to({ email: "ann@example.org" })] });
    receiver.refuse(451);
    await run(text);
    receiver.refuse(0);
    lab.pass(61);
    await tick(lab.deps);
    await lab.sync(worker);
    expect(receivers()).toEqual(["ann@example.org"]);
    receiver.refuse(550);
    await run(text);
    expect((await notices())[0]).toMatchObject({ state: "failed", tries: [{}] });
  });

  test("is asked with the lab's password, which nobody is shown", async () => {
    const strict = await mailReceiver({ login: { user: "lab", password: "s3cret-pass" } });
    try {
      await mailBy(strict, { user: "lab" });
      await lab.request("/smtp-password", { method: "PUT", body: { value: "s3cret-pass" } });
      await run(definition({ ...finished, recipients: [to({ email: "ann@example.org" })] }));
      expect(strict.mails).toMatchObject([{ user: "lab" }]);
      const stored = JSON.stringify((await lab.deps.table.scan()).items);
      expect(stored).not.toContain("s3cret-pass");
    } finally {
      await strict.close();
    }
  });

  test("without the encryption that was asked for gets nothing", async () => {
    await mailBy(receiver, { tls: "starttls" });
    await run(definition({ ...finished, recipients: [to({ email: "ann@example.org" })] }));
    expect(receiver.mails).toEqual([]);
    expect((await notices())[0]).toMatchObject({ state: "pending" });
  });

  test("that there is none of is told in the log of notices", async () => {
    await lab.request("/settings", { method: "PUT", body: { settings: { notices: null } } });
    await run(definition({ ...finished, recipients: [to({ email: "ann@example.org" })] }));
    expect((await notices())[0]).toMatchObject({
      state: "failed",
      tries: [{ error: "the lab has no mail server: settings, notices.smtp" }],
    });
  });
});
