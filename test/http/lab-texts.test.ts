import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Problem } from "#protocol/api.ts";
import type { PutText, TextVersionList } from "#protocol/lab.ts";
import { aJob } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
});
afterEach(() => lab.close());

const put = (where: string, text: string) => lab.request(where, { method: "PUT", body: text });
const refused = async (answer: Response) => {
  const { message } = (await answer.json()) as Problem;
  return [answer.status, message];
};
async function addDevice(hostname: string, dictionary: string): Promise<string> {
  const body = { device_type: "qemu", worker: "bench", dictionary };
  await lab.api(`/devices/${hostname}`, { method: "PUT", body });
  return configuration(hostname);
}
const configuration = async (hostname: string) =>
  (await lab.request(`/devices/${hostname}/configuration`)).text();

const OWN = "{% set memory = memory|default(333) %}\n{% extends 'qemu.jinja2' %}\n";

describe("a template of the lab's own", () => {
  test("can be extended, and changes what devices render to at once", async () => {
    await put("/templates/ours.jinja2", OWN);
    expect(await addDevice("a", "{% extends 'ours.jinja2' %}")).toContain("-m 333");
    await put("/templates/ours.jinja2", OWN.replace("333", "444"));
    expect(await configuration("a")).toContain("-m 444");
  });

  test("wins over Pumice's of the same name, which is there again when it goes", async () => {
    const before = await addDevice("a", "{% extends 'qemu.jinja2' %}");
    await put("/templates/qemu.jinja2", OWN.replace("'qemu.", "'kvm."));
    await put("/templates/ours.jinja2", "x");
    expect(await configuration("a")).toContain("-m 333");
    expect(await lab.api("/templates")).toMatchObject({
      templates: [
        { name: "ours.jinja2", hides_stock: false },
        { name: "qemu.jinja2", version: 1, user: "admin", hides_stock: true },
      ],
    });
    expect((await lab.request("/templates/qemu.jinja2", { method: "DELETE" })).status).toBe(204);
    expect(await configuration("a")).toBe(before);
  });

  test("that a device needs neither goes nor breaks", async () => {
    await put("/templates/ours.jinja2", OWN);
    await addDevice("a", "{% extends 'ours.jinja2' %}");
    expect(await refused(await put("/templates/ours.jinja2", "{{ nothing.at.all }}"))).toEqual([
      400,
      expect.stringMatching(/device a would no longer render: ours\.jinja2 line 1/),
    ]);
    const gone = await lab.request("/templates/ours.jinja2", { method: "DELETE" });
    expect(await refused(gone)).toEqual([409, expect.stringMatching(/device a would no longer/)]);
    expect(await (await lab.request("/templates/ours.jinja2")).text()).toBe(OWN);
  });

  test("is refused when it is no template, with the line, or has no name of one", async () => {
    expect(await refused(await put("/templates/ours.jinja2", "\n{% if %}"))).toEqual([
      400,
      expect.stringMatching(/ours\.jinja2: line 2/),
    ]);
    for (const name of ["ours", "..%2Fours.jinja2", ".jinja2"]) {
      expect(await refused(await put(`/templates/${name}`, OWN))).toEqual([
        400,
        expect.stringMatching(/not a template name/),
      ]);
    }
  });

  test("has versions that outlive it, and can be put back", async () => {
    await put("/templates/ours.jinja2?comment=first", OWN);
    await put("/templates/ours.jinja2", "two");
    await lab.request("/templates/ours.jinja2", { method: "DELETE" });
    expect((await lab.request("/templates/ours.jinja2")).status).toBe(404);
    const { versions } = await lab.api<TextVersionList>("/templates/ours.jinja2/versions");
    expect(versions).toMatchObject([
      { version: 3, removed: true },
      { version: 2 },
      { comment: "first" },
    ]);
    expect(await (await lab.request("/templates/ours.jinja2/versions/1")).text()).toBe(OWN);
    const body = { version: 1 };
    expect(await lab.api<PutText>("/templates/ours.jinja2/put-back", { body })).toMatchObject({
      version: 4,
      comment: "back to version 1",
    });
    const removed = { body: { version: 3 } };
    expect((await lab.request("/templates/ours.jinja2/put-back", removed)).status).toBe(404);
  });
});

describe("a health check", () => {
  test("is a job that could be submitted", async () => {
    expect((await put("/health-checks/qemu", aJob())).status).toBe(200);
    expect(await lab.api("/health-checks")).toMatchObject({
      health_checks: [{ name: "qemu", version: 1, user: "admin" }],
    });
    expect(await (await lab.request("/health-checks/qemu")).text()).toBe(aJob());
    expect(await refused(await put("/health-checks/qemu", "job_name: x\n"))).toEqual([
      400,
      expect.stringMatching(/qemu: line 1: \w+ the key/),
    ]);
  });
});
