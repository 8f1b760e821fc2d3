import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { start } from "./podman.ts";

const folder = mkdtempSync(path.join(tmpdir(), "pumice-fvp-"));
const bed = await start(folder, () => {}).catch((error: Error): undefined => {
  console.warn(`skipped: no container can run on this machine: ${error.message.split("\n")[0]}`);
});

/**
 * In the place of a model, which nobody may hand on: it prints what a model prints and has two consoles on TCP. Container,
 * telnet and shell around it are real.
 */
const MODEL = `#!/bin/sh
if [ "$1" = --version ]; then echo; echo "ARM V8 Foundation Platformr0p0 [11.8.21]"; exit; fi
for word; do
  case $word in
  --data=*) file=\${word#--data=}; file=\${file%@*}; [ -s "$file" ] || { echo "ERROR: cannot open $file"; exit 1; };;
  esac
done
nc -ll -p 5001 -e /opt/model/secure &
nc -ll -p 5000 -e /opt/model/linux &
sleep 1
echo "terminal_0: Listening for serial connection on port 5000"
echo "terminal_1: Listening for serial connection on port 5001"
wait
`;
const LINUX = `#!/bin/sh
# As a DUT that waits for its reader: the kernel speaks once the other console was heard.
while [ ! -e /tmp/heard ]; do sleep 0.1; done
sleep 0.3
echo "Linux version 6.1 (fvp)"
cd; export PS1='root@fvp:~# '
exec sh -i 2>&1
`;
const SECURE = `#!/bin/sh
echo "NOTICE:  BL31: v2.10"
touch /tmp/heard
exec sleep 3600
`;

const model = path.join(folder, "model");
mkdirSync(model);
for (const [name, text] of Object.entries({
  Foundation_Platform: MODEL,
  linux: LINUX,
  secure: SECURE,
})) {
  writeFileSync(path.join(model, name), text, { mode: 0o755 });
}
const files = path.join(folder, "files");
mkdirSync(files);
for (const name of ["bl1.bin", "Image"]) writeFileSync(path.join(files, name), name);
bed?.client("tag", "debian:12", "foundation:11.8");

beforeEach(() => vi.stubEnv("PATH", `${bed?.bin}:${process.env["PATH"]}`));
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  await bed?.close();
  rmSync(folder, { recursive: true, force: true });
});

const run = (change: (job: string) => string = (job) => job): Promise<BedRan> => {
  const page = methodPage("boot-fvp");
  return runOnBed({
    job: change(page.job.replaceAll("http://files.example.com", `file://${files}`)),
    dictionary: `${page.dictionary}{% set fvp_docker_cpus = 0.0 %}
{% set fvp_docker_volumes = ['${model}:/opt/model:ro'] %}
`,
    dispatcher: { container_client: "podman", dispatcher_ip: "127.0.0.1" },
  });
};
const containers = (): string => bed?.client("ps", "--all", "--format", "{{.Names}}").trim() ?? "";

describe.skipIf(!bed)("a model in a container", () => {
  test("is logged in to through telnet, its other console is feedback, and it is gone afterwards", async () => {
    const { outcome, text, records, results } = await run();
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(results).toContainEqual(
      expect.objectContaining({ case: "fvp-version", result: "pass" }),
    );
    expect(records.find(({ msg }) => String(msg).includes("BL31: v2.10"))).toMatchObject({
      lvl: "feedback",
      ns: "terminal_1",
    });
    expect(containers()).toBe("");
  });

  test("runs commands in a shell of its own, whose output monitors read", async () => {
    const { outcome, text, results } = await run((job) =>
      job.replace(
        / {6}prompts:.*\n/,
        `      commands: ['echo TESTS BEGIN', 'grep -q Linux /opt/model/linux && echo TEST kernel PASSED', 'echo TESTS END']
  - test:
      timeout: {minutes: 1}
      monitors:
        - {name: tests, start: TESTS BEGIN, end: TESTS END, pattern: 'TEST (?P<test_case_id>\\w+) (?P<result>PASSED)', fixupdict: {PASSED: pass}}
`,
      ),
    );
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(results).toContainEqual(expect.objectContaining({ case: "kernel", result: "pass" }));
    expect(containers()).toBe("");
  });

  test("that can't find its files fails the job with what it says", async () => {
    const { outcome, text } = await run((job) => job.replace("{BL1}@0x0", "{NOTHING}@0x0"));
    expect(outcome).toMatchObject({ error_type: "Infrastructure" });
    expect(text).toMatch(/target ERROR: cannot open \{NOTHING\}/);
    expect(containers()).toBe("");
  });
});
