import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sha256 } from "../../infra/code-bucket.ts";
import { startFakeCloud, type FakeCloud } from "../support/infra/fake-cloud.ts";
import { freePort } from "../support/loopback-ports.ts";
import { askedInfra, infraProgram } from "../support/infra/infra-run.ts";

let cloud: FakeCloud;
let folder: string;
beforeEach(async () => {
  cloud = await startFakeCloud();
  folder = mkdtempSync(path.join(tmpdir(), "pumice-infra-"));
  for (const [name, value] of Object.entries(cloud.env)) vi.stubEnv(name, value);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await cloud.close();
  rmSync(folder, { recursive: true });
});

const tokenFile = () => path.join(folder, "admin-token");

/** Options of a deploy of this code. */
function ofCode(code: string): string[] {
  const zip = path.join(folder, "lambda.zip");
  writeFileSync(zip, code);
  return ["--zip", zip, "--token-file", tokenFile(), "--poll", "0.01"];
}
const deploy = (code: string, ...more: string[]) =>
  askedInfra(["deploy", ...ofCode(code), "--yes", ...more]);
const quick = ["--poll", "0.01"];

const deployed = () => cloud.stacks.stacks.get("pumice");

describe("the first deploy", () => {
  test("makes a bucket for code, uploads it, makes the lab, and says where it is", async () => {
    const args = ["deploy", ...ofCode("first"), "--yes"];
    const run = await infraProgram(args, cloud.env, folder);
    expect(run.said).toContain("first a bucket for code (pumice-code)");
    expect(run.out).toContain("+ Table (DynamoDB::Table)\n");
    expect(run.said).toContain("LAVA's event stream: wss://events.pumice.example/ws\n");
    expect(run.out).toMatch(/\n59 to add\nDeployed: https:\/\/pumice\.example\n$/);
    expect(run.code).toBe(0);
    const key = `code/${sha256("first").slice(0, 32)}.zip`;
    expect(cloud.objects.get(`pumice-code-bucket/${key}`)).toBe("first");
    expect(deployed()).toMatchObject({
      status: "CREATE_COMPLETE",
      isProtected: true,
      parameters: { CodeBucket: "pumice-code-bucket", CodeKey: key, RetentionDays: "90" },
    });
  });

  test("leaves the first token in a private file, and only its hash in AWS", async () => {
    const run = await deploy("first");
    const token = readFileSync(tokenFile(), "utf8").trim();
    expect(statSync(tokenFile()).mode & 0o777).toBe(0o600);
    const [, id] = /^pumice_([0-9a-f]{16})_[\w-]{43}$/.exec(token) ?? [];
    expect(deployed()?.parameters["FirstAdmin"]).toBe(`${id}:${sha256(token)}`);
    expect(run.said).toContain(tokenFile());
    const known = run.out + run.said + [...cloud.objects.values()].join("\n");
    expect(known).not.toContain(token);
  });

  test("is not begun while a token is in the way that may be another lab's", async () => {
    writeFileSync(tokenFile(), "another lab's\n");
    const run = await deploy("first");
    expect(run.code).toBe(1);
    expect(run.said).toContain("is there already: it may be the token of another lab");
    expect(readFileSync(tokenFile(), "utf8")).toBe("another lab's\n");
    expect(deployed()).toBeUndefined();
  });

  test("that fails says which resource and why, and leaves no token", async () => {
    cloud.stacks.failing = { name: "Http", reason: "Runtime nodejs24.x is not offered here" };
    const run = await deploy("first");
    expect(run.code).toBe(1);
    expect(run.said).toContain(
      "stack pumice ended as ROLLBACK_COMPLETE\n  Http (AWS::Lambda::Function): Runtime nodejs24.x is not offered here\n",
    );
    expect(run.said).not.toMatch(/Other.*cancelled\n$/);
    expect(existsSync(tokenFile())).toBe(false);
  });

  test("after one that failed explains what is left, removes it and goes on", async () => {
    cloud.stacks.failing = { name: "Http", reason: "no" };
    await deploy("first");
    cloud.stacks.failing = undefined;
    const refused = await askedInfra(["deploy", ...ofCode("first")], ["n"]);
    expect([refused.code, refused.questions]).toEqual([1, ["Remove it? [y/N] "]]);
    const run = await deploy("first");
    expect(run.said).toContain("is what a creation left that failed (ROLLBACK_COMPLETE)");
    expect(run.code).toBe(0);
  });
});

