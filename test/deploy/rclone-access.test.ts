import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { rcloneAccess } from "../../worker/actions/download/rclone-access.ts";
import type { JobContext } from "../../worker/pipeline/action.ts";
import { aJobContext } from "../support/plan-of.ts";

let scratch = "";
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), "pumice-rclone-"));
});
afterEach(() => rmSync(scratch, { recursive: true }));
const job = (secrets: object): JobContext => ({
  ...aJobContext({ secrets: secrets as Record<string, string> }),
  scratch,
});

test("a job describes its remotes by variables and by a file that nobody else may read", async () => {
  const env = { RCLONE_CONFIG_LAB_TYPE: "s3", AWS_ACCESS_KEY_ID: "x" };
  const config = "[lab]\ntype = s3\n";
  const access = await rcloneAccess(job({ rclone_env: env, rclone_config: config }));
  // Nor may a remote log in as the machine, by what its cloud tells it.
  expect(access.env).toEqual({ ...env, AWS_EC2_METADATA_DISABLED: "true" });
  expect(readFileSync(access.configFile ?? "", "utf8")).toBe(config);
  expect(statSync(access.configFile ?? "").mode & 0o777).toBe(0o600);
  expect(await rcloneAccess(job({}))).toEqual({ env: {} });
});

test.each([
  { rclone_env: { LD_PRELOAD: "/tmp/x.so" } },
  { rclone_env: { RCLONE_PASSWORD_COMMAND: "touch /tmp/x" } },
  { rclone_env: { RCLONE_CONFIG_LAB_SSH: "touch /tmp/x" } },
  { rclone_env: { RCLONE_LOG_FILE: "/etc/passwd" } },
  { rclone_env: { AWS_CONFIG_FILE: "/tmp/with-credential-process" } },
  { rclone_env: { GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES: "1" } },
  { rclone_env: { RCLONE_CONFIG_LAB_REMOTE: ":sftp,host=x,ssh='touch /tmp/x':" } },
  { rclone_config: "[lab]\ntype = sftp\nssh: touch /tmp/x\n" },
  { rclone_config: '[lab]\ntype = sftp\n"ssh" = touch /tmp/x\n' },
  { rclone_config: "[lab]\ntype = alias\nremote = :sftp,host=x,ssh='touch /tmp/x':/\n" },
  { rclone_config: "[lab]\ntype = s3\nshared_credentials_file = /tmp/x\n" },
  { rclone_config: "[lab]\ntype = sftp\nssh = touch /tmp/x\n" },
  { rclone_config: "[lab]\ntype = webdav\n bearer_token_command = touch /tmp/x\n" },
])("what would run a program or write files on the worker is refused: %j", async (secrets) => {
  await expect(rcloneAccess(job(secrets))).rejects.toMatchObject({
    type: "Job",
    message: expect.stringContaining("is not taken from a job"),
  });
});
