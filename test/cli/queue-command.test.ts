import { afterEach, beforeEach, expect, test } from "vitest";
import { aJob } from "../support/builders.ts";
import { cli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
const pumice = (...args: string[]) =>
  cli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });

beforeEach(async () => {
  lab = await listeningLab();
  await lab.addWorker();
  await lab.addDevice("qemu-01");
  await lab.addDevice("board-01", { device_type: "board" });
});
afterEach(() => lab.close());

test("tells what waits for each type, the next job first, and why", async () => {
  expect((await pumice("queue")).said).toBe("No job waits.\n");
  await lab.submit(aJob({ name: "older" }));
  await lab.submit(aJob({ name: "urgent", lines: ["priority: high"] }));
  await lab.submit(aJob({ name: "other", deviceType: "board" }));
  const { out } = await pumice("queue");
  expect(out).toMatch(/^board: 1 waiting\n.*\n1 +3 .* other +of 1 fitting device: 1 on worker/);
  expect(out).toMatch(/qemu: 2 waiting\n.*\n1 +2 +100 +admin .* urgent .*\n2 +1 +50 .* older /);
  expect((await pumice("queue", "qemu")).out).not.toContain("board");
  expect(JSON.parse((await pumice("queue", "board", "--json")).out)).toMatchObject({
    queues: [{ device_type: "board", waiting: 1, jobs: [{ id: 3, position: 1 }] }],
  });
  expect((await pumice("queue", "none")).code).toBe(2);
});

test("a job that waits is shown with its place", async () => {
  await lab.submit();
  const id = await lab.submit();
  const { out } = await pumice("show", String(id));
  expect(out).toMatch(/waits +number 2 in the queue, 1 before it wants the same devices/);
});
