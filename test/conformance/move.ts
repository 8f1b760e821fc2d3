import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DeviceView, JobView, WorkerView } from "#protocol/api.ts";
import type { CheckedPage, Violation } from "#protocol/integrity.ts";
import type { TokenView } from "#protocol/tokens.ts";
import { aJob, aResult } from "../support/builders.ts";
import { cli } from "../support/cli-run.ts";
import type { EmbeddedLab } from "../support/embedded-lab.ts";

/** A lab of either engine that answers at an address. */
export type MovableLab = Pick<
  EmbeddedLab,
  | "adminToken"
  | "api"
  | "request"
  | "settled"
  | "addUser"
  | "addWorker"
  | "addDevice"
  | "submit"
  | "sync"
  | "ship"
  | "finish"
  | "job"
> & { readonly url: string; close(): Promise<void> };

/** Tokens of those who go along. */
export interface Moving {
  worker: string;
  alice: string;
  /** Of job 3, which runs. */
  job: string;
}

const running = (job_id: number) => ({ job_id, state: "running" as const });
const line = (msg: unknown, lvl = "info") => ({ dt: "2026-03-01T12:00:00.000000", lvl, msg });
const DICTIONARY = "{% extends 'own.jinja2' %}\n";

/**
 * Fills a new lab with some of everything: job 1 has ended with a log of three chunks and results, job 2 was canceled, job 3 runs and
 * has shipped a part of its log, jobs 4 and 5 wait.
 */
export async function fillLab(lab: MovableLab): Promise<Moving> {
  const { token: alice } = await lab.addUser("alice");
  const worker = await lab.addWorker();
  await lab.api("/workers/bench", {
    method: "PUT",
    body: { description: "the bench", env_dut: "A: 1\n", dispatcher: "b: 2\n" },
  });
  const put = (where: string, body: unknown) => lab.api(where, { method: "PUT", body });
  await put("/templates/own.jinja2", "{% extends 'qemu.jinja2' %}\n");
  await put(
    "/templates/own.jinja2?comment=more%20memory",
    "{% extends 'qemu.jinja2' %}\n{% set memory = 777 %}\n",
  );
  await put("/health-checks/own", aJob({ name: "health" }));
  await lab.addDevice("qemu-01", { tags: ["kvm"] });
  await lab.addDevice("qemu-02", { configuration: undefined, dictionary: DICTIONARY });
  await put("/devices/qemu-02/dictionary?comment=why", `${DICTIONARY}{% set memory = 1 %}\n`);
  await put("/devices/qemu-02/dictionary", DICTIONARY);
  await put("/device-types/qemu", { description: "Ähnlich wie 'echt' ☃", health_frequency: 7 });
  await put("/aliases/emulator", { device_type: "qemu" });
  await put("/tags/kvm", { description: "virtualised" });
  await put("/groups/people", { members: ["alice"] });
  await lab.api("/devices/qemu-02/health", { body: { health: "Maintenance" } });
  await lab.sync(worker);

  const first = await start(lab, worker, aJob({ name: "one ☃" }));
  await lab.ship(1, first, 0, [line("one"), line(aResult(), "results")]);
  await lab.ship(1, first, 2, [line("two"), line(aResult({ case: "b" }), "results")]);
  await lab.ship(1, first, 4, [line("three")]);
  await lab.finish(1, first, { result: "pass", lines: 5 });
  await lab.sync(worker);
  await lab.api("/devices/qemu-01/health", { body: { health: "Maintenance" } });
  expect(await lab.submit()).toBe(2);
  await lab.api("/jobs/2/cancel", { method: "POST" });
  await lab.api("/devices/qemu-01/health", { body: { health: "Good" } });
  await lab.settled();
  const job = await start(lab, worker);
  await lab.ship(3, job, 0, [line("begun"), line(aResult({ case: "c" }), "results")]);
  await lab.submit(aJob({ name: "four", lines: ["priority: high"] }));
  await lab.api("/jobs", { body: aJob({ name: "five" }), token: alice });
  return { worker, alice, job };
}

