import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { VERSION } from "#protocol/version.ts";
import { cli } from "../support/cli-run.ts";
import { freePort } from "../support/loopback-ports.ts";
import { selfSigned } from "../support/self-signed.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-cli-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const file = (name: string, text: string): string => {
  const where = path.join(dir, name);
  mkdirSync(path.dirname(where), { recursive: true });
  writeFileSync(where, text);
  return where;
};

test("--version prints the version", async () => {
  expect(await cli(["--version"])).toMatchObject({ code: 0, out: `pumice ${VERSION}\n` });
});

test("--help lists every command, and each of them has its own --help", async () => {
  const { code, out } = await cli(["--help"]);
  expect(code).toBe(0);
  const usages = [...out.matchAll(/^ {2}([a-z-]+(?: [a-z-]+)*)/gm)].map((found) => found[1] ?? "");
  expect(usages).toEqual(
    expect.arrayContaining(["submit", "watch", "logs", "workers add", "devices health", "serve"]),
  );
  for (const usage of usages) {
    const help = await cli([...usage.split(" "), "--help"]);
    expect(help).toMatchObject({ code: 0, said: "" });
    expect(help.out).toContain(`usage: pumice ${usage}`);
  }
});

test.each([
  [["sbmit", "a.yaml"], "no command sbmit; did you mean submit?"],
  [["nonsense"], "no command nonsense; see pumice --help"],
  [["keygen"], "no command keygen; there is releases keygen"],
  [["backup"], "no command backup; perhaps export, import?"],
  [["--url", "http://x", "jobs"], "options stand after the command"],
  [["submit", "a.yaml", "--wacth"], "did you mean --watch?"],
  [["submit"], "JOB.yaml is missing\nusage: pumice submit JOB.yaml"],
  [["submit", "none.yaml"], "there is no file or folder none.yaml (ENOENT)"],
  [["submit", "docs"], "docs is a folder: expected a file"],
  [["submit", "a.yaml", "b.yaml"], "unexpected argument b.yaml"],
  [["devices", "nonsense"], "unexpected argument nonsense"],
  [["jobs", "nonsense"], "(--help says more); there are also: jobs history, jobs priority"],
  [["jobs", "--limit", "-1"], "--limit wants a value; one that begins with - stands behind a ="],
  [["jobs", "--limit", "1", "--limit=2"], "--limit is there twice: once is enough"],
  [["apply", "-f", "a", "--file", "b"], "--file is there twice: once is enough"],
  [["check", "--templates", "a", "--templates", "b", "none.yaml"], "no file or folder none.yaml"],
  [["jobs", "--limit", "x"], '--limit "x": expected a number from 1'],
  [["jobs", "--limit", "0"], '--limit "0": expected a number from 1'],
  [["jobs", "--device", ""], "--device is empty: leave it out for all jobs"],
  [["devices", "history", "d", "--limit", "0"], "expected a number from 1"],
  [["queries", "run", "--where", "x", "--limit", ""], '--limit "": expected a number from 1'],
  [["chart", "--limit", "1.5"], "expected a number from 1"],
  [["results", "1", "--json", "--junit"], "--json or --junit, not both"],
  [["results", "1", "--junit", "--format", "csv"], "--junit or --format, not both"],
  [["show", "1", "--attempt", "0"], "expected the number of an attempt, from 1"],
  [["users", "sign-out", ""], "NAME is empty\nusage: pumice users sign-out NAME"],
  [["users", "password", "a", "--link", "--stdin"], "--link or --stdin, not both"],
  [["tokens", "add", "a", "--admin", "--no-admin"], "--admin or --no-admin, not both"],
  [["tokens", "add", "--expires", "0"], "--expires 0: expected a time from 1m to ten years"],
  [["reserve", "d", "--for", "30s"], "--for 30s: expected a time from 1m to a year"],
  [["logs", "1", "--level", ""], 'no level "": expected debug'],
  [["apply", "-f", "--dry-run"], "--file wants a value; one that begins with - stands behind a ="],
  [["apply", "-f"], "--file wants a value\nusage: pumice apply"],
  [["jobs", "--url", "http://lab.invalid:22"], "expected the port that serves it, such as 8400"],
  [["events", "--url", "http://lab.invalid:6000"], "its port is that of another protocol"],
  [["logs", "twelve"], "twelve is no job number"],
  [["logs", "1", "--level", "loud"], "no level loud: expected debug, info"],
  [["devices", "add", "qemu-01", "--config", "c.yaml"], "--type is missing"],
  [["serve"], "--data is missing"],
  [["serve", "--data", "/proc/pumice/x"], "no folder can be made in /proc: name another place"],
  [["serve", "--data", "/dev/null/x"], "this path is a file: expected a folder (ENOTDIR)"],
  [["jobs", "--token", "t"], "give --token-file FILE, or set PUMICE_TOKEN"],
  [["jobs", "--state", "runing"], "--state runing: expected Submitted, Scheduling, Scheduled"],
  [["jobs", "--health", "good"], "--health good: expected Unknown, Complete, Incomplete, Canceled"],
  [
    ["jobs", "--url", "http://x/api/v1"],
    "an address of its API: expected that of the lab, http://x",
  ],
])("pumice %j: exit 2 and what to do", async (args, expected) => {
  const { code, out, said } = await cli(args, { PUMICE_URL: "http://x", PUMICE_TOKEN: "t" });
  expect(code).toBe(2);
  expect(out).toBe("");
  expect(said).toContain(expected);
});

