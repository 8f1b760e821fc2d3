import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test, vi } from "vitest";
import { jobLabel, removeJobContainers } from "../../worker/drivers/container-leftovers.ts";
import { jobDirectory } from "../../worker/host/job-directory.ts";
import { JobFailure } from "../../worker/pipeline/job-failure.ts";
import { methodPage } from "../support/method-page.ts";
import type { BedRan } from "../support/run-on-bed.ts";
import { acked, standInGroup } from "../support/stand-in-group.ts";
import { containerBench, type ContainerBench } from "./container-bench.ts";

const benches = await Promise.all([containerBench("podman"), containerBench("docker")]);

const verdicts = ({ results }: BedRan, suite: string): Record<string, unknown> =>
  Object.fromEntries(
    results.filter(({ definition }) => definition === suite).map((r) => [r["case"], r["result"]]),
  );

describe.each(benches)("$name: a killed runner's containers", (bench) => {
  bench.use();

  test("are found by the job's folder, and no others", async () => {
    for (const job of [1, 2]) {
      const label = `--label=${jobLabel(jobDirectory("/var/lib/work", job).scratch)}`;
      bench.bed().client("run", "--detach", label, "debian:12", "sleep", "1000");
    }
    const lines: string[] = [];
    await removeJobContainers(jobDirectory("/var/lib/work", 1).scratch, (line) => lines.push(line));
    expect(lines).toEqual([expect.stringMatching(/^removed 1 containers .*: [0-9a-f]{64}$/)]);
    const left = bench.bed().client("ps", "--all", "--format", "{{.Labels}}").trim();
    expect(left).toMatch(/^(map\[)?pumice\.job[:=]\/var\/lib\/work\/jobs\/2\/scratch\]?$/);
    await removeJobContainers(jobDirectory("/var/lib/work", 2).scratch, () => {});
    expect(bench.containers()).toBe("");
  });
});

describe.each(benches)("$name: a container as the device", (bench) => {
  bench.use();
  const { run } = bench;

  test("is deployed, booted and tested as its page says", async () => {
    const page = methodPage("deploy-docker");
    const ran = await run(page);
    expect(ran.outcome.result, ran.text).toBe("pass");
    expect(verdicts(ran, "0_smoke")).toEqual({ hostname: "pass", kernel: "pass" });
    expect(ran.text).toContain("--name=lava-42-2.1");
  });

  test("takes the dictionary's volumes and capabilities, and interactive tests", async () => {
    const page = methodPage("boot-docker");
    const ran = await run(page);
    expect(ran.outcome.result, ran.text).toBe("pass");
    expect(verdicts(ran, "0_shell")).toEqual({ limits: "pass" });
    expect(verdicts(ran, "0_inside")).toEqual({ init: "pass", volume: "pass" });
    expect(ran.text).toContain("--name=device-lava-42");
  });

  test("has the host's nodes that its dictionary hands to it, under their own names", async () => {
    const page = methodPage("boot-docker");
    const job = page.job.replace(
      "grep -q ' /mnt ' /proc/mounts",
      "test $(head -c 3 /dev/ttyS9 | wc -c) = 3",
    );
    const devices = "{% set docker_devices = ['/dev/zero:/dev/ttyS9:r'] %}\n";
    const ran = await run({ ...page, job, dictionary: page.dictionary + devices });
    expect(verdicts(ran, "0_inside"), ran.text).toEqual({ init: "pass", volume: "pass" });
  });

  test("is gone when the job is canceled in the middle of a test", async () => {
    const page = methodPage("deploy-docker");
    const cancel = new AbortController();
    const ran = await run({
      ...page,
      job: page.job.replace("uname -a", "sleep 1000"),
      cancel: cancel.signal,
      onRecord: ({ msg }) => {
        if (String(msg).includes("<LAVA_SIGNAL_STARTTC kernel>"))
          cancel.abort(new JobFailure("Canceled", "The job was canceled"));
      },
    });
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Canceled" });
  });

  test("that can't be had is the lab's fault, with what the client said", async () => {
    const page = methodPage("deploy-docker");
    const job = page.job.replace('"debian:12"', '"localhost:1/nothing:1"');
    const ran = await run({ ...page, job });
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Infrastructure" });
    expect(ran.outcome.error_msg).toMatch(
      /^Unable to pull docker image 'localhost:1\/nothing:1': ./,
    );
  });
});

