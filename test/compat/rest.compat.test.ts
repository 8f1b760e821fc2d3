import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aJob, aResult } from "../support/builders.ts";
import { listeningLab } from "../support/listening-lab.ts";
import { lacking } from "../support/lacking.ts";

/** With PyYAML, which lavacli needs. */
const PYTHON = "/usr/bin/python3";
const root = path.resolve(import.meta.dirname, "../..");

/*
 * Scripts as CI systems have them, over a real connection: Python's own readers of HTTP, JSON, YAML, CSV and XML. What they
 * are to read is what they read of a LAVA 2023.01 by the same program (lava-answers.json).
 */
describe.skipIf(lacking(!existsSync("/usr/bin/lavacli"), "lavacli is missing"))(
  "LAVA's REST API for Python",
  () => {
    let lab: Awaited<ReturnType<typeof listeningLab>>;
    let worker: string;
    beforeAll(async () => {
      lab = await listeningLab();
      worker = await lab.addWorker();
      await lab.addDevice("qemu-01");
      await lab.sync(worker);
    });
    afterAll(() => lab.close());

    /** Runs the next job to its end. */
    async function work(): Promise<void> {
      await lab.settled();
      const { start } = await lab.sync(worker);
      const { job_id, token } = start[0]!;
      const dt = "2026-03-01T12:00:01.000001+00:00";
      const records = [
        { dt, lvl: "info", msg: "start: 0 validate" },
        { dt, lvl: "target", msg: "root@dut:~# \u001b[1mé\u0085" },
        { dt, lvl: "results", msg: aResult({ definition: "lava", case: "validate" }) },
        { dt, lvl: "results", msg: aResult({ case: "ok", measurement: "3.5", units: "ms" }) },
      ];
      await lab.ship(job_id, token, 0, records);
      await lab.finish(job_id, token, { result: "pass", lines: records.length });
    }

    /** Runs it; `meanwhile` begins when it has said something. */
    async function python(args: string[], meanwhile = async () => {}) {
      const child = spawn(PYTHON, args, { stdio: ["ignore", "pipe", "inherit"] });
      const closed = once(child, "close") as Promise<[number]>;
      let text = "";
      child.stdout.on("data", (data: Buffer) => (text += String(data)));
      await Promise.race([once(child.stdout, "data"), closed]);
      await meanwhile();
      const [code] = await closed;
      return { code, text };
    }

    test("a script submits a job, waits for it and follows the pages of what it found", async () => {
      const script = path.join(root, "docs/examples/lava-rest.py");
      const job = path.join(lab.dir, "job.yaml");
      writeFileSync(job, aJob());
      const { url } = lab;
      const ran = await python([script, url, lab.adminToken, job], work);
      expect(ran.text).toBe(
        `job 1: ${url}/scheduler/job/1\npass validate  \npass ok 3.5000000000 ms\nComplete\n`,
      );
      expect(ran.code).toBe(0);
    });

    test("every answer has the fields of a real server's, and every reader reads it", async () => {
      const ran = await python([
        path.join(import.meta.dirname, "read-answers.py"),
        ...[lab.url, lab.adminToken, "1"],
      ]);
      const { definition, "metadata of a test": metadata, ...found } = JSON.parse(ran.text);
      const file = path.join(import.meta.dirname, "lava-answers.json");
      const {
        definition: _its,
        "metadata of a test": _too,
        ...wanted
      } = JSON.parse(readFileSync(file, "utf8"));
      expect(found).toEqual(wanted);
      expect(definition).toContain("job_name");
      expect(metadata).toMatchObject({ case: "validate", definition: "lava", result: "pass" });
    });
  },
);
