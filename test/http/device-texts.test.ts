import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeviceView, Problem } from "#protocol/api.ts";
import type { DeviceConfig, PutText, TextVersionList } from "#protocol/lab.ts";
import { aDeviceConfiguration } from "../support/builders.ts";
import { embeddedLab, type EmbeddedLab } from "../support/embedded-lab.ts";

let lab: EmbeddedLab;
beforeEach(async () => {
  lab = await embeddedLab();
  await lab.addWorker();
});
afterEach(() => lab.close());

const aDictionary = (...lines: string[]): string =>
  ["{% extends 'qemu.jinja2' %}", ...lines, ""].join("\n");

const addDevice = (hostname: string, dictionary = aDictionary()) =>
  lab.api<DeviceView>(`/devices/${hostname}`, {
    method: "PUT",
    body: { device_type: "qemu", worker: "bench", dictionary },
  });
const putDictionary = (hostname: string, text: string, query = "", headers = {}) =>
  lab.request(`/devices/${hostname}/dictionary${query}`, { method: "PUT", body: text, headers });

async function textOf(where: string): Promise<string> {
  const answer = await lab.request(where);
  expect([where, answer.status]).toEqual([where, 200]);
  return answer.text();
}

interface QemuConfiguration {
  actions: { boot: { methods: { qemu: { parameters: { options: string[] } } } } };
}

