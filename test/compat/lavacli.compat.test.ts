import { existsSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { aJob } from "../support/builders.ts";
import { hasLavacli, lavacliBench, type LavacliBench } from "./lavacli-bench.ts";
import { lacking } from "../support/lacking.ts";

/*
 * The real lavacli (Debian's package, 1.2) against a real `pumice serve`: each of its commands, with what it prints and how it
 * exits, as it does at a LAVA 2023.01. The tests go on from each other.
 */
describe.skipIf(lacking(!hasLavacli, "lavacli is missing"))("lavacli", () => {
  let bench: LavacliBench;
  /** What a command printed; throws when it exits otherwise. */
  async function run(args: string, code = 0): Promise<string> {
    const said = await bench.lavacli(...args.split(" "));
    if (said.code !== code)
      throw new Error(`lavacli ${args}: ${said.code}, not ${code}: ${said.text}`);
    return said.text;
  }

  beforeAll(async () => {
    bench = await lavacliBench();
    bench.file("job.yaml", aJob());
    bench.file("bad.yaml", "a: 1\n");
    bench.file("text.yaml", "overrides: {A: b}\n");
    bench.file("d.jinja2", "{% extends 'qemu.jinja2' %}\n{% set memory = 256 %}\n");
  });
  afterAll(() => bench.close());

  test("is set up with an identity", async () => {
    const { url, adminToken } = bench;
    await run(`identities add --uri ${url}/RPC2 --username admin --token ${adminToken} default`);
    expect(await run("identities list")).toContain("default");
    expect(await run("identities show default")).toContain(url);
    await run(`identities add --uri ${url}/RPC2 --username admin --token wrong wrong`);
    expect(await run("-i wrong jobs list", 1)).toContain("401");
    await run("identities delete wrong");
  });

  test("system", async () => {
    expect(await run("system version")).toBe("2023.01\n");
    expect(await run("system api")).toBe("2\n");
    expect(await run("system whoami")).toBe("admin\n");
    expect(await run("system methods list")).toContain("scheduler.jobs.submit\n");
    expect(await run("system methods help scheduler.jobs.show")).toContain("job_id");
    expect(await run("system methods signature scheduler.jobs.show")).toContain("undef");
  });

  test("jobs submit, list, show, queue, definition, cancel while they wait", async () => {
    expect(await run("jobs submit job.yaml")).toBe("1\n");
    expect(await run("jobs submit job.yaml")).toBe("2\n");
    expect(await run("jobs list")).toMatch(/\* 2: \w+,Unknown \[admin\] \(smoke\) - qemu\n\* 1: /);
    expect(await run("jobs list --state SUBMITTED --limit 1 --json")).toContain('"id": 2');
    expect(await run("jobs show 1")).toMatch(/id +: 1\n/);
    expect(await run("jobs show 1 --yaml")).toContain("submitter: admin");
    expect(await run("jobs queue")).toContain("* 2: admin");
    expect(await run("jobs queue qemu")).toContain("smoke");
    expect(await run("jobs definition 1")).toContain("job_name: smoke");
    await run("jobs cancel 2");
    expect(await run("jobs show 2")).toMatch(/Canceled/);
    expect(await run("jobs submit bad.yaml")).toContain("Problem with submitted job data");
    expect(await run("jobs show 99", 1)).toContain("Job '99' was not found.");
  });

  test("jobs validate", async () => {
    await run("jobs validate job.yaml");
    await run("jobs validate --strict job.yaml");
    expect(await run("jobs validate bad.yaml", 1)).toContain("missing");
  });

  test("jobs wait, logs, run, resubmit; results", async () => {
    bench.startWorker();
    await run("jobs wait --polling 1 1");
    expect(await run("jobs show 1")).toMatch(/Complete/);
    expect(await run("jobs logs --polling 1 1")).toContain("start: 0 validate");
    expect(await run("jobs logs --no-follow --raw --start 1 --end 2 1")).toContain("root@dut");
    const ran = await run("jobs run --polling 1 job.yaml");
    expect(ran).toContain("root@dut");
    expect(await run("jobs resubmit 1")).toBe("4\n");
    await run("jobs wait --polling 1 4");
    expect(await run("results 1")).toMatch(/\* 0_smoke\.ok \[pass\]/);
    expect(await run("results 1 0_smoke")).toContain("ok");
    expect(await run("results 1 0_smoke ok --yaml")).toContain("measurement: '3.5");
    expect(await run("results 99", 1)).toContain("Specified job not found.");
    expect(await run("jobs list --health COMPLETE --verbose --since 5")).toContain("* 1: Finished");
    expect(await run("jobs cancel 1")).toBe("");
  });

  test("jobs config gets so far as with LAVA: this version of lavacli can't write what it is given", async () => {
    expect(await run(`jobs config --dest ${bench.dir} 1`, 1)).toMatch(/Binary/);
  });

  test("workers", async () => {
    await run("workers add --description cellar far");
    expect(await run("workers list")).toBe("Workers:\n* bench\n* far\n");
    await run("workers update --description shelf --job-limit 2 far");
    expect(await run("workers show far")).toMatch(/shelf/);
    await run("workers maintenance --force far");
    expect(await run("workers show far --yaml")).toContain("health: Maintenance");
    await run("workers update --health ACTIVE far");
    await run("workers config set far text.yaml");
    expect(await run("workers config get far")).toContain("overrides: {A: b}");
    await run("workers env set far text.yaml");
    expect(await run("workers env get far")).toContain("overrides: {A: b}");
    expect(await run("workers show nosuch", 1)).toContain("Worker 'nosuch' was not found.");
  });

  test("device-types", async () => {
    await run(
      "device-types add --description board --health-frequency 5 --health-denominator jobs own",
    );
    expect(await run("device-types list")).toContain("* own (0)");
    expect(await run("device-types list --all")).toContain("* qemu (1)");
    await run("device-types update --health-disabled own");
    expect(await run("device-types show own")).toMatch(/health disabled +: True/);
    await run("device-types aliases add own plank");
    expect(await run("device-types aliases list own")).toContain("plank");
    await run("device-types aliases delete own plank");
    await run("device-types template set own d.jinja2");
    expect(await run("device-types template get own")).toContain("set memory = 256");
    await run("device-types health-check set own job.yaml");
    expect(await run("device-types health-check get own")).toContain("job_name: smoke");
    expect(await run("device-types show nosuch", 1)).toContain(
      "Device-type 'nosuch' was not found.",
    );
  });

  test("devices", async () => {
    await run("devices add --type qemu --worker far qemu-02");
    expect(await run("devices list")).toMatch(/\* qemu-02 \(qemu\): Idle,Unknown/);
    expect(await run("devices list --all")).toContain("qemu-01");
    await run("devices update --description shelf --health GOOD qemu-02");
    expect(await run("devices show qemu-02")).toMatch(/description +: shelf/);
    await run("devices dict set qemu-02 d.jinja2");
    expect(await run("devices dict get qemu-02")).toContain("set memory = 256");
    expect(await run("devices dict get --render qemu-02")).toContain("-m 256");
    expect(await run("devices dict get qemu-02 memory")).toContain("256");
    await run("devices tags add qemu-02 kvm");
    expect(await run("devices tags list qemu-02")).toContain("kvm");
    await run("devices tags delete qemu-02 kvm");
    await run("devices maintenance --force qemu-02");
    expect(await run("devices show qemu-02 --yaml")).toContain("health: Maintenance");
    expect(await run("devices show nosuch", 1)).toContain("Device 'nosuch' was not found.");
  });

  test("aliases and tags", async () => {
    await run("aliases add box qemu");
    expect(await run("aliases list")).toContain("* box");
    expect(await run("aliases show box")).toContain("qemu");
    await run("aliases delete box");
    await run("tags add --description usb-port usb");
    expect(await run("tags list")).toContain("* usb (usb-port)");
    expect(await run("tags show usb")).toContain("usb-port");
    await run("tags delete usb");
    expect(await run("tags list")).not.toContain("usb");
  });

  test("system export, maintenance and active", async () => {
    await run("system export --full export");
    const exported = path.join(bench.dir, "export");
    expect(existsSync(exported)).toBe(true);
    await run("system maintenance");
    expect(await run("workers show bench --yaml")).toContain("health: Maintenance");
    await run("system active");
    expect(await run("workers show bench --yaml")).toContain("health: Active");
  });

  // It says nobody's name there, also where it has one: it hears what the lab shows to everybody.
  test("events listen, in a lab that is shown to people who are not signed in", async () => {
    const permissions = { view: ["anonymous"] };
    await bench.api("PUT", "/settings", { settings: { access: { permissions } } });
    const listening = bench.follow("events", "listen");
    await listening.says("Connecting to");
    // It does not say when it is connected: something happens until it has heard of it.
    const heard = listening.says("[bench] state=Online health=Active");
    let isHeard = false;
    void heard.then(() => (isHeard = true));
    while (!isHeard) {
      await run("workers maintenance --force bench");
      await run("workers update --health ACTIVE bench");
    }
    await heard;
    await listening.stop();
  });

  test("events wait needs ZeroMQ, and says what there is in its place", async () => {
    expect(await run("events wait worker bench --state OFFLINE", 1)).toContain("WebSocket");
  });
});
