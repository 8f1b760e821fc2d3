import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aJob, aResult } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { xmlRpcClient } from "../support/xmlrpc-client.ts";

let lab: EmbeddedLab;
let rpc: ReturnType<typeof xmlRpcClient>;
beforeAll(async () => {
  lab = await embeddedLab();
  rpc = xmlRpcClient(lab);
  const worker = await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.sync(worker);
  const id = await lab.submit(aJob({ lines: ["metadata: {build: '17'}"] }));
  const { start } = await lab.sync(worker);
  const result = (msg: object) => ({ dt: "2026-03-01T12:00:01.000000", lvl: "results", msg });
  const records = [
    result({ definition: "lava", case: "validate", result: "pass" }),
    result(aResult({ case: "one", measurement: "3.5", units: "ms" })),
    result(aResult({ case: "two", result: "fail" })),
    result(aResult({ case: "one", result: "skip" })),
  ];
  await lab.ship(id, start[0]!.token, 0, records);
  await lab.finish(id, start[0]!.token, { result: "pass", lines: records.length });
});
afterAll(() => lab.close());

const namesIn = (text: string) => [...text.matchAll(/^ {2}name: (.*)$/gm)].map(([, name]) => name);
const rowsOf = (csv: string) => csv.trimEnd().split("\n").length - 1;

describe("results", () => {
  test("of a job, a suite and a case are told in YAML", async () => {
    const all = await rpc.call<string>("results.get_testjob_results_yaml", "1");
    expect(namesIn(all)).toEqual(["validate", "one", "two", "one"]);
    expect(all).toContain("measurement: '3.5");
    const suite = (...args: number[]) =>
      rpc.call<string>("results.get_testsuite_results_yaml", 1, "0_smoke", ...args);
    expect(namesIn(await suite())).toEqual(["one", "two", "one"]);
    expect(namesIn(await suite(2))).toEqual(["one", "two"]);
    expect(namesIn(await suite(1, 1))).toEqual(["two"]);
    const one = ["1", "0_smoke", "one"];
    expect(namesIn(await rpc.call("results.get_testcase_results_yaml", ...one))).toEqual([
      "one",
      "one",
    ]);
    expect(await rpc.call("results.get_testcase_results_yaml", "1", "0_smoke", "x")).toBe("[]\n");
  });

  test("and in CSV", async () => {
    const all = await rpc.call<string>("results.get_testjob_results_csv", "1");
    expect(all).toMatch(/^"job","suite","result",/);
    expect(all).not.toContain("\r");
    expect(rowsOf(all)).toBe(4);
    expect(rowsOf(await rpc.call("results.get_testsuite_results_csv", "1", "0_smoke", 2))).toBe(2);
    expect(rowsOf(await rpc.call("results.get_testcase_results_csv", "1", "0_smoke", "two"))).toBe(
      1,
    );
    expect(await rpc.fault("results.get_testcase_results_csv", "1", "0_smoke", "x")).toBe(
      "404 Specified test case not found.",
    );
  });

  test("come with suites, counts and the job's attributes", async () => {
    expect(await rpc.call("results.get_testjob_suites_list_yaml", 1)).toMatch(
      /^- id: '\d+'\n {2}job: '1'\n {2}name: lava\n- id: '\d+'\n {2}job: '1'\n {2}name: 0_smoke\n$/,
    );
    expect(await rpc.call("results.get_testjob_suites_list_csv", 1)).toMatch(
      /^"name","job","id"\n"lava","1","\d+"\n"0_smoke","1","\d+"\n$/,
    );
    expect(await rpc.call("results.get_testsuite_results_count", 1, "0_smoke")).toBe(3);
    expect(await rpc.call("results.get_testjob_metadata", 1)).toContainEqual({ build: "17" });
  });

  test("of what is not there are faults in LAVA's words", async () => {
    for (const method of [
      "results.get_testjob_results_yaml",
      "results.get_testjob_suites_list_yaml",
      "results.get_testjob_metadata",
    ]) {
      expect(await rpc.fault(method, "99")).toBe("404 Specified job not found.");
      expect(await rpc.fault(method, "x")).toBe("404 Specified job not found.");
    }
    for (const method of [
      "results.get_testsuite_results_yaml",
      "results.get_testsuite_results_count",
    ]) {
      expect(await rpc.fault(method, "1", "nosuch")).toBe("404 Specified test suite not found.");
      expect(await rpc.fault(method, "99", "x")).toBe("404 Specified job not found.");
    }
  });

  test("that are too long for one answer say how to ask for them in parts", async () => {
    Object.assign(lab.deps.settings, { blobOrigin: "https://blobs.test" });
    const { mostChars } = await import("../../control-plane/lava/xmlrpc/whole-text.ts");
    const { wholeText } = await import("../../control-plane/lava/xmlrpc/whole-text.ts");
    async function* pieces() {
      for (let n = 0; n < 5; n++) yield "x".repeat(mostChars(lab.deps) / 4);
    }
    await expect(wholeText(lab.deps, pieces(), "ask in parts")).rejects.toThrow(/ask in parts/);
    Object.assign(lab.deps.settings, { blobOrigin: undefined });
  });
});

describe("queries", () => {
  test("are asked without being saved", async () => {
    const ask = (entity: string, conditions: string) =>
      rpc.call<object[]>("results.make_custom_query", entity, conditions, 10);
    expect(await ask("testjob", "testjob__submitter__exact__admin")).toMatchObject([{ id: 1 }]);
    expect(await ask("testjob", "testjob__submitter__exact__ann")).toEqual([]);
    expect(await ask("testcase", "testcase__result__exact__fail")).toMatchObject([
      { job: 1, name: "two", suite: "0_smoke" },
    ]);
    expect(await ask("testsuite", "name__exact__0_smoke")).toMatchObject([
      { job: 1, name: "0_smoke" },
    ]);
    expect(await rpc.fault("results.make_custom_query", "x", "y", 5)).toMatch(/^400 entity/);
    expect(await rpc.fault("results.make_custom_query", "testjob", "bad", 5)).toMatch(/^400 /);
  });

  test("that are saved are run", async () => {
    const conditions = "testjob__health__exact__Complete";
    await lab.api("/queries/admin/good", { method: "PUT", body: { conditions, published: true } });
    expect(await rpc.call("results.run_query", "good")).toMatchObject([{ id: 1 }]);
    expect(await rpc.call("results.run_query", "good", 5, "admin")).toMatchObject([{ id: 1 }]);
    expect(await rpc.call("results.refresh_query", "good")).toBe(null);
    expect(await rpc.call("results.refresh_query", "good", "admin")).toBe(null);
    expect(await rpc.call("results.refresh_all_queries")).toBe(null);
    for (const method of ["results.run_query", "results.refresh_query"]) {
      expect(await rpc.fault(method, "nosuch")).toBe(
        "404 Query with name nosuch owned by user admin does not exist.",
      );
    }
  });
});
