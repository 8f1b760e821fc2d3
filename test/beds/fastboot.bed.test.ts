import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { methodPage, type MethodPage } from "../support/method-page.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { start, type FastbootBed } from "./fastboot.ts";

let folder: string;
let bed: FastbootBed;

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), "pumice-fastboot-"));
  bed = await start(folder, (line) => console.warn(line));
});
afterEach(async () => {
  await bed.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A page's job and dictionary with this bed's addresses. */
const run = ({ job, dictionary }: Pick<MethodPage, "job" | "dictionary">): Promise<BedRan> =>
  runOnBed({
    job: job.replaceAll("http://files.example.com/", bed.files),
    dictionary: dictionary
      .replace("tcp://rack.example.com:7001", `tcp://127.0.0.1:${bed.rig.consolePort}`)
      .replace("pumice-power tasmota http://plug.example.com 1 cycle", bed.rig.hardReset)
      .replace("pumice-power tasmota http://plug.example.com 1 off", bed.rig.powerOff)
      .replace("udp:board.example.com", bed.serial)
      .replace(/unzip [^']*/, () => bed.bootCommand),
  });

const verdicts = ({ results }: BedRan, definition: string): Record<string, unknown> =>
  Object.fromEntries(
    results.filter((r) => r["definition"] === definition).map((r) => [r["case"], r["result"]]),
  );

/** What the rootfs partition of the board's card has in a folder. */
function listFlashed(at: string): string {
  const image = path.join(folder, "flashed.ext4");
  bed.readPartition("rootfs", image);
  return execFileSync("debugfs", ["-R", `ls -p ${at}`, image], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
}

test("a board is flashed and started as the page of the deployment says", async () => {
  const ran = await run(methodPage("deploy-fastboot"));
  expect(ran.outcome.result, ran.text).toBe("pass");
  expect(verdicts(ran, "0_shell")).toEqual({ kernel: "pass" });
  expect(ran.results).toContainEqual(
    expect.objectContaining({ case: "fastboot-flash-action", extra: { label: "rootfs" } }),
  );
  expect(ran.text).toContain("boot is not flashed");
  expect(listFlashed("/etc")).toContain("/hostname/");
});

test("the overlay of the tests is in the flashed image", async () => {
  const { job, dictionary } = methodPage("deploy-fastboot");
  const definition = `  - test:
      docker: {image: "debian:12", local: true}
      definitions:
        - name: smoke
          from: inline
          path: inline/smoke.yaml
          repository:
            metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
            run: {steps: [lava-test-case kernel --shell uname -a]}
`;
  const deployed = job.slice(0, job.indexOf("  - boot:"));
  // The job ends where its test begins: there is no such container here, and the card has been written.
  await run({ job: deployed + definition, dictionary });
  expect(listFlashed("/lava-1/0/tests/0_smoke")).toContain("/run.sh/");
});

test("fastboot's own commands and an image that is not flashed, as the page of the boot says", async () => {
  const ran = await run(methodPage("boot-fastboot"));
  expect(ran.outcome.result, ran.text).toBe("pass");
  expect(verdicts(ran, "0_shell")).toEqual({ kernel: "pass" });
  expect(ran.text).toMatch(/>> version: 0\.4/);
});

test("what the board refuses is the lab's fault, in the board's words", async () => {
  const { job, dictionary } = methodPage("deploy-fastboot");
  const ran = await run({ job: job.replace("        rootfs:", "        nosuch:"), dictionary });
  expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
  expect(ran.outcome.error_msg).toMatch(
    /^'fastboot -s udp:\S+ flash nosuch \S+' failed: exit code 1/,
  );
});