/** A job that its worker runs; its token. */
export async function start(lab: MovableLab, worker: string, text = aJob()): Promise<string> {
  const id = await lab.submit(text);
  const ticket = (await lab.sync(worker)).start.find(({ job_id }) => job_id === id);
  await lab.sync(worker, [running(id)]);
  if (!ticket) throw new Error(`job ${id} was not started`);
  return ticket.token;
}

const ANSWERS = [
  "/lab",
  "/devices",
  "/devices/qemu-01/configuration",
  "/devices/qemu-02/config",
  "/devices/qemu-02/versions",
  "/devices/qemu-02/dictionary?version=2",
  "/device-types",
  "/templates",
  "/templates/own.jinja2/versions",
  "/templates/own.jinja2/versions/1",
  "/health-checks",
  "/health-checks/own",
  "/aliases",
  "/tags",
  "/groups",
  "/workers/bench/settings",
  "/jobs?state=Finished",
  "/jobs?device=qemu-01",
  "/jobs?submitter=alice",
  ...[1, 2, 3, 4, 5].flatMap((id) =>
    ["", "/definition", "/log", "/log?format=yaml", "/results"].map((part) => `/jobs/${id}${part}`),
  ),
];

/** What a lab tells of itself, but for what must differ: whether its worker was heard of. */
export async function answersOf(lab: MovableLab): Promise<Record<string, string>> {
  const answers: Record<string, string> = {};
  for (const where of ANSWERS) {
    const answer = await lab.request(where);
    const text = (await answer.text()).replace(/"waits_for":"[^"]*"/g, "");
    answers[where] = `${answer.status} ${text}`;
  }
  expect(await violationsAt(lab)).toEqual([]);
  return answers;
}

/** What a check finds that looks at the lab as `pumice check-lab` does. */
async function violationsAt(lab: MovableLab): Promise<Violation[]> {
  const violations: Violation[] = [];
  for (let cursor: string | undefined = ""; cursor !== undefined;) {
    const query: string = cursor === "" ? "" : `?cursor=${encodeURIComponent(cursor)}`;
    const page: CheckedPage = await lab.api(`/backup/check${query}`);
    violations.push(...page.violations);
    ({ cursor } = page);
  }
  return violations;
}

/**
 * What `pumice export --all` and `import` carry from one lab to another. `source` and `target` make new labs, of one engine or of two;
 * the tests close them.
 */
