import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runTicket } from "../../worker/run-ticket.ts";
import { guestDevice, guestJob, standInGuest } from "../support/stand-in-guest.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-process-list-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

const SECRET = "s3cret-of-the-job-4711";
const TOKEN = "token-of-the-job-4712";
/** Is seen: otherwise the test would see nothing at all. */
const NO_SECRET = "no-secret-4713";

test("the job's secrets and token are in no command line, its log or a file of others", async () => {
  const seen = path.join(dir, "seen");
  const script = `cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' >> ${seen}; echo 'Linux version 6'; shell`;
  const folder = path.join(dir, NO_SECRET);
  mkdirSync(folder);
  writeFileSync(path.join(dir, "kernel"), "a kernel");
  const definition = `${guestJob(path.join(dir, "kernel"), { withTest: true })}\nsecrets: {API_KEY: ${SECRET}}\n`;
  const records: string[] = [];
  const never = new AbortController().signal;
  const result = await runTicket(
    {
      ...{ job_id: 7, token: TOKEN, definition, device: guestDevice(standInGuest(folder, script)) },
      ...{ device_hostname: "dut-1", device_type: "qemu", dispatcher: "", env_dut: "" },
    },
    {
      scratch: path.join(dir, "scratch"),
      sink: (line) => void records.push(line),
      signals: { cancel: never, cancelAgain: never },
    },
  );
  expect(result.result).toBe("pass");
  expect(existsSync(seen)).toBe(true);
  const lines = readFileSync(seen, "utf8");
  expect(lines).toContain(NO_SECRET);
  for (const secret of [SECRET, TOKEN]) {
    expect(lines).not.toContain(secret);
    expect(records.join("\n")).not.toContain(secret);
  }
});
