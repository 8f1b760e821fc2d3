import { describe, expect, test } from "vitest";
import { checkJob, validateJob } from "#protocol/check-job.ts";

const job = (actions: string, more = "") => `job_name: a job
device_type: qemu
visibility: public
timeouts: {job: {minutes: 10}}
${more}actions:
${actions}`;

const problemsOf = (text: string, strength: "lenient" | "strict" = "strict"): string[] =>
  validateJob(text, strength).problems.map(
    ({ line, path, message }) => `${line} ${path}: ${message}`,
  );

describe("the full schema", () => {
  test("tells of a block what is wrong with its own method", () => {
    expect(problemsOf(job("- deploy: {to: tmpfs, images: {a: {url: x, size: 1}}}"))).toEqual([
      '6 actions[0].deploy.images.a.size: unknown key "size"; expected one of url, headers, compression, archive, md5sum, sha256sum, sha512sum, use_cache, image_arg',
    ]);
    expect(problemsOf(job("- deploy: {to: tftpd}"))).toEqual([
      expect.stringMatching(/^6 actions\[0\]\.deploy\.to: .*did you mean tftp\?.*"tftpd"$/),
    ]);
    expect(problemsOf(job("- boot: {method: u-boot, comands: [a]}"))).toEqual([
      '6 actions[0].boot.commands: the key "commands" is missing',
      '6 actions[0].boot.comands: unknown key "comands"; did you mean commands?',
    ]);
    expect(problemsOf(job("- boot: {commands: [a]}"))).toEqual([
      '6 actions[0].boot.method: the key "method" is missing',
    ]);
  });

  test("tells of a choice what is wrong with the one that was meant", () => {
    const boot = (login: string) =>
      job(`- boot: {method: minimal, auto_login: {login_prompt: 'a:', username: root, ${login}}}`);
    expect(problemsOf(boot("password: x"))).toEqual([
      '6 actions[0].boot.auto_login.password_prompt: the key "password_prompt" is missing',
    ]);
    const image = "{url: x, overlays: {lava: 1}}";
    expect(problemsOf(job(`- deploy: {to: tmpfs, images: {a: ${image}}}`))).toEqual([
      '6 actions[0].deploy.images.a.format: the key "format" is missing',
      "6 actions[0].deploy.images.a.overlays.lava: expected true or false, found 1",
    ]);
  });

  test("allows unknown keys when it is lenient, but in the context", () => {
    const text = job("- boot: {method: minimal, nonsense: 1}", "context: {nonsense: 1}\n");
    expect(problemsOf(text, "lenient")).toEqual([
      expect.stringMatching(/^5 context\.nonsense: unknown key/),
    ]);
    expect(problemsOf(text, "strict")).toHaveLength(2);
  });

  test("takes one unit of a time-out, and several when it is lenient", () => {
    const text = job("- boot: {method: minimal, timeout: {minutes: 1, seconds: 5}}");
    expect(problemsOf(text, "lenient")).toEqual([]);
    expect(problemsOf(text, "strict")).toEqual([
      "6 actions[0].boot.timeout: expected one of days, hours, minutes, seconds, a number of at least 1, and only one",
    ]);
  });

  test.each([
    ["a number where true stands", "failure_retry: yes", []],
    ["a number with a fraction", "failure_retry: 1.5", []],
    [
      "no false where a 1 is the least",
      "failure_retry: off",
      ["6 actions[0].boot.failure_retry: expected a number of at least 1, found false"],
    ],
  ])("has Python's numbers: it takes %s", (_, key, expected) => {
    expect(problemsOf(job(`- boot: {method: minimal, ${key}}`))).toEqual(expected);
  });

  test("has rules between keys", () => {
    const late = problemsOf(job("- boot: {method: minimal, timeout: {minutes: 11}}"));
    expect(late).toEqual([
      "6 actions[0].boot.timeout: it is longer than the whole job's time-out of 600 s",
    ]);
    const apart = problemsOf(job("- boot: {method: minimal, namespace: a}\n- boot: {method: dfu}"));
    expect(apart).toEqual([
      '7 actions[1].boot.namespace: the key "namespace" is missing: when one action has a namespace, all must',
    ]);
    const both = "nfsrootfs: {url: x}, persistent_nfs: {address: y}";
    expect(problemsOf(job(`- deploy: {to: tftp, ${both}}`))).toEqual([
      "6 actions[0].deploy.persistent_nfs: it can't stand beside nfsrootfs: expected one of them",
    ]);
  });

  test("wants of a multinode job that its roles have what else the job has", () => {
    const roles = "{a: {device_type: qemu, count: 1}}";
    const text = job(
      "- boot: {method: minimal}",
      `protocols: {lava-multinode: {roles: ${roles}}}\n`,
    );
    expect(problemsOf(text)).toEqual([
      "2 device_type: in a multinode job this belongs to the roles: move it there",
      '7 actions[0].boot.role: the key "role" is missing: in a multinode job every action names its roles',
    ]);
    expect(problemsOf(job("- boot: {method: dfu}").replace(/^device_type.*\n/m, ""))).toEqual([
      '1 device_type: the key "device_type" is missing',
    ]);
  });

  test("reads no text that is no YAML, and says so", () => {
    expect(validateJob("a: [", "lenient")).toMatchObject({ verdict: "invalid" });
  });

  test("is quick with a text made to keep it busy", () => {
    const name = `${"a:".repeat(100_000)}!`;
    const { problems } = validateJob(job(`- deploy: {to: docker, image: "${name}"}`), "strict");
    expect(problems).toHaveLength(1);
  });
});

