import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { methodPage } from "../support/method-page.ts";
import { runOnBed } from "../support/run-on-bed.ts";
import { cannotStart, start, type SshBed } from "./sshd.ts";

const problem = cannotStart();
if (problem) console.warn(`skipped: ${problem}`);
/** Programs that this machine lends to its DUT. */
const lacks = (name: string): boolean => {
  if (existsSync(`/usr/bin/${name}`)) return false;
  console.warn(`skipped: /usr/bin/${name} is missing: install ${name}`);
  return true;
};
const withoutSchroot = lacks("schroot");
const withoutWget = lacks("wget");

let folder: string;
let bed: SshBed | undefined;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-ssh-"));
});
afterEach(async () => {
  await bed?.close();
  bed = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** The page's dictionary, with this bed's address and key. */
const onThisBed = (page: string, { port, identity }: SshBed): string =>
  page
    .replace("dut.example.com", "127.0.0.1")
    .replace("ssh_port = 22", `ssh_port = ${port}`)
    .replace("/etc/pumice-worker/keys/dut", identity);

const cases = (results: readonly Record<string, unknown>[]) =>
  results
    .filter(({ definition }) => definition === "0_smoke")
    .map(({ case: name, result }) => [name, result]);
const resultOf = (results: readonly Record<string, unknown>[], name: string) =>
  results.filter((result) => result["case"] === name).map(({ result }) => result);

describe.skipIf(problem)("a system behind sshd", () => {
  const pages = ["deploy-ssh", "boot-ssh", ...(withoutSchroot ? [] : ["boot-schroot"])];
  test.each(pages)("is tested by the job of %s", async (name) => {
    bed = await start(folder);
    const page = methodPage(name);
    const dictionary = onThisBed(page.dictionary, bed);
    const { outcome, results, text } = await runOnBed({ job: page.job, dictionary });
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(cases(results).length).toBeGreaterThan(0);
    expect(
      cases(results).every(([, result]) => result === "pass"),
      text,
    ).toBe(true);
    expect(resultOf(results, "scp-deploy")).toEqual(["pass"]);
    expect(readdirSync(path.join(bed.root, "root"))).not.toContain("lava-1-overlay.tar.gz");
  });

  test.skipIf(withoutSchroot)("whose chroot is not there says so", async () => {
    bed = await start(folder);
    const page = methodPage("boot-schroot");
    const { outcome, text } = await runOnBed({
      job: page.job.replace("schroot: unstable", "schroot: sid"),
      dictionary: onThisBed(page.dictionary, bed).replace("['unstable']", "['sid']"),
    });
    expect(outcome, text).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(outcome.error_msg).toMatch(/^Unable to enter schroot sid: E: sid: Chroot not found/);
  });

  test.skipIf(withoutWget)("fetches the overlay alone over its console", async () => {
    bed = await start(folder);
    const page = methodPage("deploy-overlay");
    const options = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=FATAL";
    const ssh = `ssh -tt -e none ${options} -i ${bed.identity} -p ${bed.port} root@127.0.0.1`;
    const { outcome, results, text } = await runOnBed({
      job: page.job,
      dictionary: page.dictionary.replace("tcp://rack.example.com:7001", ssh),
      dispatcher: { dispatcher_ip: "127.0.0.1", services_address: "127.0.0.1" },
    });
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(cases(results)).toEqual([["overlay-is-there", "pass"]]);
  });

  test("gets the overlay also without an sftp server", async () => {
    bed = await start(folder, undefined, { sftp: false });
    const page = methodPage("boot-ssh");
    const dictionary = onThisBed(page.dictionary, bed);
    const { outcome, text } = await runOnBed({ job: page.job, dictionary });
    expect(outcome, text).toMatchObject({ result: "pass" });
    expect(text).toContain("copying as scp did before it needed one");
  });

  test("that goes away in the middle of a test is the lab's fault", async () => {
    bed = await start(folder);
    const page = methodPage("boot-ssh");
    const { outcome, text } = await runOnBed({
      job: page.job.replace(/- lava-test-case by-ssh .*/, "- pkill -9 -f root@pts"),
      dictionary: onThisBed(page.dictionary, bed),
    });
    expect(outcome, text).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(outcome.error_msg).toMatch(/^Connection closed: ssh ended with exit code 255/);
  });

  test("with another key is tried as often as asked, then refused in ssh's words", async () => {
    bed = await start(folder);
    const page = methodPage("boot-ssh");
    const wrong = { ...bed, identity: path.join(bed.root, "etc/host") };
    const dictionary = onThisBed(page.dictionary, wrong);
    const { outcome, text } = await runOnBed({ job: page.job, dictionary });
    expect(outcome, text).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(outcome.error_msg).toMatch(/Unable to copy .* scp ended with exit code 255: /);
    expect(text).toContain("login-ssh failed: 2 of 2 attempts.");
  });
});
