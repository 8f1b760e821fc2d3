import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { jobLabel, removeJobContainers } from "../../worker/drivers/container-leftovers.ts";
import { jobDirectory } from "../../worker/host/job-directory.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";
import { methodPage } from "../support/method-page.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { start, type PodmanBed } from "./podman.ts";

const folder = mkdtempSync(path.join(tmpdir(), "pumice-podman-"));
const { PATH, PUMICE_SYS, PUMICE_DEV } = process.env;
let why = "";
const bed = await start(folder, () => {}).catch((error: Error): undefined => {
  why = error.message.split("\n").slice(0, 3).join(" ");
});
if (!bed) console.warn(`skipped: no container can run on this machine: ${why}`);

afterAll(async () => {
  await bed?.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  process.env["PATH"] = `${bed?.bin}:${PATH}`;
});
afterEach(() => {
  process.env["PATH"] = PATH;
  for (const [name, value] of Object.entries({ PUMICE_SYS, PUMICE_DEV })) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

const dispatcher = { container_client: "podman", dispatcher_ip: "127.0.0.1" };

interface Changes {
  readonly cancel?: AbortSignal;
  readonly onText?: (text: string) => void;
  readonly settings?: object;
}

async function run(job: string, dictionary: string, changes: Changes = {}): Promise<BedRan> {
  const { cancel, onText, settings } = changes;
  const ran = await runOnBed({
    job,
    dictionary,
    dispatcher: { ...dispatcher, ...settings },
    jobId: 42,
    ...(cancel ? { cancel } : {}),
    ...(onText ? { onRecord: ({ msg }) => onText(String(msg)) } : {}),
  });
  expect(leftOver(bed)).toBe("");
  return ran;
}

const leftOver = (podman: PodmanBed | undefined): string =>
  podman?.podman("ps", "--all", "--format", "{{.Names}}").trim() ?? "";

const verdicts = ({ results }: BedRan, suite: string): Record<string, unknown> =>
  Object.fromEntries(
    results.filter(({ definition }) => definition === suite).map((r) => [r["case"], r["result"]]),
  );

test.skipIf(!bed)(
  "a killed runner's containers are found by the job's folder, and no others",
  async () => {
    for (const job of [1, 2]) {
      const { scratch } = jobDirectory("/var/lib/work", job);
      bed?.podman("run", "--detach", `--label=${jobLabel(scratch)}`, "debian:12", "sleep", "1000");
    }
    const lines: string[] = [];
    await removeJobContainers(jobDirectory("/var/lib/work", 1).scratch, (line) => lines.push(line));
    expect(lines).toEqual([expect.stringMatching(/^removed 1 containers .*: [0-9a-f]{64}$/)]);
    const left = bed?.podman("ps", "--all", "--format", "{{.Labels}}").trim();
    expect(left).toBe("map[pumice.job:/var/lib/work/jobs/2/scratch]");
    await removeJobContainers(jobDirectory("/var/lib/work", 2).scratch, () => {});
    expect(leftOver(bed)).toBe("");
  },
);

describe.skipIf(!bed)("a container as the device", () => {
  test("is deployed, booted and tested as its page says", async () => {
    const page = methodPage("deploy-docker");
    const ran = await run(page.job, page.dictionary);
    expect(ran.outcome.result, ran.text).toBe("pass");
    expect(verdicts(ran, "0_smoke")).toEqual({ hostname: "pass", kernel: "pass" });
    expect(ran.text).toContain("--name=lava-42-2.1");
  });

  test("takes the dictionary's volumes and capabilities, and interactive tests", async () => {
    const page = methodPage("boot-docker");
    const ran = await run(page.job, page.dictionary);
    expect(ran.outcome.result, ran.text).toBe("pass");
    expect(verdicts(ran, "0_shell")).toEqual({ limits: "pass" });
    expect(verdicts(ran, "0_inside")).toEqual({ init: "pass", volume: "pass" });
    expect(ran.text).toContain("--name=device-lava-42");
  });

  test("is gone when the job is canceled in the middle of a test", async () => {
    const page = methodPage("deploy-docker");
    const cancel = new AbortController();
    const ran = await run(page.job.replace("uname -a", "sleep 1000"), page.dictionary, {
      cancel: cancel.signal,
      onText: (text) => {
        if (text.includes("<LAVA_SIGNAL_STARTTC kernel>"))
          cancel.abort(new JobFailure("Canceled", "The job was canceled"));
      },
    });
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Canceled" });
  });

  test("that can't be had is the lab's fault, with what the client said", async () => {
    const page = methodPage("deploy-docker");
    const job = page.job.replace('"debian:12"', '"localhost:1/nothing:1"');
    const ran = await run(job, page.dictionary);
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(ran.outcome.error_msg).toMatch(
      /^Unable to pull docker image 'localhost:1\/nothing:1': ./,
    );
  });
});

describe.skipIf(!bed)("a test in a container beside the device", () => {
  test("knows how to find and switch the board, as its page says", async () => {
    const page = methodPage("test-docker");
    const ran = await run(page.job, page.dictionary);
    expect(ran.outcome.result, ran.text).toBe("pass");
    expect(verdicts(ran, "0_beside")).toEqual({
      serial: "pass",
      connection: "pass",
      reset: "pass",
      measured: "pass",
    });
    expect(ran.text).toContain("--name=lava-docker-test-shell-42-1.3");
    expect(ran.results).toContainEqual(
      expect.objectContaining({ case: "measured", measurement: 1.5, units: "s" }),
    );
  });

  test("has the folders that the worker's settings lend", async () => {
    const tools = path.join(folder, "tools");
    mkdirSync(tools, { recursive: true });
    writeFileSync(path.join(tools, "tool"), "");
    const page = methodPage("test-docker");
    const step = "lava-test-case bound --shell 'test -e /tools/tool && ! touch /tools/other'";
    const job = page.job.replace("steps:\n", `steps:\n                - ${JSON.stringify(step)}\n`);
    const settings = { test_docker_bind_mounts: [[tools, "/tools", "ro"]] };
    const ran = await run(job, page.dictionary, { settings });
    expect(verdicts(ran, "0_beside")["bound"], ran.text).toBe("pass");
  });

  test("that takes too long ends with its container, as the test's fault", async () => {
    const page = methodPage("test-docker");
    const job = page.job
      .replace("--result pass --measurement 1.5", "--shell sleep 1000 #")
      .replace("docker: {", "timeout: {seconds: 8}\n      docker: {");
    const ran = await run(job, page.dictionary);
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Test" });
  });

  test("gets the board's USB nodes, those that come later too, and no others", async () => {
    const usb = fakeUsb(path.join(folder, "usb"));
    usb.add("1-1", { serial: "100040061d1e00e2", number: 4 });
    usb.add("1-2", { serial: "somebody-elses", number: 5 });
    process.env["PUMICE_SYS"] = usb.sys;
    process.env["PUMICE_DEV"] = usb.dev;
    const page = methodPage("test-docker");
    const steps = [
      "lava-test-case there --shell test -c /dev/bus/usb/001/004",
      "lava-test-case others --shell test ! -e /dev/bus/usb/001/005",
      "lava-test-case later --shell 'until test -c /dev/bus/usb/001/006; do sleep 0.1; done'",
    ].map((step) => `                - ${JSON.stringify(step)}\n`);
    const job = page.job.replace("steps:\n", `steps:\n${steps.join("")}`);
    const ran = await run(job, page.dictionary, {
      onText: (text) => {
        if (!text.includes("<LAVA_SIGNAL_STARTTC later>")) return;
        usb.add("1-3", { serial: "100040061d1e00e2", number: 6 });
      },
    });
    expect(verdicts(ran, "0_beside"), ran.text).toMatchObject({
      there: "pass",
      others: "pass",
      later: "pass",
    });
  });
});

/** A /sys and a /dev with USB devices whose nodes are real ones, of numbers that no hardware here has. */
function fakeUsb(root: string): {
  sys: string;
  dev: string;
  add(port: string, device: { serial: string; number: number }): void;
} {
  const sys = path.join(root, "sys");
  const dev = path.join(root, "dev");
  const nodes = path.join(dev, "bus/usb/001");
  mkdirSync(nodes, { recursive: true });
  return {
    sys,
    dev,
    add: (port, { serial, number }) => {
      const node = path.join(nodes, String(number).padStart(3, "0"));
      // /dev/null stands for the device: what matters is which nodes are made.
      bed?.podman(
        "run",
        "--rm",
        "--privileged",
        `--volume=${nodes}:/n`,
        "debian:12",
        "mknod",
        `/n/${path.basename(node)}`,
        "c",
        "1",
        "3",
      );
      const at = path.join(sys, "bus/usb/devices", port);
      mkdirSync(at, { recursive: true });
      const attributes = {
        idProduct: "d00d",
        serial,
        product: "",
        busnum: "1",
        devnum: String(number),
        idVendor: "18d1",
      };
      for (const [name, value] of Object.entries(attributes)) {
        writeFileSync(path.join(at, name), `${value}\n`);
      }
    },
  };
}