describe.each(benches)("$name: a test in a container beside the device", (bench) => {
  bench.use();
  const { run, folder } = bench;

  test("talks to the other devices of a multinode job", async () => {
    const page = methodPage("test-docker");
    const steps = [
      "lava-send here me=$(lava-self)",
      "lava-wait there",
      "lava-test-case told --shell grep -qx 8:word=kept /tmp/lava_multi_node_cache.txt",
      "lava-sync end",
    ];
    const group = standInGroup({
      answers: ({ op }) => acked(op === "wait" ? { "8": { word: "kept" } } : {}),
    });
    const job = `protocols: {lava-multinode: {role: client, target_group: g}}
${page.job.replace(/( *)- lava-test-case serial/, (first, indent: string) => `${steps.map((step) => `${indent}- ${step}\n`).join("")}${first}`)}`;
    const ran = await run({ ...page, job, group });
    expect(ran.outcome.result, ran.text).toBe("pass");
    expect(ran.text).toContain("lava-multinode-docker-test-shell");
    expect(group.calls.map(({ op, id }) => `${op} ${id}`)).toEqual([
      "send here",
      "wait there",
      "sync end",
    ]);
    expect(verdicts(ran, "0_beside")).toMatchObject({
      "multinode-wait-there": "pass",
      told: "pass",
    });
  });

  test("knows how to find and switch the board, as its page says", async () => {
    const page = methodPage("test-docker");
    const ran = await run(page);
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
    const dispatcher = { test_docker_bind_mounts: [[tools, "/tools", "ro"]] };
    const ran = await run({ ...page, job, dispatcher });
    expect(verdicts(ran, "0_beside")["bound"], ran.text).toBe("pass");
  });

  test("that takes too long ends with its container, as the test's fault", async () => {
    const page = methodPage("test-docker");
    const job = page.job
      .replace("--result pass --measurement 1.5", "--shell sleep 1000 #")
      .replace("docker: {", "timeout: {seconds: 8}\n      docker: {");
    const ran = await run({ ...page, job });
    expect(ran.outcome).toMatchObject({ result: "fail", error_type: "Test" });
  });

  test("gets the board's USB nodes, those that come later too, and no others", async () => {
    const usb = fakeUsb(bench, path.join(folder, "usb"));
    usb.add("1-1", { serial: "100040061d1e00e2", number: 4, tty: "ttyUSB7" });
    usb.add("1-2", { serial: "somebody-elses", number: 5 });
    vi.stubEnv("PUMICE_SYS", usb.sys);
    vi.stubEnv("PUMICE_DEV", usb.dev);
    const page = methodPage("test-docker");
    const steps = [
      "lava-test-case there --shell test -c /dev/bus/usb/001/004",
      "lava-test-case others --shell test ! -e /dev/bus/usb/001/005",
      // A node that reads as /dev/zero stands for a serial port.
      "lava-test-case tty --shell test $(head -c 3 /dev/ttyUSB7 | wc -c) = 3",
      "lava-test-case later --shell 'until test -c /dev/bus/usb/001/006; do sleep 0.1; done'",
    ].map((step) => `                - ${JSON.stringify(step)}\n`);
    const job = page.job.replace("steps:\n", `steps:\n${steps.join("")}`);
    const ran = await run({
      ...page,
      job,
      onRecord: ({ msg }) => {
        if (!String(msg).includes("<LAVA_SIGNAL_STARTTC later>")) return;
        usb.add("1-3", { serial: "100040061d1e00e2", number: 6 });
      },
    });
    expect(verdicts(ran, "0_beside"), ran.text).toMatchObject({
      there: "pass",
      others: "pass",
      tty: "pass",
      later: "pass",
    });
  });
});

interface UsbBoard {
  readonly serial: string;
  readonly number: number;
  /** `ttyUSB7`: it is a serial converter. */
  readonly tty?: string;
}

/** A /sys and a /dev with USB devices whose nodes are real ones, of numbers that no hardware here has. */
function fakeUsb(
  bench: ContainerBench,
  root: string,
): { sys: string; dev: string; add(port: string, device: UsbBoard): void } {
  const sys = path.join(root, "sys");
  const dev = path.join(root, "dev");
  mkdirSync(path.join(dev, "bus/usb/001"), { recursive: true });
  const makeNode = (name: string, minor: number): void => {
    const words = ["run", "--rm", "--cap-add=MKNOD", `--volume=${dev}:/n`, "debian:12"];
    bench.bed().client(...words, "mknod", `/n/${name}`, "c", "1", String(minor));
  };
  return {
    sys,
    dev,
    add: (port, { serial, number, tty }) => {
      // /dev/null and /dev/zero stand for devices: what matters is which nodes are made.
      makeNode(`bus/usb/001/${String(number).padStart(3, "0")}`, 3);
      if (tty !== undefined) makeNode(tty, 5);
      const at = path.join(sys, "bus/usb/devices", port);
      mkdirSync(path.join(at, `${port}:1.0`, tty ?? ""), { recursive: true });
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