describe("the control plane", () => {
  test("is asked for when nobody said which", async () => {
    const { code, said } = await cli(["jobs"], { XDG_CONFIG_HOME: dir });
    expect(code).toBe(2);
    expect(said).toContain("which control plane? Give --url URL, set PUMICE_URL, or write `url:");
    expect(said).toContain(path.join(dir, "pumice/config.yaml"));
  });

  test.each<[string, NodeJS.ProcessEnv, string]>([
    ["no address", { PUMICE_URL: "localhost:8400" }, "is no http:// or https:// address"],
    ["no token", { PUMICE_URL: "http://x" }, "no token: give --token-file FILE, set PUMICE_TOKEN"],
    [
      "a file that is not there",
      { PUMICE_TOKEN_FILE: "/nonexistent" },
      "pumice: PUMICE_TOKEN_FILE: there is no file or folder /nonexistent",
    ],
    ["a token of two words", { PUMICE_TOKEN: "a b" }, "not one word"],
  ])("%s: exit 2", async (_, env, expected) => {
    const { code, said } = await cli(["jobs"], { PUMICE_URL: "http://x", ...env });
    expect(code).toBe(2);
    expect(said).toContain(expected);
  });

  test("is found in the configuration file, its token file beside that", async () => {
    file("pumice/config.yaml", "url: http://x\ntoken_file: token\n");
    const { said } = await cli(["jobs"], { XDG_CONFIG_HOME: dir });
    expect(said).toContain(`there is no file or folder ${path.join(dir, "pumice/token")} (ENOENT)`);
  });

  test("is not guessed from a configuration file that can't be read", async () => {
    const config = file("pumice/config.yaml", "url: http://x\n\ttoken_file: token\n");
    const { code, said } = await cli(["jobs"], { XDG_CONFIG_HOME: dir });
    expect(code).toBe(2);
    expect(said).toContain(`${config}:2: a tab`);
  });

  test("that speaks no TLS is said to", async () => {
    const plain = createServer().listen(0, "127.0.0.1");
    await once(plain, "listening");
    const { port } = plain.address() as AddressInfo;
    const url = `https://127.0.0.1:${port}`;
    const job = file("job.yaml", "job_name: a\n");
    const { code, said } = await cli(["submit", job, "--url", url], { PUMICE_TOKEN: "t" });
    plain.close();
    expect(code).toBe(2);
    expect(said).toContain(`${url} can't be reached: no TLS there; is it http://?`);
    expect(said).not.toContain("openssl");
  });

  test("whose certificate nobody here knows says how it becomes known", async () => {
    const { cert, key } = selfSigned(dir, "lab");
    const pair = { cert: readFileSync(cert), key: readFileSync(key) };
    const server = createTlsServer(pair).listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const job = file("job.yaml", "job_name: a\n");
    const { code, said } = await cli(["submit", job, "--url", url], { PUMICE_TOKEN: "t" });
    server.close();
    expect(code).toBe(2);
    expect(said).toContain("of no authority that is known here: NODE_EXTRA_CA_CERTS=FILE");
  });

  test("that does not answer is named", async () => {
    const token = file("token", "t\n");
    const job = file("job.yaml", "job_name: a\n");
    const url = `http://127.0.0.1:${await freePort()}`;
    const { code, said } = await cli(["submit", job, "--url", `${url}/`, "--token-file", token]);
    expect(code).toBe(2);
    expect(said).toContain(`${url} can't be reached`);
    expect(said).toContain("nobody listens there: is it started, is the port right?");
  });
});