export function moveConformance(
  source: () => Promise<MovableLab>,
  target: () => Promise<MovableLab>,
): void {
  let from: MovableLab;
  let to: MovableLab;
  let dir: string;
  let moving: Moving;
  const pumice = (lab: MovableLab, ...args: string[]) =>
    cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });

  beforeEach(async () => {
    [from, to] = [await source(), await target()];
    dir = mkdtempSync(path.join(tmpdir(), "pumice-move-"));
    moving = await fillLab(from);
  });
  afterEach(async () => {
    await Promise.all([from.close(), to.close()]);
    rmSync(dir, { recursive: true, force: true });
  });

  async function move(...options: string[]): Promise<void> {
    const out = await pumice(from, "export", dir, "--all", ...options);
    expect([out.code, out.said]).toEqual([0, expect.anything()]);
    const back = await pumice(to, "import", dir);
    expect([back.code, back.out]).toEqual([0, "the lab is restored and open\n"]);
    await to.settled();
  }

  test("every answer about jobs, logs, results, devices and texts is the same after a move", async () => {
    const before = await answersOf(from);
    await move("--close");
    expect(await answersOf(to)).toEqual(before);
  });

  test("people and workers keep their tokens, and who restored keeps theirs", async () => {
    await move();
    for (const token of [moving.alice, from.adminToken, to.adminToken]) {
      expect((await to.request("/jobs", { token })).status).toBe(200);
    }
    const { tokens } = await to.api<{ tokens: TokenView[] }>("/tokens");
    expect(tokens.map(({ kind, subject }) => `${kind} ${subject}`).toSorted()).toEqual([
      "user admin",
      "user admin",
      "user alice",
      "worker bench",
    ]);
    await to.sync(moving.worker, [running(3)]);
    const { workers } = await to.api<{ workers: WorkerView[] }>("/workers");
    expect(workers).toMatchObject([{ name: "bench", state: "Online" }]);
  });

  test("a job that runs goes on and ends in the new lab, with the token that its worker has", async () => {
    await move("--close");
    const { cancel, lost, start: started } = await to.sync(moving.worker, [running(3)]);
    expect([cancel, lost, started]).toEqual([[], [], []]);
    expect(await to.job(3)).toMatchObject({ state: "Running", log_lines: 2 });
    await to.ship(3, moving.job, 2, [line("the end")]);
    expect((await to.finish(3, moving.job, { result: "pass", lines: 3 })).status).toBe(200);
    expect(await to.job(3)).toMatchObject({ state: "Finished", health: "Complete" });
    const log = await to.api<{ records: { msg: unknown }[] }>("/jobs/3/log");
    expect(log.records.map(({ msg }) => msg)).toEqual(["begun", aResult({ case: "c" }), "the end"]);
  });

  test("a job whose worker has forgotten it gets a token of the new lab, and both are good", async () => {
    await move("--close");
    const { lost } = await to.sync(moving.worker);
    expect(lost).toMatchObject([{ job_id: 3 }]);
    const token = lost[0]!.token;
    expect(token).not.toBe(moving.job);
    for (const good of [token, moving.job]) {
      expect((await to.request("/jobs/3/log-tail", { token: good })).status).toBe(200);
    }
    await to.finish(3, token, { result: "fail", error_type: "Infrastructure", lines: 2 });
    expect(await to.job(3)).toMatchObject({ state: "Finished", health: "Incomplete" });
  });

  test("what waits is scheduled in its order, and new jobs have new numbers", async () => {
    await move("--close");
    await to.sync(moving.worker, [running(3)]);
    await to.finish(3, moving.job, { result: "pass", lines: 2 });
    const { start: started } = await to.sync(moving.worker);
    expect(started.map(({ job_id }) => job_id)).toEqual([4]);
    expect(await to.api<DeviceView>("/devices/qemu-01")).toMatchObject({ current_job: 4 });
    expect(await to.submit()).toBeGreaterThan(5);
  });

  test("there and back again", async () => {
    const before = await answersOf(from);
    await move("--close");
    const third = await source();
    try {
      const second = path.join(dir, "second");
      expect((await pumice(to, "export", second, "--all", "--close")).code).toBe(0);
      expect((await pumice(third, "import", second)).code).toBe(0);
      expect(await answersOf(third)).toEqual(before);
    } finally {
      await third.close();
    }
  });

  test("a lab that has anything of its own is refused with what it has, and stays open", async () => {
    expect((await pumice(from, "export", dir, "--all")).code).toBe(0);
    await to.addWorker("own");
    const { code, said } = await pumice(to, "import", dir);
    expect([code, said]).toEqual([
      2,
      expect.stringContaining("only into a new lab, and this one has worker own"),
    ]);
    await to.addWorker("another");
    expect((await to.request("/jobs/1")).status).toBe(404);
  });

  test("the same backup again is said to be there already, another one is refused", async () => {
    await move();
    expect((await pumice(to, "import", dir)).out).toBe("this backup was restored here before\n");
    const second = path.join(dir, "second");
    await pumice(from, "export", second, "--all");
    expect((await pumice(to, "import", second)).said).toContain("only into a new lab");
    expect((await to.api<JobView>("/jobs/1")).health).toBe("Complete");
  });
}
