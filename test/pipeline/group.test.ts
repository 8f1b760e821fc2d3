import { describe, expect, test } from "vitest";
import { groupMessagesSlot } from "../../worker/pipeline/group-calls.ts";
import type { Action } from "../../worker/pipeline/action.ts";
import type { Group, MultinodeSettings } from "../../worker/pipeline/group.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";
import { planJob } from "../../worker/pipeline/plan.ts";
import { makeRecorder } from "../../worker/pipeline/recorder.ts";
import { runJob } from "../../worker/pipeline/run-job.ts";
import type { LogRecord } from "#protocol/log-record.ts";
import { aJobContext, run, type Ran } from "../support/plan-of.ts";
import { acked, aMember, standInGroup } from "../support/stand-in-group.ts";

const member = (group: Group | undefined, settings: Partial<MultinodeSettings> = {}) => ({
  job: { ...aJobContext(aMember(settings)), group },
});
const nothing: Action = { name: "nothing", run: async () => {} };

describe("a member of a multinode group", () => {
  test("does nothing before all members have started, and says who they are", async () => {
    const group = standInGroup();
    let isComplete = false;
    const look: Action = {
      name: "look",
      run: async ({ job }) => void (isComplete = job.group?.roles.size === 2),
    };
    const ran = await run(look, member(group));
    expect(ran.outcome).toEqual({ result: "pass" });
    expect(isComplete).toBe(true);
    expect(ran.messages).toContain("lava-multinode: the group is complete: 7 (client), 8 (server)");
  });

  test("ends as MultinodeTimeout when they don't come within 90 seconds", async () => {
    const group = standInGroup({ starts: "timeout" });
    const ran = await run(nothing, member(group));
    expect(group.seconds).toEqual([90]);
    expect(ran.outcome).toMatchObject({
      error_type: "MultinodeTimeout",
      error_msg: "lava-multinode: not all members of the group have started within 90 seconds",
    });
    expect(ran.messages.some((text) => text.startsWith("start: 1 "))).toBe(false);
    expect(ran.messages.some((text) => text.startsWith("MultinodeProtocolTimeoutError: "))).toBe(
      true,
    );
  });

  test.each([
    [{ seconds: 20 }, 90],
    [{ minutes: 5 }, 300],
  ])("gives them longer when the protocol's timeout is longer: %j", async (timeout, seconds) => {
    const group = standInGroup();
    await run(nothing, member(group, { timeout }));
    expect(group.seconds).toEqual([seconds]);
  });

  test("is no member without a way to the others", async () => {
    const ran = await run(nothing, member(undefined));
    expect(ran.outcome.error_type).toBe("Infrastructure");
    expect(ran.outcome.error_msg).toContain("through its control plane");
  });

  test("tells the group that it is done, also when it failed and when it was canceled", async () => {
    const passed = standInGroup();
    await run(nothing, member(passed));
    const failed = standInGroup();
    const fail: Action = {
      name: "fail",
      run: async () => {
        throw new JobFailure("Job", "no luck");
      },
    };
    await run(fail, member(failed));
    const canceled = standInGroup();
    const cancel = AbortSignal.abort(new JobFailure("Canceled", "The job was canceled"));
    const signals = { cancel, cancelAgain: new AbortController().signal };
    const ran = await run(nothing, { ...member(canceled), signals });
    expect(ran.outcome.error_type).toBe("Canceled");
    expect([passed, failed, canceled].map(({ isFinished }) => isFinished)).toEqual([
      true,
      true,
      true,
    ]);
  });

  test("does not fail when the group can't be told of its end", async () => {
    const group: Group = {
      ...standInGroup(),
      finish: async () => {
        throw new JobFailure("Canceled", "gone");
      },
    };
    expect((await run(nothing, member(group))).outcome).toEqual({ result: "pass" });
  });
});

describe("a role with request: lava-start", () => {
  const settings = { request: "lava-start", expect_role: "server", timeout: { minutes: 2 } };

  test("waits until each member of the expected role has sent lava_start", async () => {
    const group = standInGroup();
    const ran = await run(nothing, member(group, settings));
    expect(ran.outcome).toEqual({ result: "pass" });
    expect(group.calls).toEqual([{ op: "wait-all", id: "lava_start", role: "server" }]);
    expect(group.seconds).toEqual([120, 120]);
  });

  test("ends as MultinodeTimeout when they don't send it in time", async () => {
    const group = standInGroup({ answers: () => ({ kind: "timeout" }) });
    const ran = await run(nothing, member(group, { ...settings, timeout: undefined }));
    expect(group.seconds).toEqual([90, 90]);
    expect(ran.outcome).toMatchObject({ error_type: "MultinodeTimeout" });
    expect(ran.outcome.error_msg).toContain("lava-send lava_start");
  });

  test("can't wait for itself", async () => {
    const ran = await run(nothing, member(standInGroup(), { ...settings, expect_role: "client" }));
    expect(ran.outcome).toMatchObject({ error_type: "Job" });
    expect(ran.outcome.error_msg).toContain("can't wait for itself");
  });
});

