import { afterEach, beforeEach, expect, test } from "vitest";
import type { Problem } from "#protocol/api.ts";
import { writeText } from "../../control-plane/domain/texts.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
let worker: string;
beforeEach(async () => {
  lab = await embeddedLab();
  worker = await lab.addWorker();
});
afterEach(() => lab.close());

const PARENT = "{% extends 'qemu.jinja2' %}\n";
const addDevice = (dictionary: string, hostname = "qemu-01") =>
  lab.api(`/devices/${hostname}`, {
    method: "PUT",
    body: { device_type: "qemu", worker: "bench", dictionary },
  });
const withContext = (context: string) => aJob().replace("{arch: amd64}", context);
/** Past the checks: what was right when it was put and is not any more. */
const breakTemplate = (name: string, text: string) =>
  writeText(lab.deps, { kind: "template", name, text, user: "admin" });

test("a job's device is rendered with the job's context, for one job only", async () => {
  await addDevice(PARENT);
  await lab.sync(worker);
  const id = await lab.submit(withContext("{arch: amd64, memory: 77}"));
  const [ticket] = (await lab.sync(worker)).start;
  expect(ticket!.device).toContain("-m 77");
  expect(ticket!.device).toMatch(/^hostname: .?qemu-01/m);
  expect(ticket!.device).toMatch(/^devicetype: .?qemu/m);
  expect(ticket).toMatchObject({ job_id: id, dispatcher: "", env_dut: "" });
  const plain = await lab.request("/devices/qemu-01/configuration");
  expect(await plain.text()).toContain("-m 512");
});

test("whether a job fits is judged with its context", async () => {
  const chosen = `{% set available_architectures = [arch|default('arm64')] %}`;
  await lab.request("/templates/ours.jinja2", {
    method: "PUT",
    body: `${PARENT}{% block available_architectures %}available_architectures: [{{ arch }}]\n{% endblock %}`,
  });
  await addDevice(`${chosen}${PARENT}`);
  expect(await lab.submit(withContext("{arch: riscv64}"))).toBe(1);
  const refused = await lab.request("/jobs", { body: withContext("{arch: vax}") });
  expect(((await refused.json()) as Problem).problems).toMatchObject([{ path: "context.arch" }]);
});

test("a context with which no device renders is refused with device, template and line", async () => {
  await addDevice(`\n{% if memory is defined %}{{ memory.size.unit }}{% endif %}${PARENT}`);
  const text = withContext("{arch: amd64, memory: 77}");
  const answer = await lab.request("/jobs", { body: text });
  const { problems } = (await answer.json()) as Problem;
  expect([answer.status, problems]).toEqual([
    400,
    [
      {
        path: "context",
        line: text.split("\n").findIndex((line) => line.startsWith("context")) + 1,
        column: 1,
        message: expect.stringMatching(
          /^device qemu-01 does not render with this context: devices\/qemu-01\.jinja2 line 2: /,
        ),
      },
    ],
  ]);
  expect(await lab.submit()).toBe(1);
});

test("a device that does not render any more goes Bad and its jobs wait for another", async () => {
  await lab.request("/templates/ours.jinja2", { method: "PUT", body: PARENT });
  await addDevice("{% extends 'ours.jinja2' %}");
  const id = await lab.submit();
  await breakTemplate("ours.jinja2", "{{ nothing.at.all }}");
  await lab.sync(worker);
  expect(await lab.api("/devices/qemu-01")).toMatchObject({ state: "Idle", health: "Bad" });
  expect(lab.messages.find((line) => line.includes("invalid device configuration"))).toMatch(
    /ours\.jinja2 line 1/,
  );
  await addDevice(PARENT, "qemu-02");
  await lab.settled();
  expect(await lab.job(id)).toMatchObject({ state: "Scheduled", device: "qemu-02" });
});

test("a job whose device does not render when it starts ends, and its device is free", async () => {
  await lab.request("/templates/ours.jinja2", { method: "PUT", body: PARENT });
  await addDevice("{% extends 'ours.jinja2' %}");
  await lab.sync(worker);
  const id = await lab.submit();
  await breakTemplate("ours.jinja2", "{{ nothing.at.all }}");
  expect((await lab.sync(worker)).start).toEqual([]);
  expect(await lab.job(id)).toMatchObject({
    state: "Finished",
    health: "Incomplete",
    error_type: "Configuration",
    error_msg: expect.stringMatching(/^configuration of device qemu-01: ours\.jinja2 line 1: /),
  });
  expect(await lab.api("/devices/qemu-01")).toMatchObject({ state: "Idle", health: "Unknown" });
});
