import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { download } from "../../worker/host/download.ts";
import { gitClone } from "../../worker/host/git-clone.ts";

/** A worker's folder as the agent has it: two jobs, and the token beside them. */
let dir: string;
const at = (...parts: string[]) => path.join(dir, ...parts);
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-worker-files-"));
  for (const job of ["7", "8"]) mkdirSync(at("jobs", job, "scratch"), { recursive: true });
  writeFileSync(at("token"), "the worker's", { mode: 0o600 });
  writeFileSync(at("jobs/8/ticket.json"), "another job's", { mode: 0o644 });
  writeFileSync(at("jobs/7/scratch/own"), "own", { mode: 0o600 });
  writeFileSync(at("image"), "for all");
  chmodSync(at("image"), 0o644);
  symlinkSync(at("token"), at("jobs/7/scratch/link"));
  execFileSync("git", ["init", "-q", at("jobs/8/scratch/repository")]);
});
afterAll(() => rmSync(dir, { recursive: true }));
afterEach(() => delete process.env["PUMICE_JOB_DIR"]);

const fetched = (file: string): Promise<unknown> =>
  download({ url: `file://${file}`, target: at("jobs/7/scratch/got") });

describe("a job under the agent", () => {
  test.each([
    ["the worker's token", () => at("token"), /not everybody may read it/],
    ["a link of its own to it", () => at("jobs/7/scratch/link"), /not everybody/],
    ["another job's ticket", () => at("jobs/8/ticket.json"), /it is not this job's/],
    ["the same by a way around", () => at("jobs/7/../8/ticket.json"), /it is not this job's/],
    ["the environment of the agent", () => "/proc/self/environ", /it is not this job's/],
  ])("gets by a file:// URL not %s", async (_what, file, why) => {
    process.env["PUMICE_JOB_DIR"] = at("jobs/7");
    await expect(fetched(file())).rejects.toThrow(why);
    expect(existsSync(at("jobs/7/scratch/got"))).toBe(false);
  });

  test("of a worker that is root it gets no group's files either, as /etc/shadow", async () => {
    process.env["PUMICE_JOB_DIR"] = at("jobs/7");
    chmodSync(at("image"), 0o640);
    const isRoot = process.getuid?.() === 0;
    const got = await fetched(at("image")).then(
      () => "taken",
      (error: Error) => error.message,
    );
    chmodSync(at("image"), 0o644);
    expect(got).toMatch(isRoot ? /not everybody may read it/ : /taken/);
  });

  test("gets what is for all, and its own", async () => {
    process.env["PUMICE_JOB_DIR"] = at("jobs/7");
    for (const file of [at("image"), at("jobs/7/scratch/own")]) {
      await expect(fetched(file)).resolves.toMatchObject({ sizeBytes: expect.any(Number) });
    }
  });

  test("clones no repository of another job", async () => {
    process.env["PUMICE_JOB_DIR"] = at("jobs/7");
    for (const url of [
      at("jobs/8/scratch/repository"),
      `file://${at("jobs/8/scratch/repository")}`,
    ]) {
      const target = at("jobs/7/scratch/clone");
      await expect(gitClone({ url, target })).rejects.toThrow(/it is not this job's/);
    }
  });
});

test("who runs a job by hand has what is theirs", async () => {
  await expect(fetched(at("token"))).resolves.toMatchObject({ sizeBytes: 12 });
});
