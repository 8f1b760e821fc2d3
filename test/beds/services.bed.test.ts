import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeJobContainers } from "../../worker/drivers/container-leftovers.ts";
import { methodPage } from "../support/method-page.ts";
import { lacks } from "./container-bed.ts";
import { containerBench } from "./container-bench.ts";
import { startFileShelf, type FileShelf } from "./file-shelf.ts";

const benches = await Promise.all([containerBench("podman"), containerBench("docker")]);

/** Answers each question with what the job has in its environment. */
const COMPOSE = `services:
  web:
    image: debian:12
    init: true
    environment:
      GREETING: "\${GREETING} of \${LAVA_JOB_ID}"
    volumes: ["\${SHARED}:/shared"]
    command: sh -c 'while read -r name; do echo "$$GREETING, $$name" > /shared/answer; done <> /shared/question'
  never:
    image: not-here:1
`;

const ASK = `  - test:
      docker: {image: "debian:12", local: true}
      definitions:
        - name: asks
          from: inline
          path: inline/asks.yaml
          repository:
            metadata: {format: Lava-Test Test Definition 1.0, name: asks}
            run:
              steps:
                - echo board > /shared/question
                - read -r answer < /shared/answer
                - lava-test-case answer --shell test "$answer" = "it's on of 42, board"
`;

describe.each(benches)("a service by $name's compose", (bench) => {
  bench.use();
  const shared = path.join(bench.folder, "shared");
  const repository = path.join(bench.folder, "services");
  let shelf: FileShelf | undefined;
  beforeAll(async () => {
    mkdirSync(shared);
    for (const name of ["question", "answer"]) execFileSync("mkfifo", [path.join(shared, name)]);
    mkdirSync(path.join(repository, "echo"), { recursive: true });
    writeFileSync(path.join(repository, "echo/compose.yaml"), COMPOSE);
    const git = (...words: string[]): unknown =>
      execFileSync("git", [
        "-C",
        repository,
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@t",
        ...words,
      ]);
    git("init", "-q");
    git("add", ".");
    git("commit", "-q", "-m", "services");
    const archive = path.join(bench.folder, "services.tar.gz");
    execFileSync("tar", ["-C", bench.folder, "-czf", archive, "services/echo"]);
    shelf = await startFileShelf({ "services.tar.gz": archive });
  });
  afterAll(() => shelf?.close());

  const page = methodPage("test-services");
  const withTest = page.job
    .replace("GREETING:", `SHARED: ${shared}, GREETING:`)
    .replace("  - command:", `${ASK}  - command:`);
  const fromGit = withTest.replace(
    "https://git.example.com/lab/services.git",
    `file://${repository}`,
  );
  const dispatcher = { test_docker_bind_mounts: [[shared, "/shared", "rw"]] };
  const dictionary = page.dictionary;
  const networks = (): string => bench.bed().client("network", "ls", "--format", "{{.Name}}");
  const compose = `${bench.name}-compose`;
  const isWithout = lacks(compose);

  test.skipIf(isWithout)("answers a test, and is gone when the job says so", async () => {
    const before = networks();
    const ran = await bench.run({ job: fromGit, dictionary, dispatcher });
    expect(ran.outcome.result, ran.text).toBe("pass");
    expect(ran.results).toContainEqual(
      expect.objectContaining({ definition: "0_asks", case: "answer", result: "pass" }),
    );
    expect(networks()).toBe(before);
  });

  test.skipIf(isWithout)("comes from an archive, and goes with the job", async () => {
    const before = networks();
    const job = withTest
      .replace("from: git", "from: url\n          compression: gz\n          strip-components: 1")
      .replace("https://git.example.com/lab/services.git", `${shelf?.url}services.tar.gz`)
      .replace(/ {2}- command:[^]*/, "");
    const ran = await bench.run({ job, dictionary, dispatcher });
    expect(ran.outcome.result, ran.text).toBe("pass");
    expect(networks()).toBe(before);
  });

  test.skipIf(isWithout)("that does not start is the lab's fault", async () => {
    const before = networks();
    const job = fromGit.replace("service: web", "service: never");
    const ran = await bench.run({ job, dictionary, dispatcher });
    expect(ran.outcome, ran.text).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(ran.outcome.error_msg).toMatch(/^'\S+-compose .* up --detach never' failed: exit code/);
    expect(networks()).toBe(before);
  });

  test.skipIf(isWithout)("of a killed runner goes with its containers", async () => {
    const scratch = path.join(bench.folder, "jobs/1/scratch");
    for (const job of [1, 11]) {
      const at = path.join(bench.folder, `jobs/${job}/scratch/services`);
      mkdirSync(at, { recursive: true });
      const file = path.join(at, "compose.yaml");
      writeFileSync(file, "services: {web: {image: 'debian:12', command: sleep 1000}}\n");
      execFileSync(compose, ["--project-name", `lava-${job}`, "--file", file, "up", "--detach"], {
        stdio: "ignore",
      });
    }
    const before = bench.containers();
    expect(before.split("\n")).toHaveLength(2);
    await removeJobContainers(scratch, () => {});
    expect(bench.containers()).toMatch(/^lava-11[_-]web[_-]1$/);
    await removeJobContainers(path.join(bench.folder, "jobs/11/scratch"), () => {});
    expect(bench.containers()).toBe("");
    expect(networks()).not.toContain("lava-");
  });
});