describe("a device's dictionary", () => {
  test("is kept byte for byte and renders with Pumice's templates", async () => {
    const dictionary = aDictionary("{% set memory = 1024 %}  {# ünïcode #}\r");
    await addDevice("qemu-01", dictionary);
    expect(await textOf("/devices/qemu-01/dictionary")).toBe(dictionary);
    expect(await textOf("/devices/qemu-01/configuration")).toContain("-m 1024");
  });

  test("may be that of a device with the name of its type", async () => {
    await addDevice("qemu");
    expect(await textOf("/devices/qemu/configuration")).toMatch(/^hostname: .?qemu/m);
  });

  test("shows what it comes to for a job's context, as data or as YAML", async () => {
    await addDevice("qemu-01", aDictionary("{% set memory = memory|default(1024) %}"));
    const where = `/devices/qemu-01/config?context=${encodeURIComponent("{memory: 77, arch: arm64}")}`;
    const config = await lab.api<DeviceConfig>(where);
    expect(config).toMatchObject({
      hostname: "qemu-01",
      version: 1,
      configuration: { hostname: "qemu-01", devicetype: "qemu" },
    });
    expect(config.text).toContain("-m 77");
    const yaml = await lab.request(where, { headers: { accept: "application/yaml" } });
    expect([yaml.headers.get("content-type"), await yaml.text()]).toEqual([
      expect.stringContaining("application/yaml"),
      config.text,
    ]);
    const bad = await lab.request("/devices/qemu-01/config?context=[1]");
    expect([bad.status, await bad.text()]).toEqual([400, expect.stringContaining("a mapping")]);
  });

  test("says for each value which template and line set it, or that the context did", async () => {
    const power =
      "{% set connection_command = 'telnet ser 7' %}\n{% set hard_reset_command = 'pdu 7' %}";
    await addDevice("qemu-01", aDictionary(power));
    const config = await lab.api<DeviceConfig>("/devices/qemu-01/config?context={memory: 77}");
    expect(config.origins["commands.hard_reset"]).toEqual({
      template: "devices/qemu-01.jinja2",
      line: 3,
      variable: "hard_reset_command",
    });
    const { options } = (config.configuration as QemuConfiguration).actions.boot.methods.qemu
      .parameters;
    const memory = `actions.boot.methods.qemu.parameters.options[${options.indexOf("-m 77")}]`;
    expect(config.origins[memory]).toMatchObject({ template: "context", variable: "memory" });
  });

  test("with a variable that nothing reads is taken with a warning", async () => {
    await addDevice("qemu-01");
    const text = aDictionary("{% set memroy = 1 %}");
    const put = (await (await putDictionary("qemu-01", text)).json()) as PutText;
    expect(put.warnings).toEqual([
      expect.stringMatching(/^devices\/qemu-01\.jinja2 line 2: memroy .*did you mean memory\?/),
    ]);
    const { warnings } = await lab.api<DeviceConfig>("/devices/qemu-01/config");
    expect(warnings).toMatchObject([{ template: "devices/qemu-01.jinja2", line: 2 }]);
  });

  test("has versions with who, when and why, newest first, and old ones can be read", async () => {
    const texts = ["one", "two", "three"].map((word) => aDictionary(`{# ${word} #}`));
    await addDevice("qemu-01", texts[0]);
    lab.pass(60);
    await putDictionary("qemu-01", texts[1]!, "?comment=more%20memory");
    await putDictionary("qemu-01", texts[2]!);
    const { versions } = await lab.api<TextVersionList>("/devices/qemu-01/versions");
    expect(versions).toEqual([
      {
        version: 3,
        time: "2026-03-01T12:01:00.000Z",
        user: "admin",
        comment: "",
        format: "dictionary",
      },
      {
        version: 2,
        time: "2026-03-01T12:01:00.000Z",
        user: "admin",
        comment: "more memory",
        format: "dictionary",
      },
      {
        version: 1,
        time: "2026-03-01T12:00:00.000Z",
        user: "admin",
        comment: "",
        format: "dictionary",
      },
    ]);
    expect(await textOf("/devices/qemu-01/dictionary?version=2")).toBe(texts[1]);
    const first = await lab.api<TextVersionList>("/devices/qemu-01/versions?limit=2");
    const rest = await lab.api<TextVersionList>(
      `/devices/qemu-01/versions?limit=2&cursor=${first.next_cursor}`,
    );
    const numbers = [...first.versions, ...rest.versions].map(({ version }) => version);
    expect([numbers, rest.next_cursor]).toEqual([[3, 2, 1], undefined]);
    expect((await lab.request("/devices/qemu-01/dictionary?version=4")).status).toBe(404);
  });

  test("that is the same makes no version", async () => {
    await addDevice("qemu-01");
    const same = (await (await putDictionary("qemu-01", aDictionary())).json()) as PutText;
    expect(same).toMatchObject({ version: 1, changed: false });
    await addDevice("qemu-01");
    expect((await lab.api<TextVersionList>("/devices/qemu-01/versions")).versions).toHaveLength(1);
  });

  test("can be put back: that is a version of its own", async () => {
    await addDevice("qemu-01", aDictionary("{% set memory = 1 %}"));
    await putDictionary("qemu-01", aDictionary("{% set memory = 2 %}"));
    const back = await lab.api<PutText>("/devices/qemu-01/put-back", { body: { version: 1 } });
    expect(back).toMatchObject({ version: 3, comment: "back to version 1", changed: true });
    expect(await textOf("/devices/qemu-01/configuration")).toContain(`-m 1"`);
    expect((await lab.request("/devices/qemu-01/put-back", { body: { version: 9 } })).status).toBe(
      404,
    );
  });

  test("takes the place of a configuration, and the other way round", async () => {
    await lab.addDevice("qemu-01");
    expect(await textOf("/devices/qemu-01/dictionary")).toBe(aDeviceConfiguration());
    await putDictionary("qemu-01", aDictionary());
    expect(await textOf("/devices/qemu-01/configuration")).toMatch(/^devicetype: .?qemu/m);
    await lab.api("/devices/qemu-01/put-back", { body: { version: 1 } });
    expect(await textOf("/devices/qemu-01/configuration")).toBe(aDeviceConfiguration());
  });

  test("is not replaced by who has not seen its last version", async () => {
    await addDevice("qemu-01");
    const { headers } = await lab.request("/devices/qemu-01/dictionary");
    const etag = { "if-match": headers.get("etag")! };
    expect((await putDictionary("qemu-01", aDictionary("{# a #}"), "", etag)).status).toBe(200);
    const late = await putDictionary("qemu-01", aDictionary("{# b #}"), "", etag);
    const { message } = (await late.json()) as Problem;
    expect([late.status, message]).toEqual([409, expect.stringMatching(/it is at version 2/)]);
  });

  test("by two at once becomes two versions", async () => {
    await addDevice("qemu-01");
    const texts = Array.from({ length: 8 }, (_, n) => aDictionary(`{# ${n} #}`));
    const answers = await Promise.all(texts.map((text) => putDictionary("qemu-01", text)));
    const versions = await Promise.all(
      answers.map(async (answer) => ((await answer.json()) as PutText).version),
    );
    expect(versions.toSorted((a, b) => a - b)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("stays readable when the device is removed, and goes on counting when it comes again", async () => {
    await addDevice("qemu-01");
    await lab.request("/devices/qemu-01", { method: "DELETE" });
    const gone = await lab.request("/devices/qemu-01/dictionary");
    expect([gone.status, await gone.text()]).toEqual([
      404,
      expect.stringMatching(/version 2 removed/),
    ]);
    expect(await textOf("/devices/qemu-01/dictionary?version=1")).toBe(aDictionary());
    expect(await lab.api("/devices/qemu-01/config?version=1")).toMatchObject({ version: 1 });
    await addDevice("qemu-01");
    const { versions } = await lab.api<TextVersionList>("/devices/qemu-01/versions");
    expect(versions.map(({ version, removed = false }) => [version, removed])).toEqual([
      [3, false],
      [2, true],
      [1, false],
    ]);
  });
});

describe("a dictionary is refused", () => {
  test.each([
    ["that is no template", aDictionary("{% if %}"), 2, /x\.jinja2 line 2/],
    ["that extends what there is not", "{% extends 'nothing.jinja2' %}", 1, /nothing\.jinja2/],
    ["that renders to no device", "a: 1", 1, /"constants" is missing/],
    ["that renders to no YAML", "\n\na: [", 3, /x\.jinja2 line 3: .*can't be read/],
    [
      "that sets a key that devices don't have",
      `${aDictionary()}{% block body %}{{ super() }}\nhard_rest: pdu\n{% endblock %}`,
      3,
      /hard_rest/,
    ],
  ])("%s", async (_, dictionary, line, message) => {
    const body = { device_type: "qemu", worker: "bench", dictionary };
    const answer = await lab.request("/devices/x", { method: "PUT", body });
    const problem = (await answer.json()) as Problem;
    expect([answer.status, problem.message]).toEqual([400, expect.stringMatching(message)]);
    expect(problem.problems?.[0]).toMatchObject({ line });
    expect((await lab.request("/devices/x")).status).toBe(404);
  });

  test("that is too long", async () => {
    const dictionary = aDictionary(`{# ${"x".repeat(256 * 1024 - 20)}ü #}`);
    await addDevice("qemu-01");
    expect((await putDictionary("qemu-01", dictionary)).status).toBe(413);
    expect((await putDictionary("qemu-01", "\u0001".repeat(100_000))).status).not.toBe(500);
  });

  test("beside a configuration, or when there is neither", async () => {
    const body = { device_type: "qemu", worker: "bench" };
    const both = { ...body, dictionary: aDictionary(), configuration: aDeviceConfiguration() };
    for (const request of [body, both]) {
      const answer = await lab.request("/devices/x", { method: "PUT", body: request });
      const { message } = (await answer.json()) as Problem;
      expect([answer.status, message]).toEqual([400, expect.stringMatching(/in its place/)]);
    }
  });
});
