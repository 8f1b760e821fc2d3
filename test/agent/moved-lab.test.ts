import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { JobView, LogPage, SubmitResponse } from "#protocol/api.ts";
import { serve, type Serving } from "../../control-plane/serve.ts";
import { AgentBench, kill } from "../support/agent-bench.ts";
import { agentProgram } from "../support/agent-program.ts";
import { aDeviceConfiguration, aJob } from "../support/builders.ts";
import { cli } from "../support/cli-run.ts";

interface Place {
  readonly serving: Serving;
  readonly env: { PUMICE_URL: string; PUMICE_TOKEN: string };
  call<T>(method: string, where: string, body?: unknown): Promise<T>;
}

let dir: string;
const places: Place[] = [];
let program: Awaited<ReturnType<typeof agentProgram>>;
let bench: AgentBench;

async function newPlace(name: string): Promise<Place> {
  const dataDir = path.join(dir, name);
  const serving = await serve({ dataDir, listen: "127.0.0.1:0" });
  const token = readFileSync(path.join(dataDir, "admin-token"), "utf8").trim();
  const place: Place = {
    serving,
    env: { PUMICE_URL: serving.url, PUMICE_TOKEN: token },
    async call<T>(method: string, where: string, body?: unknown) {
      const answer = await fetch(`${serving.url}/api/v1${where}`, {
        method,
        headers: { authorization: `Bearer ${token}`, connection: "close" },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      if (!answer.ok) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as T;
    },
  };
  places.push(place);
  return place;
}

beforeEach(async () => {
  program = await agentProgram();
  dir = mkdtempSync(path.join(tmpdir(), "pumice-moved-lab-"));
});
afterEach(async () => {
  await bench.close();
  for (const { serving } of places.splice(0)) await serving.close();
  rmSync(dir, { recursive: true, force: true });
  program.remove();
});

async function follow(place: Place, id: number, lines = Infinity): Promise<LogPage["records"]> {
  const records: LogPage["records"] = [];
  for (;;) {
    const where = `/jobs/${id}/log?start=${records.length}&wait=20`;
    const page = await place.call<LogPage>("GET", where);
    records.push(...page.records);
    if (page.complete || records.length >= lines) return records;
  }
}

test("a worker brings the job that it runs from the old lab to the new one, with every line of its log once", async () => {
  const old = await newPlace("old");
  const { token } = await old.call<{ token: string }>("POST", "/workers", { name: "bench" });
  await old.call("PUT", "/devices/qemu-01", {
    device_type: "qemu",
    worker: "bench",
    configuration: aDeviceConfiguration(),
  });
  bench = new AgentBench(program.file, token);
  const agent = bench.startProcess(old.serving.url);
  const { job_ids } = await old.call<SubmitResponse>("POST", "/jobs", aJob());
  const [id = 0] = job_ids;
  await follow(old, id, 10);

  const backup = path.join(dir, "backup");
  expect((await cli(["export", backup, "--all", "--close"], old.env)).code).toBe(0);
  // It goes on to its end, and nobody takes what it has to say.
  bench.go(id, "on");
  await bench.untilFile(id, "result");
  const moved = await newPlace("new");
  expect((await cli(["import", backup], moved.env)).code).toBe(0);
  await kill(agent);
  expect(await old.call<JobView>("GET", `/jobs/${id}`)).toMatchObject({ state: "Running" });
  bench.startProcess(moved.serving.url);

  const messages = (await follow(moved, id)).map(({ msg }) => msg);
  expect(messages.slice(0, -1)).toEqual(Array.from({ length: 20 }, (_, n) => `line-${n}`));
  expect(await moved.call<JobView>("GET", `/jobs/${id}`)).toMatchObject({
    state: "Finished",
    health: "Complete",
  });
});
