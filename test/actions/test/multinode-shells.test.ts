import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { JobFailure } from "../../../worker/pipeline/job-failure.ts";
import { DUT_SHELLS, lacksForShells } from "../../beds/noisy/shell-dut.ts";
import type { Ran } from "../../support/plan-of.ts";
import { acked, standInGroup } from "../../support/stand-in-group.ts";
import { runOnShell } from "./shell-stage.ts";

const dir = mkdtempSync(path.join(tmpdir(), "pumice-multinode-"));
afterAll(() => rmSync(dir, { recursive: true }));
/** Where LAVA's helpers keep it, but for this test alone. */
const environment = { LAVA_MULTI_NODE_CACHE: path.join(dir, "cache.txt") };
const cache = environment.LAVA_MULTI_NODE_CACHE;

const verdicts = ({ results }: Ran, suite = "0_t0"): string[] =>
  results
    .filter(({ definition }) => definition === suite)
    .map((record) => `${String(record["case"])} ${String(record["result"])}`);

describe.skipIf(lacksForShells()).each(DUT_SHELLS)("multinode helpers under %s", (shell) => {
  test("send, wait and sync by LAVA's words, and keep what was sent one pair a line", async () => {
    const group = standInGroup({
      answers: (call) =>
        call.op === "wait" ? acked({ "8": { port: "80", motd: "two words" } }) : acked({}),
    });
    const ran = await runOnShell({
      ...{ shell, group, environment },
      steps: [
        [
          "lava-send ready ip=10.0.0.1 note=all  well",
          "lava-wait server",
          `cat ${cache}`,
          "lava-sync done",
          "lava-wait-all all",
          `[ ! -s ${cache} ] && echo nothing kept`,
          "lava-wait-all some server",
        ],
        ["lava-role", "lava-role list", "lava-group", "lava-group server", "lava-self"],
      ],
    });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    expect(group.calls).toEqual([
      {
        op: "send",
        id: "ready",
        data: new Map([
          ["ip", "10.0.0.1"],
          ["note", "all well"],
        ]),
      },
      { op: "wait", id: "server" },
      { op: "sync", id: "done" },
      { op: "wait-all", id: "all", role: undefined },
      { op: "wait-all", id: "some", role: "server" },
    ]);
    expect(ran.messages).toEqual(
      expect.arrayContaining(["8:port=80", "8:motd=two words", "nothing kept"]),
    );
    expect(verdicts(ran)).toEqual(
      ["send-ready", "wait-server", "sync-done", "wait_all-all", "wait_all-some"].map(
        (name) => `multinode-${name} pass`,
      ),
    );
    expect(ran.messages).toEqual(
      expect.arrayContaining(["client", "server", "7\tclient", "8\tserver", "8", "7"]),
    );
    // LAVA's own default.
    expect(group.seconds).toEqual([90, 30, 30, 30, 30, 30]);
  });

  test("get through a line of 1 kernel message in 200 characters: each question once, each answer whole", async () => {
    const long = "x".repeat(700);
    const group = standInGroup({
      answers: (call) => (call.op === "wait" ? acked({ "8": { n: call.id, long } }) : acked({})),
    });
    const ran = await runOnShell({
      ...{ shell, group, environment, noise: 39 },
      steps: [
        ["one", "two", "three"].flatMap((id) => [
          `lava-send ${id} a=${id}`,
          `lava-wait ${id}`,
          `lava-test-case ${id} --shell "[ $(wc -c <${cache}) -eq ${long.length + 13 + id.length} ]"`,
          `lava-sync ${id}`,
        ]),
      ],
    });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    expect(group.calls.map(({ op, id }) => `${op} ${id}`)).toEqual(
      ["one", "two", "three"].flatMap((id) => [`send ${id}`, `wait ${id}`, `sync ${id}`]),
    );
    const cases = verdicts(ran).filter((text) => !text.startsWith("multinode"));
    expect(cases).toEqual(["one pass", "two pass", "three pass"]);
    expect(verdicts(ran, "lava").join()).not.toContain("test-journal");
  });

  test("take letters that have no sum as they come, both ways", async () => {
    const group = standInGroup({
      answers: (call) => (call.op === "wait" ? acked({ "8": { k: "größer" } }) : acked({})),
    });
    const ran = await runOnShell({
      ...{ shell, group, environment },
      steps: [["lava-send letters word=größe", "lava-wait b", `cat ${cache}`]],
    });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    expect(group.calls[0]).toMatchObject({ data: new Map([["word", "größe"]]) });
    expect(ran.messages).toContain("8:k=größer");
  });

  test("do so without a journal as LAVA's do", async () => {
    const group = standInGroup({
      answers: (call) => (call.op === "wait" ? acked({ "8": { k: "grüße" } }) : acked({})),
    });
    const ran = await runOnShell({
      ...{ shell, group },
      environment: { ...environment, LAVA_JOURNAL: "off" },
      steps: [["lava-send a k=v", "lava-wait b", `cat ${cache}`, "lava-sync c"]],
    });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    expect(ran.messages).toContain("8:k=grüße");
    const typed = ran.records.filter(({ lvl }) => lvl === "input").map(({ msg }) => msg);
    expect(typed).toEqual(
      expect.arrayContaining(["<LAVA_WAIT_COMPLETE 8:k=grüße>", "<LAVA_SYNC_COMPLETE>"]),
    );
  });

  test("end with an error when what is awaited can't be had, which counts as answered", async () => {
    const group = standInGroup({
      answers: (call) =>
        call.op === "wait-all" ? { kind: "nack", message: "nobody has sent it" } : acked({}),
    });
    const ran = await runOnShell({
      ...{ shell, group, environment },
      steps: [["lava-wait-all never || echo it returned $?", "lava-test-case after --result pass"]],
    });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    expect(ran.messages).toEqual(
      expect.arrayContaining(["Error:no-response WAIT_ALL never>", "it returned 1"]),
    );
    expect(verdicts(ran)).toEqual(["multinode-wait_all-never pass", "after pass"]);
  });
});

