import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SubmitResponse } from "#protocol/api.ts";
import { aJob } from "../../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../../support/embedded-lab.ts";
import { mailReceiver, type MailReceiver } from "../../support/mail-receiver.ts";

let lab: EmbeddedLab;
let worker: string;
let alice: string;
let receiver: MailReceiver;
beforeEach(async () => {
  receiver = await mailReceiver();
  lab = await embeddedLab();
  worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  ({ token: alice } = await lab.addUser("alice"));
  const smtp = { host: "127.0.0.1", port: receiver.port, tls: "none", from: "lab@example.org" };
  await lab.request("/settings", { method: "PUT", body: { settings: { notices: { smtp } } } });
});
afterEach(async () => {
  await lab.close();
  await receiver.close();
});

const put = (where: string, body: object, token = alice) =>
  lab.api(`/queries/${where}`, { method: "PUT", token, body });
const nightly = "submitter__alice,description__nightly";
const recipients = [{ to: { method: "email", email: "ann@example.org" } }];
const submit = (notify: object, name = "nightly") =>
  lab.api<SubmitResponse>("/jobs", {
    token: alice,
    body: aJob({ name, lines: [`notify: ${JSON.stringify({ recipients, ...notify })}`] }),
  });

/** Runs the job that is next to its end. */
async function run(result: "pass" | "fail" = "pass"): Promise<void> {
  await lab.settled();
  const { start } = await lab.sync(worker);
  const { job_id, token } = start[0]!;
  await lab.sync(worker, [{ job_id, state: "running" }]);
  const why = result === "fail" ? ({ error_type: "Test", error_msg: "it broke" } as const) : {};
  await lab.finish(job_id, token, { result, lines: 0, ...why });
  await lab.sync(worker);
  await lab.settled();
}

describe("dependency_query", () => {
  const criteria = (dependency_query: string, status = "finished") => ({
    criteria: { status, dependency_query },
  });

  test("has the last job of the query tell, when all the others are what is wanted", async () => {
    await put("alice/nightly", { conditions: nightly });
    for (const name of ["alice/nightly", "~alice/nightly", "nightly"]) {
      expect((await submit(criteria(name))).warnings).toEqual([]);
    }
    await run();
    await run("fail");
    expect(receiver.mails).toEqual([]);
    await run();
    expect(receiver.mails).toHaveLength(1);
    expect(receiver.mails[0]!.text).toContain("3");
  });

  test("tells nobody of complete while another job of the query is Incomplete", async () => {
    await put("alice/nightly", { conditions: nightly });
    await submit(criteria("nightly", "complete"));
    await submit(criteria("nightly", "complete"));
    await run("fail");
    await run();
    expect(receiver.mails).toEqual([]);
  });

  test("of a query that is not there, or that is not theirs to use, is said at submission and tells nobody", async () => {
    await put("bob/own", { conditions: nightly }, lab.adminToken);
    for (const name of ["alice/none", "bob/own", "", "a/b/c"]) {
      const { warnings } = await submit(criteria(name));
      expect(warnings).toEqual([
        expect.stringContaining("notify: criteria.dependency_query: there is no query"),
      ]);
      await run();
    }
    expect(receiver.mails).toEqual([]);
  });
});

describe("compare by a saved query", () => {
  const compare = (name: string) => ({
    criteria: { status: "finished" },
    verbosity: "verbose",
    compare: { query: { username: "alice", name } },
  });

  test("names the last five jobs that it finds before this one", async () => {
    await put("alice/nightly", { conditions: nightly });
    await submit({ criteria: { status: "running" } }, "other");
    for (let n = 0; n < 7; n++) await submit(compare("nightly"));
    for (let n = 0; n < 7; n++) await run();
    receiver.mails.length = 0;
    await run();
    const text = receiver.mails[0]!.text;
    const told = [...text.matchAll(/^ {2}(\d+) Complete nightly$/gm)].map(([, id]) => id);
    expect(told).toEqual(["7", "6", "5", "4", "3"]);
    expect(text).toContain("Different from job 7:");
  });

  test("of a query that is not there is said at submission and in the mail", async () => {
    const { warnings } = await submit(compare("none"));
    expect(warnings).toEqual([
      expect.stringContaining('notify: compare.query: there is no query "alice/none"'),
    ]);
    await run();
    expect(receiver.mails[0]!.text).toContain("Comparison: there is no query alice/none");
  });
});
