import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { overlayUnpackSteps } from "../../../worker/actions/login/overlay-unpack.ts";
import type { Action } from "../../../worker/pipeline/action.ts";
import {
  consoleSlot,
  overlaySlot,
  overlayTarballSlot,
} from "../../../worker/pipeline/job-slots.ts";
import { onConsole } from "../../support/on-console.ts";
import { aJobContext, run, type Ran } from "../../support/plan-of.ts";
import { lacking } from "../../support/lacking.ts";

let scratch: string;
let dut: string;
beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), "pumice-unpack-"));
  dut = path.join(scratch, "dut");
  mkdirSync(dut);
  writeFileSync(path.join(scratch, "overlay-1.tar.gz"), gzipSync("the overlay"));
});
afterEach(() => rmSync(scratch, { recursive: true }));

/** A DUT whose shell is this machine's, in a folder of its own. */
function transfer(
  transfer_overlay: unknown,
  { script = "exec sh", prompts = [] as string[], after = [] as Action[] } = {},
): Promise<Ran> {
  const job = {
    ...aJobContext({ timeouts: { job: { minutes: 1 }, connection: { seconds: 20 } } }),
    scratch,
    dispatcher: { dispatcher_ip: "127.0.0.1" },
  };
  const steps = overlayUnpackSteps({ method: "minimal", transfer_overlay });
  const put = {
    name: "put",
    gives: [overlaySlot, overlayTarballSlot],
    run: async ({
      slots,
    }: {
      slots: { put(slot: typeof overlayTarballSlot, value: string): void };
    }) => slots.put(overlayTarballSlot, path.join(scratch, "overlay-1.tar.gz")),
  };
  const onDut = { script: `cd '${dut}'; ${script}`, prompts };
  return run(onConsole(onDut, [put, ...steps, ...after]), { job });
}

test("the DUT fetches the overlay by HTTP and unpacks it", async () => {
  const { outcome } = await transfer({ download_command: "curl -sO", unpack_command: "gunzip" });
  expect(outcome).toMatchObject({ result: "pass" });
  expect(readFileSync(path.join(dut, "overlay-1.tar"), "utf8")).toBe("the overlay");
});

test("the transfer leaves no prompt behind that the next command could take for its own", async () => {
  const prompts = ["dut# "];
  const left: Action = {
    name: "look",
    run: async ({ connection, signal }) => {
      const console = connection.take(consoleSlot);
      await console.sendLine("echo a''nswer");
      const wait = { timeoutSeconds: 20, signal };
      const { name } = await console.expect({ answer: /answer/g, prompt: /dut# /g }, wait);
      if (name !== "answer") throw new Error("a prompt was left behind");
    },
  };
  const { outcome, messages } = await transfer(
    { download_command: "curl -sO", unpack_command: "gunzip" },
    {
      script: `while printf 'dut# '; read -r line; do eval "$line"; done`,
      prompts,
      after: [left],
    },
  );
  expect(outcome, messages.join("\n")).toEqual({ result: "pass" });
});

test("a command that fails is named with what it returned", async () => {
  const { outcome } = await transfer({ download_command: "false", unpack_command: "gunzip" });
  expect(outcome).toMatchObject({ result: "fail", error_type: "Job" });
  expect(JSON.stringify(outcome)).toMatch(
    /'false http:.*overlay-1.tar.gz' failed with return code 1!/,
  );
  const unpacks = await transfer({ download_command: "curl -sO", unpack_command: "cd . ; false" });
  expect(JSON.stringify(unpacks.outcome)).toMatch(
    /'cd \. ; false overlay-1.tar.gz' failed with return code 1!/,
  );
});

test("what was not fetched is not unpacked, whatever the command is made of", async () => {
  const { outcome } = await transfer({ download_command: "false", unpack_command: "true ; true" });
  expect(JSON.stringify(outcome)).toMatch(/'false http:.*' failed with return code 1!/);
});

test.skipIf(lacking(!existsSync("/usr/bin/rz"), "/usr/bin/rz is missing: install lrzsz"))(
  "the overlay goes over the console by ZMODEM",
  async () => {
    const { outcome, messages } = await transfer({
      transfer_method: "zmodem",
      unpack_command: "gunzip",
    });
    expect(outcome, messages.join("\n")).toMatchObject({ result: "pass" });
    expect(readFileSync(path.join(dut, "overlay-1.tar"), "utf8")).toBe("the overlay");
  },
);

test("by NFS it needs a folder that the lab's server exports, and says so before it runs", async () => {
  const { outcome } = await transfer({
    transfer_method: "nfs",
    download_command: "mount -t nfs",
    unpack_command: "cp -rf",
  });
  expect(outcome).toMatchObject({ result: "fail", error_type: "Configuration" });
  expect(JSON.stringify(outcome)).toContain("set nfs_root");
});

test("without its commands the job is refused before it runs", async () => {
  const { outcome } = await transfer({ unpack_command: "gunzip" });
  expect(JSON.stringify(outcome)).toContain("expected download_command and unpack_command");
  expect(await transfer({ transfer_method: "carrier pigeon" })).toMatchObject({
    outcome: { result: "fail" },
  });
});

test("a block that doesn't ask for it has no such step", () => {
  expect(overlayUnpackSteps({ method: "minimal" })).toEqual([]);
});