describe("a deploy", () => {
  test("of the same has nothing to do", async () => {
    await deploy("first");
    const run = await deploy("first");
    expect([run.code, run.out]).toEqual([
      0,
      "Nothing to do: https://pumice.example is up to date.\n",
    ]);
  });

  test("of other code changes all functions, and prints JSON for programs", async () => {
    await deploy("first");
    const run = await infraProgram(
      ["deploy", ...ofCode("second"), "--yes", "--json"],
      cloud.env,
      folder,
    );
    expect(run.code).toBe(0);
    const { changes, ...result } = JSON.parse(run.out) as { changes: object[] };
    expect(result).toMatchObject({
      stack: "pumice",
      region: "eu-west-1",
      outcome: "done",
      url: "https://pumice.example",
    });
    expect(changes).toEqual(
      ["Http", "Schedule", "Tick", "Events"].map((name) => ({
        action: "Modify",
        name,
        type: "AWS::Lambda::Function",
        replaced: "no",
        properties: ["Code"],
      })),
    );
  });

  test("asks before anything is changed", async () => {
    await deploy("first");
    const before = [...cloud.objects.keys()];
    const run = await askedInfra(["deploy", ...ofCode("second")], ["n"]);
    expect([run.code, run.questions]).toEqual([1, ["Deploy? [y/N] "]]);
    expect(run.out).toContain("4 to change");
    expect([...cloud.objects.keys()]).toEqual(before);
    const agreed = await askedInfra(["deploy", ...ofCode("second")], ["y"]);
    expect(agreed.code).toBe(0);
  });

  test("without a person and without --yes begins nothing", async () => {
    const run = await infraProgram(["deploy", ...ofCode("first")], cloud.env, folder);
    expect([run.code, run.out]).toEqual([2, ""]);
    expect(run.said).toContain("there is nobody to ask: give --yes");
    expect(cloud.stacks.stacks.size).toBe(0);
  });

  test("that fails tells why, and that AWS has put everything back", async () => {
    await deploy("first");
    cloud.stacks.failing = { name: "Tick", reason: "Zip is broken" };
    const run = await deploy("second");
    expect(run.code).toBe(1);
    expect(run.said).toContain(
      "ended as UPDATE_ROLLBACK_COMPLETE: AWS has put everything back as it was\n  Tick (AWS::Lambda::Function): Zip is broken\n",
    );
  });

  test("keeps parameters that were set before, and refuses those that are not there", async () => {
    await deploy("first", "--parameter", "RetentionDays=30");
    await deploy("second", "--parameter", "LogDays=7");
    expect(deployed()?.parameters).toMatchObject({ RetentionDays: "30", LogDays: "7" });
    const unknown = await deploy("second", "--parameter", "RetentionDay=7");
    expect([unknown.code, unknown.said]).toEqual([
      2,
      expect.stringContaining("no such parameter; did you mean RetentionDays?"),
    ]);
    const ours = await deploy("second", "--parameter", "CodeKey=x");
    expect(ours.said).toContain("deploy sets that itself");
  });

  test("that would begin with an empty table is refused unless it is asked for", async () => {
    await deploy("first");
    cloud.stacks.replacing = "Table";
    const run = await deploy("first");
    expect(run.code).toBe(1);
    expect(run.out).toContain("± Table (DynamoDB::Table) made anew\n1 to make anew");
    expect(run.said).toContain("warning: Table (AWS::DynamoDB::Table) has the lab's data");
    expect((await deploy("first", "--replace-data")).code).toBe(0);
  });

  test("while another goes on is refused", async () => {
    await deploy("first");
    deployed()!.status = "UPDATE_IN_PROGRESS";
    const run = await deploy("second");
    expect([run.code, run.said]).toEqual([
      1,
      expect.stringContaining("is being changed (UPDATE_IN_PROGRESS): wait"),
    ]);
  });
});

