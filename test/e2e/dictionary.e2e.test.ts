import { readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exampleJob, realLab, type RealLab } from "../support/real-lab.ts";

let lab: RealLab;
beforeAll(async () => {
  lab = await realLab({ devices: 0 });
});
afterAll(() => lab.close());

const smoke = exampleJob("qemu-smoke.yaml");
/** The device of docs/add-a-qemu-device.md. */
const dictionary = readFileSync(
  path.resolve(import.meta.dirname, "../../docs/examples/qemu/virt-01.jinja2"),
  "utf8",
);

test("a device that is a dictionary of three lines boots a real kernel, as the job's context says", async () => {
  await lab.api("PUT", "/devices/virt-01", { device_type: "qemu", worker: "bench", dictionary });
  const id = await lab.submit(smoke.replace("{arch: x86_64}", "{arch: x86_64, memory: 320}"));
  const log = await lab.follow(id);
  expect((await lab.finished(id)).health).toBe("Complete");
  const called = log.find(({ msg }) => String(msg).startsWith("Calling: "));
  expect(called?.["msg"]).toContain('"qemu-system-x86_64"');
  expect(called?.["msg"]).toContain('"-m","320"');
});

test("the next version of a dictionary is what the next job gets, and the last one can be put back", async () => {
  const put = (text: string) =>
    lab.api<{ version: number }>("PUT", "/devices/virt-01/dictionary", text, "text/plain");
  await put(dictionary.replace("256", "224"));
  const memoryOf = async () => {
    const id = await lab.submit(smoke);
    const log = await lab.follow(id);
    expect((await lab.finished(id)).health).toBe("Complete");
    return /"-m","(\d+)"/.exec(
      String(log.find(({ msg }) => /"-m"/.test(String(msg)))?.["msg"]),
    )?.[1];
  };
  expect(await memoryOf()).toBe("224");
  await lab.api("POST", "/devices/virt-01/put-back", { version: 1 });
  expect(await memoryOf()).toBe("256");
});
