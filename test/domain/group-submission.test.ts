import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JobView, Problem, SubmitResponse } from "#protocol/api.ts";
import { readRunnerJob } from "#protocol/job-definition.ts";
import { readYaml } from "#protocol/read-yaml.ts";
import { asMapping } from "#protocol/schema-parts.ts";
import { definitionBlob } from "../../control-plane/domain/blob-names.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";
import { aGroupJob, aGuestRole, aRole } from "../support/group-job.ts";
import { lacking } from "../support/lacking.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
  for (const name of ["q1", "q2", "q3"]) await lab.addDevice(name);
});
afterEach(() => lab.close());

const submit = async (definition: string, headers = {}) =>
  lab.api<SubmitResponse>("/jobs", { body: definition, headers });

async function refusal(definition: string): Promise<Problem> {
  const response = await lab.request("/jobs", { body: definition });
  expect(response.status).toBe(400);
  return (await response.json()) as Problem;
}

const memberOf = async (id: number): Promise<Record<string, unknown>> => {
  const bytes = await lab.deps.blobs.get(definitionBlob(id));
  return asMapping(readYaml(new TextDecoder().decode(bytes)).value) ?? {};
};
const protocolOf = (job: Record<string, unknown>) =>
  asMapping(asMapping(job["protocols"])?.["lava-multinode"]) ?? {};

describe("a multinode job becomes", () => {
  test("a job of each role and number, in the order of the roles, with sub ids of the first job", async () => {
    const { job_ids, sub_ids } = await submit(aGroupJob({ server: aRole(), client: aRole(2) }));
    expect(job_ids).toEqual([1, 2, 3]);
    expect(sub_ids).toEqual(["1.0", "1.1", "1.2"]);
    const jobs = await Promise.all(job_ids.map((id) => lab.job(id)));
    expect(jobs.map(({ sub_id, role }) => [sub_id, role])).toEqual([
      ["1.0", "server"],
      ["1.1", "client"],
      ["1.2", "client"],
    ]);
    const [group] = new Set(jobs.map((job) => job.group));
    expect(group).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(jobs.every((job) => job.group === group)).toBe(true);
  });

  test("definitions as LAVA makes them: what is shared, what the role says, its actions, its place in the group", async () => {
    const more = "device_type: qemu, essential: true, timeout: {minutes: 2}, environment: {A: b}";
    const source = aGroupJob({ server: aRole(1, more), client: aRole() }, [
      "priority: high",
      "metadata: {build: y, number: '012'}",
      "secrets: {word: hush}",
    ]);
    const { job_ids } = await submit(source);
    const { group } = await lab.job(1);
    const server = await memberOf(job_ids[0]!);
    expect(Object.keys(server)).toEqual([
      "job_name",
      "timeouts",
      "priority",
      "visibility",
      "metadata",
      "secrets",
      "device_type",
      "context",
      "protocols",
      "actions",
    ]);
    expect(server).toMatchObject({
      priority: "high",
      metadata: { build: "y", number: "012" },
      secrets: { word: "hush" },
      device_type: "qemu",
      context: { arch: "amd64" },
      actions: [
        { deploy: { role: "server" } },
        { boot: { role: "server" } },
        { test: { role: "server" } },
      ],
    });
    expect(protocolOf(server)).toEqual({
      target_group: group,
      role: "server",
      group_size: 2,
      sub_id: "1.0",
      roles: { "1": "server", "2": "client" },
      essential: true,
      timeout: { minutes: 2 },
      environment: { A: "b" },
    });
    expect(protocolOf(await memberOf(2))).toMatchObject({
      role: "client",
      timeout: { seconds: 90 },
    });
  });

  test("definitions that a runner reads without a problem", async () => {
    const { job_ids } = await submit(aGroupJob({ host: aRole(), guest: aGuestRole(2) }));
    for (const id of job_ids) {
      const text = new TextDecoder().decode(await lab.deps.blobs.get(definitionBlob(id)));
      expect(readRunnerJob(text).problems).toEqual([]);
    }
  });

  test("jobs of dynamic roles without a device: they know their host and what they expect", async () => {
    const { job_ids } = await submit(aGroupJob({ host: aRole(), guest: aGuestRole(2) }));
    expect(await lab.job(2)).toMatchObject({ host_job: 1, sub_id: "1.1", role: "guest" });
    const guest = await memberOf(job_ids[2]!);
    expect(guest).toMatchObject({ connection: "ssh", host_role: "host" });
    expect(guest).not.toHaveProperty("device_type");
    expect(protocolOf(guest)).toMatchObject({
      expect_role: "host",
      request: "lava-start",
      group_size: 3,
      // Those with devices.
      roles: { "1": "host" },
    });
  });

  test("jobs with the tags, device and worker of their roles, under the type that an alias stands for", async () => {
    await lab.request("/aliases/board", { method: "PUT", body: { device_type: "qemu" } });
    await lab.addDevice("q4", { tags: ["usb"] });
    const roles = {
      a: aRole(1, "device_type: board, device: q1"),
      b: aRole(1, "device_type: board, tags: [usb], worker: bench"),
    };
    await submit(aGroupJob(roles));
    expect(await lab.job(1)).toMatchObject({ device_type: "qemu", requested_device: "q1" });
    expect(await lab.job(2)).toMatchObject({ tags: ["usb"], requested_worker: "bench" });
  });
});