/** Runs one block of two actions, `first` and `second`, with calls to the group in its `protocols`. */
async function withCalls(
  entries: readonly Record<string, unknown>[],
  group: Group,
  second: Action["run"] = async () => {},
): Promise<Ran> {
  const block = { boot: { method: "qemu", protocols: { "lava-multinode": entries } } };
  const job = { ...aJobContext({ ...aMember({}), actions: [block] }), group };
  const records: LogRecord[] = [];
  const recorder = makeRecorder({ sink: (_line, record) => void records.push(record) });
  const steps = [
    { name: "first", run: async () => {} },
    { name: "second", run: second },
  ];
  const strategy = {
    ...({ family: "boot", name: "stand-in", refuses: () => undefined } as const),
    action: (): Action => ({ name: "block", steps }),
  };
  const never = new AbortController().signal;
  const outcome = await runJob(
    job,
    () => planJob(job, [strategy], { name: "finalize" }),
    recorder,
    { cancel: never, cancelAgain: never },
  );
  const messages = records.filter(({ lvl }) => lvl !== "results").map(({ msg }) => String(msg));
  return { outcome, records, messages, results: [] };
}

describe("a call of an action's block to the group", () => {
  const wait = {
    ...{ action: "second", request: "lava-wait", messageID: "ipv4" },
    ...{ message: { ipaddr: "$ipaddr" }, timeout: { minutes: 5 } },
  };

  test("is made just before the action that it names, and what it was told is kept for the namespace", async () => {
    const group = standInGroup({ answers: () => acked({ "8": { ipaddr: "10.0.0.8" } }) });
    let known: unknown;
    const ran = await withCalls([wait], group, async ({ slots }) => {
      known = slots.take(groupMessagesSlot).get("ipv4")?.get("ipaddr");
    });
    expect(ran.outcome).toEqual({ result: "pass" });
    expect(known).toBe("10.0.0.8");
    expect(group.seconds).toEqual([90, 300]);
    const order = ran.messages.filter((text) => /^start: 1\.|lava-wait/.test(text));
    expect(order.map((text) => text.replace(/ \(.*/, ""))).toEqual([
      "start: 1.1 first",
      "lava-multinode: lava-wait ipv4",
      "start: 1.2 second",
    ]);
  });

  test("says what it was told in a message that it sends", async () => {
    const group = standInGroup({ answers: () => acked({ "8": { ipaddr: "10.0.0.8" } }) });
    const send = {
      ...{ action: "second", request: "lava-send", messageID: "seen" },
      message: { at: "$ipaddr", plain: "text", unknown: "$other" },
    };
    await withCalls([wait, send], group);
    const data = new Map([
      ["at", "10.0.0.8"],
      ["plain", "text"],
      ["unknown", "$other"],
    ]);
    expect(group.calls.at(-1)).toEqual({ op: "send", id: "seen", data });
  });

  test("whose time is over ends the job as MultinodeTimeout", async () => {
    const ran = await withCalls([wait], standInGroup({ answers: () => ({ kind: "timeout" }) }));
    expect(ran.outcome).toMatchObject({
      error_type: "MultinodeTimeout",
      error_msg: "lava-multinode: lava-wait ipv4 timed out after 300 seconds",
    });
  });

  test("that can't be answered, or without the wanted key, is the job's fault", async () => {
    const nack = standInGroup({ answers: () => ({ kind: "nack", message: "nobody has sent it" }) });
    expect((await withCalls([{ ...wait, request: "lava-wait-all" }], nack)).outcome).toMatchObject({
      error_type: "Job",
      error_msg: "lava-multinode: lava-wait-all ipv4: nobody has sent it",
    });
    const other = standInGroup({ answers: () => acked({ "8": { ip: "10.0.0.8" } }) });
    const { outcome } = await withCalls([wait], other);
    expect(outcome.error_msg).toContain(
      "expected a value of ipaddr in what job 8 sent, which has ip",
    );
  });

  test("that is none is refused before anything is done", async () => {
    const group = standInGroup();
    const wrong = await withCalls([{ ...wait, request: "lava-shout" }], group);
    expect(wrong.outcome.error_msg).toContain("expected lava-send, lava-wait");
    const unnamed = await withCalls([{ ...wait, messageID: "two words" }], group);
    expect(unnamed.outcome.error_msg).toContain("messageID: expected a name");
    expect(group.seconds).toEqual([]);
  });
});
