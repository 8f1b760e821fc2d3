import { afterEach, beforeEach, expect, test } from "vitest";
import { startCli } from "../support/cli-run.ts";
import { listeningLab } from "../support/listening-lab.ts";

let lab: Awaited<ReturnType<typeof listeningLab>>;
beforeEach(async () => {
  lab = await listeningLab();
});
afterEach(() => lab.close());

interface Way {
  token?: string;
  input?: string;
}
async function run(args: string[], { token = lab.adminToken, input }: Way = {}) {
  const started = startCli(
    args,
    { PUMICE_URL: lab.url, PUMICE_TOKEN: token },
    input === undefined ? {} : { input },
  );
  const code = await started.ended;
  return { code, out: started.out.trim(), said: started.said };
}
const asks = async (where: string, token: string, body?: unknown): Promise<number> =>
  (await lab.request(where, { token, ...(body === undefined ? {} : { body }) })).status;

test("tokens add makes one for oneself, with scopes and an end", async () => {
  const { out, said, code } = await run(["tokens", "add", "--scope", "submit", "--expires", "30d"]);
  expect([code, said]).toEqual([
    0,
    expect.stringMatching(/only time .* good until 2026-03-31 12:00 UTC/),
  ]);
  expect((await run(["tokens"])).out).toMatch(/ user +admin +yes +submit +never +2026-03-31 12:00/);
  expect(await asks("/devices", out)).toBe(200);
  expect(await asks("/tokens", out, { subject: "admin" })).toBe(403);
  expect(await asks("/workers", out, { name: "new" })).toBe(403);
  expect((await run(["tokens"])).out).toMatch(/ submit +2026-03-01 12:00 /);
  lab.pass(30 * 24 * 60 * 60);
  expect(await asks("/devices", out)).toBe(401);
});

test("tokens add by somebody who is no administrator makes one for themselves only", async () => {
  const { token } = await lab.addUser("alice");
  const own = await run(["tokens", "add"], { token });
  expect(await asks("/me", own.out)).toBe(200);
  for (const words of [["bob"], ["alice", "--admin"]]) {
    const refused = await run(["tokens", "add", ...words], { token });
    expect([refused.code, refused.said]).toEqual([
      2,
      expect.stringContaining("only an administrator"),
    ]);
  }
});

test("what is mistyped is refused with what was expected", async () => {
  for (const [words, hint] of [
    [["--scope", "write"], "expected read, submit, workers, admin"],
    [["--expires", "soon"], "such as 30m, 12h or 30d"],
    [["--expires", "1s"], "--expires 1s: expected a time from 1m to ten years"],
    [["--expires", "4000d"], "--expires 4000d: expected a time from 1m to ten years"],
    [["a", "b"], "unexpected argument b"],
  ] as const) {
    const { code, said } = await run(["tokens", "add", ...words]);
    expect([code, said]).toEqual([2, expect.stringContaining(hint)]);
  }
});

test("tokens rotate gives another one like it; the old one ends after the overlap", async () => {
  const old = await run(["tokens", "add", "alice", "--scope", "read", "--description", "CI"]);
  const id = old.out.split("_")[1] ?? "";
  // By itself, though it may only read.
  const next = await run(["tokens", "rotate", id, "--overlap", "1h"], { token: old.out });
  expect(next.code).toBe(0);
  expect((await run(["tokens"])).out).toMatch(new RegExp(`${next.out.split("_")[1]} .* read .*CI`));
  lab.pass(3599);
  expect([await asks("/me", old.out), await asks("/me", next.out)]).toEqual([200, 200]);
  lab.pass(1);
  expect([await asks("/me", old.out), await asks("/me", next.out)]).toEqual([401, 200]);
  const last = await run(["tokens", "rotate", next.out.split("_")[1] ?? ""]);
  expect([await asks("/me", next.out), await asks("/me", last.out)]).toEqual([401, 200]);
  const other = await run(["tokens", "add", "alice"]);
  const stolen = await run(["tokens", "rotate", other.out.split("_")[1] ?? ""], {
    token: last.out,
  });
  expect(stolen.code).toBe(2);
});

test("a lab may bound the life of tokens", async () => {
  await run(["settings", "set", "sign_in.longest_token_days", "7"]);
  expect((await run(["tokens", "add"])).said).toContain("2026-03-08");
  expect((await run(["tokens", "add", "--expires", "8d"])).said).toContain("7 days at the most");
});

test("users password sets one from standard input, or makes a link", async () => {
  await lab.addUser("alice");
  const set = await run(["users", "password", "alice", "--stdin"], { input: "a few words here\n" });
  expect([set.code, set.said]).toEqual([0, "The password of alice is set\n"]);
  const short = await run(["users", "password", "alice", "--stdin"], { input: "short\n" });
  expect([short.code, short.said]).toEqual([2, expect.stringContaining("at least 12 characters")]);
  expect((await run(["users", "password", "alice", "--stdin"], { input: "" })).code).toBe(2);
  const { out } = await run(["users", "password", "alice", "--link"]);
  expect(out).toMatch(new RegExp(`^${lab.url}/password\\?code=pumice_`));
  expect((await run(["users", "sign-out", "alice", "--tokens"])).said).toBe(
    "2 of alice have ended\n",
  );
  const unknown = await run(["users", "sign-out", "alcie"]);
  expect([unknown.code, unknown.said]).toEqual([2, 'pumice: there is no user "alcie"\n']);
});

test("secrets are set from standard input, listed without values, and removed", async () => {
  await run(["secrets", "add", "gitlab"], { input: "glpat-1\n" });
  const { out } = await run(["secrets"]);
  expect(out).toMatch(/^gitlab +2026-03-01 12:00$/m);
  expect(out).not.toContain("glpat");
  expect((await run(["secrets", "remove", "gitlab"])).code).toBe(0);
  expect((await run(["secrets", "remove", "gitlab"])).code).toBe(2);
  const set = await run(["sign-in-secrets", "set", "keycloak"], { input: "s" });
  expect(set.said).toBe("keycloak is set\n");
});