describe("diff", () => {
  const diff = (code: string) => askedInfra(["diff", ...ofCode(code)]);

  test("exits with 1 and the changes, and leaves nothing behind", async () => {
    const first = await diff("first");
    expect([first.code, first.out]).toEqual([1, expect.stringContaining("59 to add")]);
    expect([cloud.stacks.stacks.size, cloud.objects.size]).toEqual([0, 0]);
    await deploy("first");
    const second = await diff("second");
    expect([second.code, second.out]).toEqual([
      1,
      expect.stringContaining("~ Http (Lambda::Function): Code\n"),
    ]);
  });

  test("exits with 0 when there is nothing, 2 when it can't be told", async () => {
    await deploy("first");
    const run = await diff("first");
    expect([run.code, run.out]).toEqual([0, "Nothing to do.\n"]);
    deployed()!.status = "ROLLBACK_COMPLETE";
    expect((await diff("first")).code).toBe(2);
  });
});

describe("rollback", () => {
  const rollback = (...more: string[]) => askedInfra(["rollback", "--yes", ...quick, ...more]);

  test("brings the release before back, and the one before that the next time", async () => {
    const keys: (string | undefined)[] = [];
    for (const code of ["first", "second", "third"]) {
      await deploy(code);
      keys.push(deployed()?.parameters["CodeKey"]);
    }
    const run = await rollback();
    expect([run.code, run.out]).toEqual([0, expect.stringContaining("Rolled back to 0.1.0-")]);
    expect(deployed()?.parameters["CodeKey"]).toBe(keys[1]);
    await rollback();
    expect(deployed()?.parameters["CodeKey"]).toBe(keys[0]);
    const last = await rollback();
    expect([last.code, last.said]).toEqual([
      2,
      expect.stringContaining("nothing is known to have been there before"),
    ]);
  });

  test("goes to a release by name, with the parameters of now", async () => {
    await deploy("first");
    const release = deployed()?.parameters["Release"] ?? "";
    await deploy("second");
    await deploy("third", "--parameter", "LogDays=7");
    expect((await rollback("--to", release)).code).toBe(0);
    expect(deployed()?.parameters).toMatchObject({ Release: release, LogDays: "7" });
    const unknown = await rollback("--to", "0.0.9");
    expect([unknown.code, unknown.said]).toEqual([
      2,
      expect.stringContaining("--to 0.0.9: no such release; releases of pumice:\n"),
    ]);
  });
});

describe("destroy", () => {
  const destroy = (...more: string[]) =>
    askedInfra(["destroy", "--yes", "--stack", "pumice", ...quick, ...more]);
  const bucket = "pumice-123456789012-eu-west-1";
  const queue = (name: string) => `${cloud.env["AWS_ENDPOINT_URL"]}/123456789012/${name}`;
  const theirs = () => [queue(`pumice-w-x-w-${"a".repeat(32)}`), queue("pumice-w-no")];

  beforeEach(async () => {
    await deploy("first");
    cloud.tables.set("pumice", true);
    cloud.objects.set(`${bucket}/jobs/1/definition.yaml`, "job");
    for (const url of [queue(`pumice-w-${"a".repeat(32)}`), ...theirs()]) cloud.queues.add(url);
  });

  test("removes stack, table, blobs and workers' queues, and nobody else's", async () => {
    const run = await destroy();
    expect(run.said).toContain(`with ALL ITS DATA: table pumice, bucket ${bucket}.`);
    expect([run.code, run.out]).toEqual([0, "Removed: pumice\n"]);
    expect(deployed()).toBeUndefined();
    expect([cloud.tables.size, cloud.deletedBuckets]).toEqual([0, [bucket]]);
    expect([...cloud.queues]).toEqual(theirs());
  });

  test("--keep-data leaves table and blobs, and the next deploy takes them over", async () => {
    const run = await destroy("--keep-data");
    expect([run.code, run.said]).toEqual([0, expect.stringContaining("and keeps its data")]);
    expect(cloud.tables.get("pumice")).toBe(true);
    expect(cloud.objects.get(`${bucket}/jobs/1/definition.yaml`)).toBe("job");
    rmSync(tokenFile());
    const again = await deploy("first");
    expect(again.out).toContain("< Table (DynamoDB::Table) taken over as it is\n");
    expect(again.said).toContain("its tokens are valid");
    expect(existsSync(tokenFile())).toBe(false);
  });

  test("wants the stack's name typed", async () => {
    const wrong = await askedInfra(["destroy", ...quick], ["yes"]);
    expect([wrong.code, wrong.questions]).toEqual([1, ["Type pumice to go on: "]]);
    expect(deployed()).toBeDefined();
    expect((await askedInfra(["destroy", ...quick], ["pumice"])).code).toBe(0);
  });

  test("without a question wants the stack named", async () => {
    const run = await askedInfra(["destroy", "--yes"]);
    expect([run.code, run.said]).toEqual([
      2,
      expect.stringContaining("destroy --yes wants --stack NAME too"),
    ]);
  });

  test("removes the bucket of code like a lab, emptied first", async () => {
    const run = await askedInfra(["destroy", "--yes", "--stack", "pumice-code", ...quick]);
    expect(run.code).toBe(0);
    expect([...cloud.objects.keys()].filter((key) => key.startsWith("pumice-code"))).toEqual([]);
  });
});