test("what was submitted is kept byte for byte with each member, beside the member's own definition", async () => {
  const source = `# of both\n${aGroupJob()}`;
  await submit(source);
  for (const id of ["1", "2", "1.1"]) {
    const response = await lab.request(`/jobs/${id}/multinode-definition`);
    expect(await response.text()).toBe(source);
    expect(await (await lab.request(`/jobs/${id}/definition`)).text()).toContain("target_group");
  }
  await lab.submit();
  expect((await lab.request("/jobs/3/multinode-definition")).status).toBe(404);
});

test("a sub id is good wherever a job's id is", async () => {
  await submit(aGroupJob());
  expect((await lab.api<JobView>("/jobs/1.1")).id).toBe(2);
  expect((await lab.request("/jobs/1.1/log")).status).toBe(200);
  for (const nobody of ["1.2", "2.0", "1.x", "7.0"]) {
    expect([nobody, (await lab.request(`/jobs/${nobody}`)).status]).toEqual([nobody, 404]);
  }
});

test("a sub id of a job that is hidden from somebody is answered as one that is not there", async () => {
  await submit(aGroupJob().replace("visibility: public", "visibility: personal"));
  const { token } = await lab.addStranger("eve");
  const told = async (id: string) => (await lab.request(`/jobs/${id}`, { token })).text();
  const hidden = await told("1.1");
  expect(hidden).toBe((await told("1.7")).replace("1.7", "1.1"));
  expect(hidden).toContain("there is no job");
});

test("the same submission again, with its key, makes no second group", async () => {
  const headers = { "idempotency-key": "once-and-for-all" };
  const first = await submit(aGroupJob(), headers);
  expect(first.sub_ids).toEqual(["1.0", "1.1"]);
  expect(await submit(aGroupJob(), headers)).toEqual(first);
  expect((await lab.api<{ jobs: unknown[] }>("/jobs")).jobs).toHaveLength(2);
});

test("a group is not tried again: retry_on has no effect, and the submitter is told", async () => {
  const { warnings } = await submit(aGroupJob(undefined, ["retry_on: infrastructure"]));
  expect(warnings).toContainEqual(expect.stringContaining("not tried again"));
  expect(await lab.job(1)).not.toHaveProperty("retry_on");
});

