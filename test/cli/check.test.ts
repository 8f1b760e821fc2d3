import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cli } from "../support/cli-run.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-check-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Writes a file of the lab and gives its path. */
function file(name: string, text: string): string {
  const full = path.join(dir, name);
  mkdirSync(path.dirname(full), { recursive: true });
  writeFileSync(full, text);
  return full;
}

const job = (changes = "", boot = "method: u-boot\n    commands: ramdisk\n    prompts: ['# ']") =>
  `job_name: smoke
device_type: beaglebone-black
visibility: public
timeouts:
  job: {minutes: 10}
${changes}actions:
- deploy:
    to: tftp
    kernel: {url: "http://example.com/zImage", type: zimage}
- boot:
    ${boot}
`;

interface Report {
  file: string;
  kind: string;
  verdict: { submission: string; strict: string };
  errors: { path: string; line: number; column: number; message: string }[];
  warnings: { path: string; line: number; message: string }[];
  strategies?: { path: string; strategies: { name: string; accepts: boolean }[] }[];
}
async function reports(...args: string[]): Promise<{ code: number; reports: Report[] }> {
  const { code, out } = await cli(["check", "--json", ...args]);
  const lines = out.trim().split("\n");
  return { code, reports: lines.map((line) => JSON.parse(line) as Report) };
}

test("a job that is well says so and exits with 0", async () => {
  const { code, out, said } = await cli(["check", file("good.yaml", job())]);
  expect({ code, out, said }).toEqual({
    code: 0,
    out: "",
    said: "1 file checked, nothing to say\n",
  });
});

test("what is wrong is told with file, line, column, path and the nearest word", async () => {
  const name = file("bad.yaml", job().replace("device_type", "device_tipe"));
  const { code, out, said } = await cli(["check", name]);
  expect(code).toBe(1);
  expect(out).toContain(
    `${name}:2:1: error: device_tipe: unknown key "device_tipe"; did you mean device_type?`,
  );
  expect(said).toBe("1 of 1 file invalid\n");
});

test("what only the strict schema refuses is a warning, and an error with --strict", async () => {
  const name = file(
    "odd.yaml",
    job().replace("    to: tftp", "    to: tftp\n    kernal: {url: x}"),
  );
  const lax = await cli(["check", name]);
  expect(lax.code).toBe(0);
  expect(lax.out).toMatch(/odd\.yaml:9:5: warning: actions\[0\]\.deploy\.kernal: .*kernel/);
  const strict = await cli(["check", "--strict", name]);
  expect(strict.code).toBe(1);
  expect(strict.out).toContain(": error: actions[0].deploy.kernal");
});

test("a warning is told beside an error, and what the error says is told once", async () => {
  const text = job().replace("    to: tftp", "    to: tftp\n    kernal: {url: x}");
  const name = file("both.yaml", text.replace("device_type", "device_tipe"));
  const { code, out } = await cli(["check", name]);
  expect(code).toBe(1);
  expect(out).toContain(": warning: actions[0].deploy.kernal");
  expect(out.match(/device_tipe: /g)).toHaveLength(1);
});

test("the example of the first job is checked without a word, and by --strict not", async () => {
  const example = path.resolve(import.meta.dirname, "../../docs/examples/qemu-smoke.yaml");
  const lax = await cli(["check", example]);
  expect([lax.code, lax.out]).toEqual([0, ""]);
  expect((await cli(["check", "--strict", example])).code).toBe(1);
});

test("--json prints an object per file, with both verdicts", async () => {
  const good = file("good.yaml", job());
  const odd = file("odd.yaml", job().replace("    to: tftp", "    to: tftp\n    kernal: {url: x}"));
  const bad = file("bad.yaml", "job_name: [");
  const { code, reports: found } = await reports(good, odd, bad);
  expect(code).toBe(1);
  expect(found.map(({ file: name, kind, verdict }) => [name, kind, verdict])).toEqual([
    [good, "job", { submission: "ok", strict: "ok" }],
    [odd, "job", { submission: "ok", strict: "invalid" }],
    [bad, "job", { submission: "invalid", strict: "invalid" }],
  ]);
  expect(found[0]?.errors).toEqual([]);
  expect(found[1]?.errors[0]).toMatchObject({
    path: "actions[0].deploy.kernal",
    line: 9,
    column: 5,
  });
});