describe("a submission", () => {
  test("is let in with the strict schema's findings as warnings", () => {
    const text = job("- boot: {method: minimal, timeout: {minutes: 11}, nonsense: 1}");
    const { definition, problems, warnings, strict } = checkJob(text);
    expect(problems).toEqual([]);
    expect(definition?.actions).toHaveLength(1);
    expect(warnings).toMatchObject([
      { path: "actions[0].boot.timeout", line: 6, column: 27 },
      { path: "actions[0].boot.nonsense", line: 6, column: 51 },
    ]);
    expect(strict).toEqual(warnings);
  });

  test("that the gate refuses has problems only", () => {
    const { problems, warnings, strict } = checkJob(job("- boot: {method: minimal}", "a: 1\n"));
    expect({ problems: problems.length, warnings }).toEqual({ problems: 1, warnings: [] });
    expect(strict).toHaveLength(1);
  });

  const role = "device_type: qemu, count: 1";
  test.each([
    ["a host that is no role", `{a: {connection: ssh, count: 1, host_role: b, expect_role: a}}`],
    ["a host and nobody to expect", `{a: {${role}, host_role: b}, b: {${role}}}`],
    ["a connection to nobody", `{a: {connection: ssh, count: 1}}`],
    [
      "a connection and a device type",
      `{a: {connection: ssh, ${role}, host_role: b, expect_role: b}, b: {${role}}}`,
    ],
    ["a worker without a device type", `{a: {worker: w, count: 1}}`],
    ["a device for two", `{a: {device_type: qemu, device: d, count: 2}}`],
    [
      "a host that is two",
      `{a: {connection: ssh, count: 1, host_role: b, expect_role: b}, b: {device_type: q, count: 2}}`,
    ],
    ["a role that is a word", `{a: b}`],
  ])("of a multinode job with %s is refused", (_, roles) => {
    const multinode = `protocols: {lava-multinode: {roles: ${roles}}}\n`;
    const { problems } = checkJob(job("- boot: {method: minimal, role: [a]}", multinode));
    expect(problems.map(({ path }) => path)).toEqual([
      expect.stringMatching(/^protocols\.lava-multinode\.roles\.[ab]/),
    ]);
  });
});

describe("a key of our own", () => {
  const boot = "- boot: {method: minimal, prompts: ['# ']}";

  test("is let in, and the strict schema says that LAVA refuses it", () => {
    const { definition, problems, warnings } = checkJob(job(boot, "retry_on: infrastructure\n"));
    expect(problems).toEqual([]);
    expect(definition?.retry_on).toBe("infrastructure");
    expect(warnings).toMatchObject([
      { path: "retry_on", message: expect.stringContaining("LAVA refuses") },
    ]);
    expect(problemsOf(job(boot, "retry_on: never\n"), "lenient")).toEqual([]);
  });

  test("with another value is refused", () => {
    const { problems } = checkJob(job(boot, "retry_on: always\n"));
    expect(problems).toMatchObject([
      { path: "retry_on", message: expect.stringContaining("infrastructure, never") },
    ]);
  });
});

test("of what LAVA takes though its strict schema does not know it, nothing is said", () => {
  const inline = `- test:
    definitions:
    - from: inline
      name: a
      path: a
      parameters: {GREETING: hello}
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: a}
        run: {steps: [a]}
`;
  const { problems, warnings, strict } = checkJob(job(inline));
  expect([problems, warnings]).toEqual([[], []]);
  expect(strict).toMatchObject([{ path: "actions[0].test.definitions[0].parameters" }]);
  // What is mistyped still is.
  expect(checkJob(job(inline.replace("parameters", "paramters"))).warnings).toHaveLength(1);
});
