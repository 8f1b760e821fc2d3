import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Problem, SubmitResponse } from "#protocol/api.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  await lab.addWorker("other");
  await lab.addDevice("qemu-01", { tags: ["kvm"] });
  await lab.addDevice("qemu-02", { tags: ["usb"], worker: "other" });
  await lab.addDevice("board-1", { device_type: "board", worker: "other" });
});
afterEach(() => lab.close());

async function refused(text: string): Promise<Problem> {
  const answer = await lab.request("/jobs", { body: text });
  expect(answer.status).toBe(400);
  expect(await lab.api("/jobs")).toEqual({ jobs: [] });
  return (await answer.json()) as Problem;
}
const lineOf = (text: string, start: string) =>
  text.split("\n").findIndex((line) => line.startsWith(start)) + 1;

describe("a definition is refused with path, line and column", () => {
  test.each([
    [
      "an unknown device type",
      "device_type: qemux",
      "device_type",
      /unknown device type "qemux"; did you mean qemu\?|known are/,
    ],
    ["an unknown device", "device: qemu-99", "device", /unknown device "qemu-99"/],
    ["a device of another type", "device: board-1", "device", /is of type board, not qemu/],
    ["an unknown worker", "worker: none", "worker", /unknown worker "none"/],
    [
      "a device that is on another worker",
      "device: qemu-01\nworker: other",
      "worker",
      /not on worker/,
    ],
    [
      "a tag that no device has",
      "tags: [kvm, gpu]",
      "tags[1]",
      /no device of type qemu has tag "gpu"; there are kvm, usb/,
    ],
    ["tags that no device has together", "tags: [kvm, usb]", "tags", /all tags "kvm", "usb"/],
  ])("when it names %s", async (_, lines, path, message) => {
    const [key] = path.split("[");
    const text = lines.startsWith("device_type")
      ? aJob({ deviceType: "qemux" })
      : aJob({ lines: lines.split("\n") });
    const problem = await refused(text);
    expect(problem.problems).toHaveLength(1);
    expect(problem.problems![0]).toMatchObject({ path, line: lineOf(text, `${key}:`) });
    expect(problem.problems![0]!.message).toMatch(message);
    expect(problem.message).toContain(`line ${lineOf(text, `${key}:`)}, column`);
  });

  test("when it is not YAML, or no definition", async () => {
    expect((await refused("job_name: [")).problems![0]!.line).toBeGreaterThan(0);
    expect((await refused("")).problems!.length).toBeGreaterThan(0);
    expect((await refused("just text")).problems!.length).toBeGreaterThan(0);
  });

  test("when it breaks the schema, with every problem at once", async () => {
    const text = aJob({ lines: ["priority: urgent", "nonsense: 1"] });
    const { problems } = await refused(text);
    expect(problems!.map(({ path }) => path).toSorted()).toEqual(["nonsense", "priority"]);
  });

  test("when no device could do what it asks, as the one that fits best says it", async () => {
    const poor = aDeviceConfiguration()
      .replaceAll("qemu:\n", "u-boot:\n")
      .replace("image:\n", "tftp:\n");
    await lab.addDevice("qemu-01", { configuration: poor, tags: ["kvm"] });
    await lab.addDevice("qemu-02", {
      configuration: aDeviceConfiguration().replace("qemu:\n", "u-boot:\n"),
      tags: ["usb"],
      worker: "other",
    });
    const { problems } = await refused(aJob());
    expect(problems).toHaveLength(1);
    expect(problems![0]).toMatchObject({ path: "actions[1].boot.method" });
    expect(problems![0]!.message).toMatch(/device qemu-02, which fits best/);
  });

  test("when every device of the type is Retired", async () => {
    for (const name of ["qemu-01", "qemu-02"]) {
      await lab.api(`/devices/${name}/health`, { body: { health: "Retired" } });
    }
    expect((await refused(aJob())).problems![0]!.message).toMatch(/not Retired/);
  });
});

test("a definition that is not UTF-8 is refused", async () => {
  const answer = await lab.request("/jobs", { body: Uint8Array.from([0x61, 0xff]) });
  expect(answer.status).toBe(400);
});

test("a job is accepted while its devices are busy, Bad or on a worker that is Offline", async () => {
  await lab.api("/devices/qemu-01/health", { body: { health: "Bad" } });
  const id = await lab.submit(aJob({ lines: ["tags: [kvm]"] }));
  expect(await lab.job(id)).toMatchObject({ state: "Submitted", tags: ["kvm"] });
});

test("one device that fits is enough, whatever the others are", async () => {
  const poor = aDeviceConfiguration().replace("qemu:\n", "u-boot:\n");
  await lab.addDevice("qemu-01", { configuration: poor });
  expect(await lab.submit()).toBe(1);
});

test("a job is shown with what its definition says", async () => {
  const alice = await lab.addUser("alice");
  const lines = ["priority: low", "tags: [usb, usb]", "device: qemu-02", "worker: other"];
  await lab.api("/jobs", { token: alice.token, body: aJob({ name: "all of it", lines }) });
  expect(await lab.job(1)).toEqual({
    id: 1,
    state: "Submitted",
    health: "Unknown",
    description: "all of it",
    device_type: "qemu",
    requested_device: "qemu-02",
    requested_worker: "other",
    submitter: "alice",
    priority: 0,
    tags: ["usb"],
    submit_time: "2026-03-01T12:00:00.000Z",
    log_lines: 0,
    waits_for: "of 1 fitting device: 1 on worker other, which is Offline",
    waits: {
      ahead: 0,
      position: 1,
      reasons: [{ code: "worker offline", devices: 1, text: "on worker other, which is Offline" }],
    },
  });
});

describe("a submission with a key", () => {
  const submit = (key: string, body = aJob()) =>
    lab.request("/jobs", { body, headers: { "idempotency-key": key } });
  const idsOf = async (answer: Response) => ((await answer.json()) as SubmitResponse).job_ids;
  const count = async () => (await lab.api<{ jobs: unknown[] }>("/jobs")).jobs.length;

  test("makes one job however often it comes, also at the same time", async () => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => submit("0123456789")));
    answers.push(await submit("0123456789"));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    const ids = await Promise.all(answers.map(idsOf));
    expect(new Set(ids.flat()).size).toBe(1);
    expect(await count()).toBe(1);
    expect(await idsOf(await submit("another-key"))).not.toEqual(ids[0]);
  });

  test("is refused when the key was another definition's, or is none", async () => {
    await submit("0123456789");
    const other = await submit("0123456789", aJob({ name: "other" }));
    expect(other.status).toBe(409);
    expect((await submit("short")).status).toBe(400);
    expect(await count()).toBe(1);
  });

  test("can be another person's key", async () => {
    await submit("0123456789");
    const { token } = await lab.addUser("alice");
    const headers = { "idempotency-key": "0123456789" };
    expect((await lab.request("/jobs", { body: aJob(), headers, token })).status).toBe(201);
    expect(await count()).toBe(2);
  });

  test("is a new one after a day", async () => {
    await submit("0123456789");
    lab.pass(24 * 3600);
    await submit("0123456789");
    expect(await count()).toBe(2);
  });
});