describe("device dictionaries", () => {
  test("one that renders to a device is well", async () => {
    const name = file("devices/bbb-01.jinja2", "{% extends 'beaglebone-black.jinja2' %}\n");
    const { code, reports: found } = await reports(name);
    expect(code).toBe(0);
    expect(found).toMatchObject([{ kind: "device", verdict: { submission: "ok", strict: "ok" } }]);
  });

  test("a misspelt variable is a warning with the nearest name", async () => {
    const text =
      "{% extends 'beaglebone-black.jinja2' %}\n{% set conection_command = 'telnet lab 7001' %}\n";
    const name = file("devices/bbb-02.jinja2", text);
    const { code, out } = await cli(["check", name]);
    expect(code).toBe(0);
    expect(out).toMatch(/bbb-02\.jinja2:2:\d+: warning: .*conection_command.*connection_command/);
  });

  test("a type that there is not is an error at the line that extends it", async () => {
    const name = file("devices/x-01.jinja2", "{# mine #}\n{% extends 'beaglebone.jinja2' %}\n");
    const { code, out } = await cli(["check", name]);
    expect(code).toBe(1);
    expect(out).toMatch(/x-01\.jinja2:2:\d+: error: .*beaglebone\.jinja2/);
  });

  test("a type of one's own is found in the folder that is named, and checked as one", async () => {
    const type = file(
      "device-types/my-board.jinja2",
      "{% extends 'base-uboot.jinja2' %}\n{% set console_device = 'ttyS9' %}\n",
    );
    const device = file("devices/my-01.jinja2", "{% extends 'my-board.jinja2' %}\n");
    const { code, reports: found } = await reports("--templates", path.dirname(type), type, device);
    expect(code).toBe(0);
    expect(found.map(({ kind }) => kind)).toEqual(["device-type", "device"]);
  });

  test("one that gives a device what LAVA's server would refuse fails the strict verdict only", async () => {
    const text =
      "{% extends 'beaglebone-black.jinja2' %}\n{% block body %}\n{{ super() }}\nflux: 1\n{% endblock %}\n";
    const { reports: found } = await reports(file("devices/flux.jinja2", text));
    expect(found[0]?.verdict).toEqual({ submission: "ok", strict: "invalid" });
    expect(found[0]?.errors[0]?.message).toContain("flux");
  });
});

describe("--device", () => {
  const device = () => file("devices/bbb-01.jinja2", "{% extends 'beaglebone-black.jinja2' %}\n");

  test("says which strategy takes each action, and which were not asked for", async () => {
    const { code, out } = await cli(["check", "--device", device(), file("good.yaml", job())]);
    expect(code).toBe(0);
    expect(out).toContain("actions[0].deploy\n  tftp: accepts\n");
    expect(out).toMatch(/not asked for \(the deploy method is tftp\): .*fastboot.*tmpfs/);
    expect(out).toContain("actions[1].boot\n  u-boot: accepts\n");
  });

  test("says why nobody takes an action, and that makes the job invalid", async () => {
    const text = job("", "method: depthcharge\n    commands: nfs");
    const { code, out } = await cli(["check", "--device", device(), file("dpch.yaml", text)]);
    expect(code).toBe(1);
    expect(out).toMatch(
      /depthcharge: no: the device has no actions\.boot\.methods\.depthcharge \(.*u-boot/,
    );
  });

  test("says which command sets there are when the job names another", async () => {
    const text = job("", "method: u-boot\n    commands: ramdsk");
    const { out } = await cli(["check", "--device", device(), file("set.yaml", text)]);
    expect(out).toMatch(/u-boot: no: .*no commands ramdsk \(it has .*\); did you mean ramdisk\?/);
  });

  test("renders the dictionary with the job's context", async () => {
    const qemu = file("devices/qemu-01.jinja2", "{% extends 'qemu.jinja2' %}\n");
    const text = job("context: {arch: arm64}\n", "method: qemu").replace("to: tftp", "to: tmpfs");
    const { reports: found } = await reports("--device", qemu, file("qemu.yaml", text));
    expect(found[0]?.strategies?.map(({ strategies: all }) => all[0])).toMatchObject([
      { name: "tmpfs", accepts: true },
      { name: "qemu", accepts: true },
    ]);
  });
});

test("a file that is not there, or none at all, is a usage error", async () => {
  expect(await cli(["check"])).toMatchObject({ code: 2 });
  const missing = await cli(["check", path.join(dir, "nothing.yaml")]);
  expect(missing.code).toBe(2);
  expect(missing.said).toContain("nothing.yaml");
});

const corpus = path.resolve(import.meta.dirname, "../../../shared/corpus");
describe.skipIf(!existsSync(corpus))(
  "the corpus (skipped when ../shared is absent: it is not part of this repository)",
  () => {
    test("every job gets LAVA's verdict at submission and from the strict schema", async () => {
      const folder = path.join(corpus, "jobs");
      const verdicts = JSON.parse(
        readFileSync(path.join(folder, "verdicts.json"), "utf8"),
      ) as Record<string, { submit: string; strict: string }>;
      const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
      const { reports: found } = await reports(...files.map((name) => path.join(folder, name)));
      const told = (word: string | undefined) => (word === "ok" ? "ok" : "invalid");
      const differing = found.filter(({ file: name, verdict }) => {
        const lava = verdicts[path.basename(name)];
        return verdict.submission !== told(lava?.submit) || verdict.strict !== told(lava?.strict);
      });
      console.log(
        `jobs judged as LAVA judges: ${files.length - differing.length} of ${files.length}`,
      );
      expect(differing.map(({ file: name, verdict }) => [path.basename(name), verdict])).toEqual(
        [],
      );
    });

    test("every dictionary is well", async () => {
      const folder = path.join(corpus, "devices");
      const files = readdirSync(folder).filter((name) => name.endsWith(".jinja2"));
      const { reports: found } = await reports(...files.map((name) => path.join(folder, name)));
      expect(found.filter(({ verdict }) => verdict.submission !== "ok")).toEqual([]);
    });
  },
);
