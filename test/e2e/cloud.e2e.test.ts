import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { JobView } from "#protocol/api.ts";
import { hasChromium, launchChromium, signedInPage } from "../support/chromium.ts";
import type { RequestOptions } from "../support/embedded-lab.ts";
import { realLab, until, type RealLab } from "../support/real-lab.ts";
import {
  boardJob,
  countingOnBoard,
  expectWholeLog,
  isCounting,
  smoke,
} from "../support/smoke-jobs.ts";

let lab: RealLab;
let aws: NonNullable<RealLab["cloud"]>["aws"];
let gateway: NonNullable<RealLab["cloud"]>["gateway"];
beforeAll(async () => {
  lab = await realLab({ devices: 1, boards: 2 });
  if (!lab.cloud) throw new Error("this test is of the aws engine (project cloud-slow)");
  ({ aws, gateway } = lab.cloud);
});
afterEach(() => {
  aws.storage.faults.clear();
  aws.dynamodb.clearFaults();
  aws.dynamodb.watch(undefined);
});
afterAll(() => lab.close());

const jobs = async () => (await lab.api<{ jobs: JobView[] }>("GET", "/jobs")).jobs;

/** Submits as the command line does: again with the same key while no answer comes. */
async function submitPatiently(definition: string, key: string): Promise<number> {
  for (;;) {
    const answer = await fetch(`${lab.url}/api/v1/jobs`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${lab.adminToken}`,
        "content-type": "application/yaml",
        "idempotency-key": key,
      },
      body: definition,
    });
    const text = await answer.text();
    if (answer.ok) return (JSON.parse(text) as { job_ids: [number] }).job_ids[0];
    expect(answer.status, text).toBeGreaterThanOrEqual(500);
  }
}

describe("nobody waits in a function", () => {
  test("an idle worker stands at its own queue, and a job reaches it from there", async () => {
    await until(() => aws.storage.pollsStanding() > 1);
    const before = gateway.meter.read()["http"];
    // The worker and Lambda's own source; a request that were held would be one more in the functions.
    expect(before?.invocations).toBeGreaterThan(0);
    const id = await lab.submit(smoke);
    expect((await lab.finished(id)).health).toBe("Complete");
  });
});

describe.skipIf(!hasChromium())("a browser", () => {
  test("follows a job's log from S3, and no function carries a line of it", async () => {
    const errors: string[] = [];
    const browser = await launchChromium();
    try {
      const api = <T>(where: string, { method = "GET" }: RequestOptions = {}) =>
        lab.api<T>(method, where);
      const page = await signedInPage(browser, { api }, lab.url, errors);
      const id = await lab.submit(countingOnBoard);
      const asked: string[] = [];
      page.on("request", (request) => asked.push(request.url()));
      await page.goto(`${lab.url}/jobs/${id}`);
      await page
        .locator(".line", { hasText: /count-60$/ })
        .last()
        .waitFor({ timeout: 120_000 });
      expect(asked.filter((url) => url.startsWith(aws.storage.s3Endpoint))).not.toEqual([]);
      expect(asked.filter((url) => /\/log\?/.test(url))).toEqual([]);
      // Only what is near is in the page: the first of them is found.
      await page.getByRole("searchbox", { name: "Find in the log" }).fill("count-1");
      await page.keyboard.press("Enter");
      await page
        .locator(".line", { hasText: /count-1$/ })
        .first()
        .waitFor();
      expect((await lab.finished(id)).health).toBe("Complete");
      expect(errors).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});

describe("a job goes on to its end, with every line once,", () => {
  test("while AWS throttles, fails, loses answers and cuts connections", async () => {
    const id = await lab.submit(countingOnBoard);
    await lab.follow(id, isCounting);
    const operations = ["GetItem", "PutItem", "TransactWriteItems", "Query", "BatchGetItem"];
    for (const kind of ["throttle", "error500", "reset", "lostAnswer"] as const) {
      for (const operation of operations) aws.dynamodb.fail({ operation, kind, times: 1 });
      aws.storage.faults.next({ service: "s3", kind });
      aws.storage.faults.next({ service: "sqs", kind });
    }
    aws.dynamodb.fail({ operation: "TransactWriteItems", kind: "conflict", times: 2 });
    expect((await lab.finished(id)).health).toBe("Complete");
    expectWholeLog(await lab.follow(id), 60);
  });

  test("while S3 takes no chunk for a while", async () => {
    const id = await lab.submit(countingOnBoard);
    await lab.follow(id, isCounting);
    aws.storage.faults.next({ service: "s3", operation: "PutObject", kind: "error500", times: 6 });
    expect((await lab.finished(id)).health).toBe("Complete");
    expectWholeLog(await lab.follow(id), 60);
  });

  test("when the functions die in the middle of what they write", async () => {
    const id = await lab.submit(countingOnBoard);
    await lab.follow(id, isCounting);
    let deaths = 0;
    let calls = 0;
    aws.dynamodb.watch((operation) => {
      // Every third write is seen by nobody but the table.
      if (operation !== "TransactWriteItems" || ++calls % 3 !== 0 || deaths === 4) return;
      deaths += gateway.kill("http");
    });
    const job = await lab.finished(id);
    aws.dynamodb.watch(undefined);
    expect(job.health).toBe("Complete");
    expectWholeLog(await lab.follow(id), 60);
  });
});

describe("a submission", () => {
  test.each([1, 2, 3, 4, 5])(
    "whose function dies at its call %d to the table, and that is sent again, is one job that runs",
    async (fatal) => {
      const before = (await jobs()).length;
      let calls = 0;
      aws.dynamodb.watch((operation) => {
        if (
          /^(UpdateItem|PutItem|TransactWriteItems|GetItem)$/.test(operation) &&
          ++calls === fatal
        ) {
          gateway.kill("http");
        }
      });
      const id = await submitPatiently(boardJob(), `key-of-submission-${fatal}`);
      aws.dynamodb.watch(undefined);
      expect((await lab.finished(id)).health).toBe("Complete");
      expect(await jobs()).toHaveLength(before + 1);
    },
  );

  test("whose request for a pass is lost is found by the tick", async () => {
    aws.storage.faults.next({ service: "sqs", operation: "SendMessage", kind: "drop", times: 1 });
    const id = await lab.submit(boardJob());
    // Its rounds rest for minutes; those of a new environment begin at once.
    await gateway.recycle();
    expect((await lab.finished(id)).health).toBe("Complete");
  });

  test("whose messages come twice is run once", async () => {
    aws.storage.faults.next({ service: "sqs", kind: "duplicate", times: 4 });
    const id = await lab.submit(boardJob());
    const records = await lab.follow(id);
    expect((await lab.job(id)).health).toBe("Complete");
    const ends = records.filter(({ lvl, msg }) => {
      const { definition, case: name } = (msg ?? {}) as { definition?: string; case?: string };
      return lvl === "results" && definition === "lava" && name === "job";
    });
    expect(ends).toHaveLength(1);
  });
});

test("two schedulers at once, one of which dies, give no device two jobs", async () => {
  const ids = await Promise.all([0, 1, 2, 3].map(() => lab.submit(boardJob(1))));
  const passes = {
    Records: [{ messageId: "1", body: "board", attributes: { MessageGroupId: "board" } }],
  };
  let isOver = false;
  const schedulers = (async () => {
    for (let n = 0; !isOver; n++) {
      const both = [gateway.invoke("schedule", passes), gateway.invoke("schedule", passes)];
      if (n % 3 === 1) gateway.kill("schedule");
      await Promise.allSettled(both);
    }
  })();
  const done = await Promise.all(ids.map((id) => lab.finished(id)));
  isOver = true;
  await schedulers;
  expect(done.map(({ health }) => health)).toEqual(ids.map(() => "Complete"));
  for (const one of done) {
    const overlapping = done.filter(
      (other) =>
        other.id !== one.id &&
        other.device === one.device &&
        String(other.start_time) < String(one.end_time) &&
        String(one.start_time) < String(other.end_time),
    );
    expect(overlapping, `jobs on ${one.device} at the time of job ${one.id}`).toEqual([]);
  }
});
