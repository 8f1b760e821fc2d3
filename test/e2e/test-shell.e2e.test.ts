import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ResultView } from "#protocol/api.ts";
import { exampleJob, realLab, type RealLab } from "../support/real-lab.ts";

let lab: RealLab;
let dir: string;
let server: Server;
let origin: string;
beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-sources-"));
  server = createServer((request, response) => {
    if (request.url === "/tests.tar.gz") response.end(readFileSync(path.join(dir, "tests.tar.gz")));
    else response.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  lab = await realLab();
});
afterAll(async () => {
  await lab.close();
  server.close();
  rmSync(dir, { recursive: true, force: true });
});

const definitionFile = (name: string, steps: string[], more = ""): string => `metadata:
  format: Lava-Test Test Definition 1.0
  name: ${name}
${more}run:
  steps:
${steps.map((step) => `  - ${JSON.stringify(step)}`).join("\n")}
`;

const git = (...args: string[]): string =>
  execFileSync("git", ["-C", path.join(dir, "repository"), ...args], { encoding: "utf8" }).trim();

function makeRepository(): string {
  const repository = path.join(dir, "repository");
  mkdirSync(path.join(repository, "automated"), { recursive: true });
  const steps = [
    'lava-test-case from-git --shell test "$GREETING" = "it\'s me"',
    "lava-test-case beside --shell test -e data.txt",
    "lava-test-reference ref --result pass --reference http://example.com/bug/1",
    "lava-test-set start group",
    "lava-test-case grouped --result skip",
    "lava-test-set stop",
    "lava-test-case measured --result pass --measurement 2.50 --units MB/s",
    "lava-test-event something-happened",
    "lava-test-feedback --namespace nowhere",
    "lava-background-process-start ticker --cmd sleep 100",
    'lava-test-case in-background --shell test -s "$LAVA_RESULT_DIR/results/ticker/pid"',
    "lava-background-process-stop ticker",
    'lava-test-case own-id --shell test "$(lava-self)" = "$LAVA_JOB_ID"',
    "echo words > /tmp/words; lava-test-case with-output --result pass --output /tmp/words",
  ];
  writeFileSync(
    path.join(repository, "automated/git.yaml"),
    definitionFile("git", steps, "params: {GREETING: hello}\n"),
  );
  writeFileSync(path.join(repository, "data.txt"), "data");
  execFileSync("git", ["init", "-q", repository]);
  git("add", ".");
  git("-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-qm", "tests");
  return repository;
}

function makeArchive(): void {
  const folder = path.join(dir, "archive/top");
  mkdirSync(folder, { recursive: true });
  const install = 'install:\n  steps: ["echo installed > /tmp/installed"]\n';
  const steps = [
    "lava-test-case from-url --shell grep -q installed /tmp/installed",
    "echo case-a; echo 'case-b: ok'",
  ];
  const parse =
    "parse:\n  pattern: '^(?P<test_case_id>case-\\w+): (?P<result>\\w+)'\n  fixupdict: {ok: pass}\n";
  writeFileSync(path.join(folder, "url.yaml"), definitionFile("url", steps, install + parse));
  execFileSync("tar", [
    "-C",
    path.join(dir, "archive"),
    "-czf",
    path.join(dir, "tests.tar.gz"),
    "top",
  ]);
}

/** The smoke job with other tests. */
function jobWith(...tests: string[]): string {
  const smoke = exampleJob("qemu-smoke.yaml");
  return smoke.slice(0, smoke.indexOf("- test:")) + tests.join("");
}

describe("the test shell in a real guest", () => {
  test("takes definitions from git and from an archive, and reports all that helpers say", async () => {
    const repository = makeRepository();
    makeArchive();
    const id = await lab.submit(
      jobWith(`- test:
    definitions:
    - {from: git, repository: "file://${repository}", path: automated/git.yaml, name: git-tests, parameters: {GREETING: "it's me"}}
    - {from: url, repository: "${origin}/tests.tar.gz", path: url.yaml, name: url-tests, compression: gz, strip-components: 1}
`),
    );
    const job = await lab.finished(id);
    expect(job.health, job.error_msg).toBe("Complete");
    const results = await lab.results(id);
    const find = (suite: string, name: string): ResultView | undefined =>
      results.find((result) => result.suite === suite && result.name === name);
    const passed = results
      .filter(({ suite, result }) => suite !== "lava" && result === "pass")
      .map(({ suite, name }) => `${suite} ${name}`);
    expect(passed).toEqual([
      "0_git-tests from-git",
      "0_git-tests beside",
      "0_git-tests ref",
      "0_git-tests measured",
      "0_git-tests in-background",
      "0_git-tests own-id",
      "0_git-tests with-output",
      "1_url-tests from-url",
      "1_url-tests case-b",
    ]);
    expect(find("0_git-tests", "ref")?.reference).toBe("http://example.com/bug/1");
    expect(find("0_git-tests", "grouped")).toMatchObject({ result: "skip", set: "group" });
    expect(find("0_git-tests", "measured")).toMatchObject({ measurement: 2.5, units: "MB/s" });
    expect(find("lava", "0_git-tests")?.metadata["commit_id"]).toBe(git("rev-parse", "HEAD"));
    const log = await lab.follow(id);
    expect(log.some(({ lvl, msg }) => lvl === "event" && msg === "something-happened")).toBe(true);
    const output = find("0_git-tests", "with-output");
    const lines = log.slice(output?.log_start_line, (output?.log_end_line ?? 0) + 1);
    expect(lines.some(({ msg }) => msg === "words")).toBe(true);
  });

  test("stops the job where a test raises, and says it is the test's fault", async () => {
    const inline = (name: string, step: string): string => `- test:
    definitions:
    - {from: inline, name: ${name}, path: x.yaml, repository: {metadata: {format: Lava-Test Test Definition 1.0, name: ${name}}, run: {steps: ["${step}"]}}}
`;
    const id = await lab.submit(
      jobWith(inline("first", "lava-test-raise no more cheese"), inline("second", "true")),
    );
    const job = await lab.finished(id);
    expect(job).toMatchObject({
      health: "Incomplete",
      error_type: "Test",
      error_msg: "no more cheese",
    });
    const log = await lab.follow(id);
    expect(
      log.some(({ lvl, msg }) => lvl === "target" && String(msg).includes("STARTRUN 1_second")),
    ).toBe(false);
  });
});
