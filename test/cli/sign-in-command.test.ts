import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { answerTerminal } from "../../control-plane/domain/terminal-sign-in.ts";
import { startCli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
let home: string;
beforeEach(async () => {
  lab = await listeningLab();
  home = mkdtempSync(path.join(tmpdir(), "pumice-sign-in-"));
});
afterEach(async () => {
  await lab.close();
  rmSync(home, { recursive: true, force: true });
});

/** A command of somebody who has no token, whom the administrator lets in. */
async function signIn(...args: string[]) {
  const run = startCli(["sign-in", "--browser", "--url", lab.url, ...args], {
    XDG_CONFIG_HOME: home,
  });
  await run.shows("type this code");
  const code = /: ([A-Z]{4}-[A-Z]{4})/.exec(run.said)?.[1] ?? "";
  await answerTerminal(lab.deps, lab.admin, { code, isYes: true }, "203.0.113.7");
  return { code: await run.ended, out: run.out, said: run.said };
}

test("sign-in --browser keeps the token that a person lets it have, and the next command uses it", async () => {
  const { code, said } = await signIn("--scope", "read", "--expires", "12h");
  expect(said).toContain(`Open this where you are signed in: ${lab.url}/account/terminal`);
  expect([code, said]).toEqual([
    0,
    expect.stringContaining("You are admin here, until 2026-03-02"),
  ]);
  const file = path.join(home, "pumice/token");
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const next = startCli(["tokens"], { XDG_CONFIG_HOME: home });
  expect([await next.ended, next.out]).toEqual([
    0,
    expect.stringContaining("signed in by browser"),
  ]);
  expect(readFileSync(path.join(home, "pumice/config.yaml"), "utf8")).toBe(
    `url: "${lab.url}"\ntoken_file: token\n`,
  );
});

test("sign-in --browser --print prints it and keeps it nowhere", async () => {
  const { out } = await signIn("--print");
  expect(out).toMatch(/^pumice_[0-9a-f]{16}_[\w-]{43}\n$/);
  expect(() => statSync(path.join(home, "pumice"))).toThrow("ENOENT");
});

test("what goes with --browser is refused without it, as is a scope that there is not", async () => {
  for (const [args, why] of [
    [["--print"], "--print goes with --browser"],
    [["--browser", "--scope", "all"], "there is no scope all"],
  ] as const) {
    const run = startCli(["sign-in", "--url", lab.url, ...args], { XDG_CONFIG_HOME: home });
    expect([await run.ended, run.said]).toEqual([2, expect.stringContaining(why)]);
  }
});

test("users link, accounts and unlink name an account elsewhere and take it away again", async () => {
  const pumice = async (...args: string[]) => {
    const run = startCli(args, { PUMICE_URL: lab.url, PUMICE_TOKEN: lab.adminToken });
    return [await run.ended, run.out + run.said] as const;
  };
  const oidc = [{ name: "keycloak", issuer: "https://keycloak.test", client_id: "pumice" }];
  await lab.request("/settings", { method: "PUT", body: { settings: { sign_in: { oidc } } } });
  await lab.addUser("alice");
  expect(await pumice("users", "link", "alice", "keycloak", "sub-1")).toEqual([
    0,
    "sub-1 of keycloak signs alice in from now on\n",
  ]);
  const [, list] = await pumice("users", "accounts", "alice");
  const id = /([0-9a-f]{16}) +keycloak +sub-1/.exec(list)?.[1] ?? "";
  expect((await pumice("users", "unlink", "alice", id))[0]).toBe(0);
  expect((await pumice("users", "accounts", "alice"))[1]).not.toContain("sub-1");
  expect(await pumice("users", "link", "alice", "gitlab", "1")).toEqual([
    2,
    expect.stringContaining("it has: keycloak"),
  ]);
});
