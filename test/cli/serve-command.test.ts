import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runCli } from "../../control-plane/cli/main.ts";
import { cli } from "../support/cli-run.ts";
import { selfSigned } from "../support/self-signed.ts";

let dir: string;
beforeEach(() => void (dir = mkdtempSync(path.join(tmpdir(), "pumice-serve-command-"))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** What `pumice serve` says until it serves, to a person at a terminal or to a service's log. */
async function serveSays(
  { isTerminal, listen = "127.0.0.1:0" }: { isTerminal: boolean; listen?: string },
  ...more: string[]
): Promise<string> {
  const stop = new AbortController();
  let said = "";
  const terminal = {
    out: () => undefined,
    say(text: string) {
      said += `${text}\n`;
      if (text.includes("sign")) setImmediate(() => stop.abort());
    },
    useColours: false,
    ...(isTerminal ? { progress: () => undefined } : {}),
  };
  const where = ["--data", path.join(dir, "data"), "--listen", listen, ...more];
  expect(await runCli(["serve", ...where], terminal, stop.signal, {})).toBe(0);
  return said;
}

test("a new lab shows a link to sign in by, at a terminal only", async () => {
  const log = await serveSays({ isTerminal: false });
  expect(log).not.toContain("code=");
  expect(log).toMatch(/pumice sign-in --url http:\S+ --token-file \S+admin-token/);
  const said = await serveSays({ isTerminal: true });
  expect(said).not.toContain("from another machine");
  expect(said).toMatch(
    /once, within ten minutes:\n {2}http:\/\/127\.0\.0\.1:\d+\/sign-in\?code=\S+/,
  );
});

test("of a lab for all the network the link says how it is opened elsewhere", async () => {
  const said = await serveSays({ isTerminal: true, listen: "0.0.0.0:0" });
  expect(said).toMatch(/127\.0\.0\.1:\d+\/sign-in\?code=\S+\n {2}\(from another machine/);
});

test("with a certificate and its key it serves https", async () => {
  const { cert, key } = selfSigned(dir, "lab");
  const said = await serveSays({ isTerminal: true }, "--tls-cert", cert, "--tls-key", key);
  expect(said).toMatch(/Pumice serves at https:\S+/);
  expect(said).toMatch(/^ {2}https:\/\/127\.0\.0\.1:\d+\/sign-in\?code=/m);
});

test("a port that is taken is said, with what to do", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const where = `127.0.0.1:${(other.address() as AddressInfo).port}`;
  const { code, said } = await cli(["serve", "--data", path.join(dir, "lab"), "--listen", where]);
  other.close();
  expect(code).toBe(2);
  expect(said).toContain(
    `another program listens on ${where}: stop it, or name another --listen (EADDRINUSE)`,
  );
});