describe("the command line", () => {
  test("says what to set when there is no region, or no credentials", async () => {
    const { AWS_REGION: _, ...rest } = cloud.env;
    const noRegion = await infraProgram(["deploy", "--yes"], rest, folder);
    expect([noRegion.code, noRegion.said]).toEqual([2, expect.stringContaining("give --region")]);
    const { AWS_ACCESS_KEY_ID: __, ...others } = cloud.env;
    const env = { ...others, AWS_EC2_METADATA_DISABLED: "true" };
    const noKeys = await infraProgram(["deploy", "--yes"], env, folder);
    expect([noKeys.code, noKeys.said]).toEqual([
      2,
      expect.stringContaining("no credentials for AWS: set AWS_PROFILE"),
    ]);
  });

  test.each([
    [["launch"], "no command launch; expected one of deploy, diff, rollback, destroy, smoke"],
    [["deploy", "--stack", "Lab"], "--stack Lab: expected at most 32 characters"],
    [["deploy", "--stack", "a-very-long-name-for-a-lab-of-boards"], "at most 32 characters"],
    [["deploy", "--json"], "--json asks nothing: give --yes too"],
    [["deploy", "--parameter", "x"], "--parameter x: expected KEY=VALUE"],
    [["deploy", "--poll", "0"], "--poll 0: expected seconds"],
    [["deploy", "--region", "../x"], "../x is no region of AWS"],
    [["deploy", "--yes", "--zip", "/nonexistent.zip"], "no code to deploy: ENOENT"],
    [["rollback", "--yes"], "no lab pumice in eu-west-1"],
    [["destroy", "--yes", "--stack", "other"], "no stack other in eu-west-1"],
  ])("%j is refused", async (args, message) => {
    const run = await askedInfra(args);
    expect([run.code, run.said]).toEqual([2, expect.stringContaining(message)]);
    expect(cloud.stacks.stacks.size).toBe(0);
  });

  test("an AWS that can't be reached is told with what to look at", async () => {
    const port = await freePort();
    vi.stubEnv("AWS_ENDPOINT_URL", `http://127.0.0.1:${port}`);
    const refused = await askedInfra(["diff"]);
    expect(refused.code).toBe(2);
    expect(refused.said).toContain("AWS can't be reached: nobody listens there");
  });

  test("without a command it tells of them all", async () => {
    const run = await askedInfra([]);
    expect([run.code, run.out]).toEqual([0, expect.stringContaining("rollback")]);
  });

  test("--help tells of every command", async () => {
    const run = await askedInfra(["deploy", "--help"]);
    expect([run.code, run.out]).toEqual([0, expect.stringContaining("--keep-data")]);
  });
});
