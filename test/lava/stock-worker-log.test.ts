import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LogPage } from "#protocol/api.ts";
import type { ChangeRecord } from "../../control-plane/domain/changes.ts";
import { aJob } from "../support/builders.ts";
import type { EmbeddedLab } from "../support/embedded-lab.ts";
import { fc } from "../support/property.ts";
import {
  ask,
  begin,
  casesOf,
  end,
  logOf,
  record,
  result,
  ship,
  stockWorkerLab,
} from "../support/stock-worker-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  ({ lab } = await stockWorkerLab());
});
afterEach(() => lab.close());

describe("a stock worker's log", () => {
  test("is there in order, each line and each result once, however often they are sent", async () => {
    const job = await begin();
    const lines = [record("one"), result("first"), record("two")];
    expect(await ship(job, lines)).toEqual([200, { line_count: 3 }]);
    expect(await ship(job, lines)).toEqual([200, { line_count: 3 }]);
    expect(await ship(job, [...lines, result("second")])).toEqual([200, { line_count: 4 }]);
    expect(await ship(job, [record("five")], 4)).toEqual([200, { line_count: 1 }]);
    expect((await logOf(job.id)).map(({ msg }) => msg)).toEqual([
      "one",
      expect.objectContaining({ case: "first" }),
      "two",
      expect.objectContaining({ case: "second" }),
      "five",
    ]);
    expect(await casesOf(job.id)).toEqual(["first", "second"]);
  });

  test("has its lines once when the same request comes twice at a time", async () => {
    const job = await begin();
    const lines = Array.from({ length: 1000 }, (_, n) => result(`case-${n}`));
    await Promise.all([ship(job, lines), ship(job, lines), ship(job, lines.slice(0, 500))]);
    expect((await lab.job(job.id)).log_lines).toBe(1000);
    expect(await casesOf(job.id)).toHaveLength(1000);
  });

  test("is the same in whatever pieces it comes, with whatever answers lost", async () => {
    // Of each request: how many records it has at most, and whether its answer arrives.
    const sends = fc.array(fc.tuple(fc.integer({ min: 1, max: 7 }), fc.boolean()), {
      maxLength: 12,
    });
    const all = Array.from({ length: 20 }, (_, n) =>
      n % 3 === 0 ? result(`case-${n}`) : record(`line ${n}`),
    );
    await fc.assert(
      fc.asyncProperty(sends, async (requests) => {
        const job = await begin();
        let acknowledged = 0;
        for (const [size, isAnswered] of [...requests, [20, true], [20, true]] as const) {
          const lines = all.slice(acknowledged, acknowledged + size);
          if (lines.length === 0) break;
          const [, { line_count }] = (await ship(job, lines, acknowledged)) as [
            number,
            { line_count: number },
          ];
          if (isAnswered) acknowledged += line_count;
        }
        await end(job);
        const log = await logOf(job.id);
        expect(log.map(({ msg }) => (typeof msg === "string" ? msg : "a result"))).toEqual(
          all.map((_, n) => (n % 3 === 0 ? "a result" : `line ${n}`)),
        );
        expect(await casesOf(job.id)).toEqual([0, 3, 6, 9, 12, 15, 18].map((n) => `case-${n}`));
      }),
      { numRuns: 15 },
    );
  });

  test("shows no secret of the job", async () => {
    await lab.api("/secrets/lab-key", { method: "PUT", body: { value: "opensesame" } });
    const job = await begin(
      aJob({ lines: ["secrets: {KEY: lab-key, PLAIN: xyzzy-plugh, N: 123456789}"] }),
    );
    const definition = (
      (await (await ask(`/jobs/${job.id}/`, job.token)).json()) as { definition: string }
    ).definition;
    expect(definition).toContain("opensesame");
    const msg = { definition: "0_smoke", case: "c", result: "pass", extra: "opensesame" };
    await ship(job, [record("KEY=opensesame xyzzy-plugh 123456789"), record(msg, "results")]);
    expect((await logOf(job.id))[0]?.msg).toBe("KEY=[MASKED] [MASKED] [MASKED]");
    const coded = Buffer.from("key: opensesame\n").toString("base64");
    const wrapped = ["begins open", "sesame ends"].map((text) => record(text, "target"));
    await ship(job, [record(coded), record(job.token), ...wrapped], 2);
    const later = (await logOf(job.id)).slice(2).map(({ msg }) => msg);
    expect(later[0]).not.toBe(coded);
    expect(later.slice(1)).toEqual(["[MASKED]", "begins open", "[MASKED] ends"]);
    await end(job, { errors: "opensesame" });
    expect((await lab.job(job.id)).notes).toEqual(["lava-run: [MASKED]"]);
    const all = JSON.stringify([await logOf(job.id), await lab.api(`/jobs/${job.id}/results`)]);
    expect(all).not.toContain("opensesame");
  });

  test("goes on where it should when lines before it were lost", async () => {
    const job = await begin();
    await ship(job, [record("here")], 1500);
    const page = await lab.api<LogPage>(`/jobs/${job.id}/log?start=1499`);
    expect(page.records.map(({ msg }) => msg)).toEqual([
      "Pumice: this line of the log was lost",
      "here",
    ]);
    expect((await ship(job, [record("far")], 10_000_000))[0]).toBe(400);
  });

  test("has the events of a DUT", async () => {
    const job = await begin();
    await ship(job, [record("booting"), record("started", "event")]);
    const { items } = await lab.deps.table.query<ChangeRecord>("main", `changes#event#${job.id}`);
    expect(items.map(({ data }) => data.data?.["message"])).toEqual(["started"]);
  });

  test("takes what is no record without a word to its sender, who would send it for ever", async () => {
    const job = await begin();
    expect(await ship(job, ["- nonsense: ["])).toEqual([200, { line_count: 1 }]);
    expect((await logOf(job.id))[0]).toMatchObject({ lvl: "warning" });
  });

  test("ends with its job: what comes later is taken and dropped", async () => {
    const job = await begin();
    await ship(job, [record("one")]);
    await end(job);
    expect(await ship(job, [record("two")], 1)).toEqual([200, { line_count: 1 }]);
    expect((await lab.job(job.id)).log_lines).toBe(1);
  });

  test("that is too long for one request is taken as far as it is read", async () => {
    const job = await begin();
    const long = record("x".repeat(90_000));
    const lines = Array.from({ length: 125 }, () => long);
    const [status, { line_count: count }] = (await ship(job, lines)) as [
      number,
      { line_count: number },
    ];
    expect(status).toBe(200);
    expect(count).toBeGreaterThan(50);
    expect(count).toBeLessThan(125);
    expect((await lab.job(job.id)).log_lines).toBe(count);
    expect(await ship(job, lines.slice(count), count)).toEqual([200, { line_count: 125 - count }]);
  });
});