describe.skipIf(lacksForShells())("a call of the test shell to its group", () => {
  test("whose time is over fails, ends the stage, and the job goes on", async () => {
    const group = standInGroup({ answers: () => ({ kind: "timeout" }) });
    const ran = await runOnShell({
      ...{ shell: "ash", group, environment, multinode: { timeout: { seconds: 7 } } },
      steps: [["lava-wait never", "lava-test-case after --result pass"], ["true"]],
    });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    expect(group.seconds).toEqual([90, 7]);
    expect(ran.messages).toContain("multinode-wait-never timed out after 7 seconds");
    expect(verdicts(ran)).toEqual(["multinode-wait-never fail"]);
    expect(verdicts(ran, "lava")).toContain("0_t0 fail");
    expect(verdicts(ran, "lava").join()).not.toMatch(/test-journal|1_t1/);
  });

  test("that sends what is refused ends the job as the test's fault", async () => {
    const group = standInGroup({ answers: () => ({ kind: "nack", message: "too long" }) });
    const ran = await runOnShell({
      shell: "bash",
      group,
      environment,
      steps: [["lava-send a b=c"]],
    });
    expect(ran.outcome).toMatchObject({
      error_type: "Test",
      error_msg: "multinode-send-a: too long",
    });
  });

  test("before any test has started ends the job as the test's fault", async () => {
    const ran = await runOnShell({
      ...{ shell: "dash", group: standInGroup(), environment },
      steps: [["true"]],
      more: { install: { steps: ["lava-sync early"] } },
    });
    expect(ran.outcome).toMatchObject({ error_type: "Test" });
    expect(ran.outcome.error_msg).toContain("multinode-sync-early");
  });

  test("ends as the control plane says when the job is over there", async () => {
    const group = standInGroup({
      answers: () => {
        throw new JobFailure("Canceled", "the job has ended");
      },
    });
    const ran = await runOnShell({ shell: "dash", group, environment, steps: [["lava-sync a"]] });
    expect(ran.outcome).toMatchObject({ error_type: "Canceled", error_msg: "the job has ended" });
  });

  test("that a shell only traces is asked once", async () => {
    const group = standInGroup();
    const ran = await runOnShell({
      ...{ shell: "bash", group },
      environment: { ...environment, LAVA_JOURNAL: "off" },
      steps: [["echo '<LAVA_MULTI_NODE> <LAVA_SEND own a=b>'"]],
    });
    expect(ran.outcome, ran.messages.join("\n")).toEqual({ result: "pass" });
    expect(group.calls).toHaveLength(1);
  });

  test("has the role's environment in place of the job's", async () => {
    const ran = await runOnShell({
      ...{ shell: "dash", group: standInGroup() },
      multinode: { environment: { SIDE: "left" } },
      steps: [['echo "side is $SIDE"']],
    });
    expect(ran.messages).toContain("side is left");
  });
});