describe("a multinode job is refused, with the place, when", () => {
  test.each([
    [
      "a role has more jobs than there are devices for it",
      aGroupJob({ a: aRole(4) }),
      "role a needs 4 devices of type qemu at a time: 3",
      "protocols.lava-multinode.roles.a.count",
    ],
    [
      "the tags of a role leave too few",
      aGroupJob({ a: aRole(1, "device_type: qemu, tags: [usb]") }),
      'no device of type qemu has tag "usb"',
      "protocols.lava-multinode.roles.a.tags[0]",
    ],
    [
      "a role's device type is unknown",
      aGroupJob({ a: aRole(1, "device_type: none") }),
      'role a: unknown device type "none"',
      "protocols.lava-multinode.roles.a.device_type",
    ],
    [
      "a role's actions are none that its device can do",
      aGroupJob({ a: aRole() }).replace("method: qemu", "method: u-boot"),
      "role a:",
      "actions[1].boot.method",
    ],
    [
      "the group is larger than one transaction can look at",
      aGroupJob({ a: aRole(91) }),
      "the group has 91 jobs: expected 1 to 90",
      "protocols.lava-multinode.roles",
    ],
    [
      "an action is for nobody",
      aGroupJob({ a: aRole() }).replace("    role: [a]\n", ""),
      "an action of a multinode job says for whom it is",
      "actions[0].deploy",
    ],
    [
      "an action is for a role that isn't there",
      aGroupJob({ a: aRole() }).replace("role: [a]", "role: [b]"),
      'unknown role "b"; there are a',
      "actions[0].deploy.role",
    ],
    [
      "a host is no role of one device",
      aGroupJob({ host: aGuestRole(), guest: aGuestRole() }),
      "can't be the host",
      "protocols.lava-multinode.roles.host.host_role",
    ],
  ])("%s", async (_, definition, message, at) => {
    const { problems = [] } = await refusal(definition);
    expect(problems.map((problem) => problem.message).join("\n")).toContain(message);
    expect(problems.some((problem) => problem.path.startsWith(at))).toBe(true);
    expect(problems[0]!.line).toBeGreaterThan(1);
    expect((await lab.api<{ jobs: unknown[] }>("/jobs")).jobs).toEqual([]);
  });
});

const corpus = path.resolve(import.meta.dirname, "../../../shared/corpus/jobs");
describe.skipIf(lacking(!existsSync(corpus), "the corpus of jobs is not there"))(
  "LAVA's own multinode jobs (skipped when ../shared is absent: they are not part of this repository)",
  () => {
    const verdicts = existsSync(corpus)
      ? (JSON.parse(readFileSync(path.join(corpus, "verdicts.json"), "utf8")) as Record<
          string,
          { submit: string }
        >)
      : {};
    const files = Object.keys(verdicts).filter(
      (name) =>
        verdicts[name]!.submit === "ok" &&
        readFileSync(path.join(corpus, name), "utf8").includes("lava-multinode:"),
    );

    test.each(files)("%s is split into jobs that a runner reads", async (name) => {
      const source = readFileSync(path.join(corpus, name), "utf8");
      const { readJobDefinition } = await import("#protocol/job-definition.ts");
      const { readRoles } = await import("../../control-plane/domain/group-roles.ts");
      const { memberText } = await import("../../control-plane/domain/member-text.ts");
      const { definition } = readJobDefinition(source);
      const { roles, findings } = readRoles(definition!);
      expect(findings).toEqual([]);
      const names = roles.flatMap((role) => Array.from({ length: role.count }, () => role.name));
      const members = names.map((role, n) => ({
        ...{ job_id: n + 1, sub_id: `1.${n}`, role, essential: false },
      }));
      for (const member of members) {
        const { definition: own, problems } = readRunnerJob(
          memberText(source, { id: "a-group", members }, member),
        );
        expect(problems).toEqual([]);
        expect(own!.actions.length).toBeGreaterThan(0);
        const blocks = own!.actions.flatMap((action) => Object.values(action));
        expect(blocks.every((block) => asMapping(block)?.["role"] === member.role)).toBe(true);
      }
    });
  },
);
