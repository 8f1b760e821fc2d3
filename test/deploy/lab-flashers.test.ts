import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { flasherDeploy } from "../../worker/actions/deploy/flasher.ts";
import { usbgMsDeploy } from "../../worker/actions/deploy/usbg-ms.ts";
import { startFileShelf } from "../beds/file-shelf.ts";
import { methodPage } from "../support/method-page.ts";
import { runOnBed, type BedRan } from "../support/run-on-bed.ts";
import { deployJob, runDeploy, type Deployed } from "./run-deploy.ts";

let dir = "";
const at = (name: string): string => path.join(dir, name);
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-lab-"));
  writeFileSync(at("image.bin"), "image");
  // The lab's own tool: notes how it was called, and fails when it is told to.
  writeFileSync(
    at("tool"),
    `#!/bin/sh
{ for word in "$@"; do printf '[%s]' "$word"; done; echo; } >>${at("calls")}
pwd >${at("cwd")}
[ "$1" != fail ] || { echo "no board"; exit 3; }
`,
  );
  chmodSync(at("tool"), 0o755);
});
afterEach(() => rmSync(dir, { recursive: true }));
const calls = (): string[] =>
  existsSync(at("calls")) ? readFileSync(at("calls"), "utf8").trim().split("\n") : [];

async function deploy(
  block: DeployBlock,
  methods: Record<string, unknown>,
  look: (ran: Deployed) => void,
): Promise<void> {
  const job = deployJob({ actions: [{ deploy: block }] });
  const { device } = job;
  const own = {
    ...device,
    actions: { ...device.actions, deploy: { ...device.actions.deploy, methods } },
  };
  try {
    look(await runDeploy({ ...job, device: own }, [flasherDeploy, usbgMsDeploy]));
  } finally {
    job.remove();
  }
}

describe("a flasher", () => {
  const flasher = (...commands: string[]) => ({ flasher: { commands } });
  const images = {
    root_fs: { url: "" },
    direct: { url: "http://files.example.com/a b'c", download: false },
  };
  beforeEach(() => {
    images.root_fs.url = `file://${at("image.bin")}`;
  });

  test("gets paths and addresses as single words, whatever is in them, in a folder of its own", async () => {
    const block = { to: "flasher", images };
    const commands = [
      `${at("tool")} write {ROOT_FS} --url={DIRECT} {UNKNOWN}`,
      `${at("tool")} end`,
    ];
    await deploy(block, flasher(...commands), ({ outcome, plan }) => {
      expect(outcome).toEqual({ result: "pass" });
      expect(plan).toEqual([
        "1 deploy-flasher-retry",
        "1.1 deploy-flasher",
        "1.1.1 download-retry",
        "1.1.1.1 file-download",
      ]);
      expect(calls()).toEqual([
        expect.stringMatching(
          /^\[write\]\[\/.*\/image\.bin\]\[--url=http:\/\/files\.example\.com\/a b'c\]\[\{UNKNOWN\}\]$/,
        ),
        "[end]",
      ]);
      expect(readFileSync(at("cwd"), "utf8")).toContain("/flasher-1.1");
    });
  });

  test("that fails is the lab's fault, with its words, and what follows is not run", async () => {
    const commands = [`${at("tool")} fail`, `${at("tool")} end`];
    await deploy({ to: "flasher", images }, flasher(...commands), ({ outcome }) => {
      expect(outcome.error_type).toBe("Infrastructure");
      expect(outcome.error_msg).toMatch(/Unable to flash: .*exit code 3.*no board/);
      expect(calls()).toEqual(["[fail]"]);
    });
  });

  test("is refused where the device has none, or an address could be an option", async () => {
    await deploy({ to: "flasher", images }, { image: null }, ({ outcome }) => {
      expect(outcome.error_msg).toContain("the device has no deploy method flasher (it has image)");
    });
    const wrong = { x: { url: "--delete", download: false } };
    await deploy({ to: "flasher", images: wrong }, flasher("true"), ({ outcome }) => {
      expect(outcome.error_msg).toContain("images.x has no url");
    });
  });
});

/** Runs a page's job with the lab's commands and files of this test. */
async function runPage(name: string, changes: Record<string, string>): Promise<BedRan> {
  const page = methodPage(name);
  const shelf = await startFileShelf({
    "boot.img": at("image.bin"),
    "rootfs.ext4.gz": at("image.gz"),
  });
  const replaced = Object.entries(changes).reduce(
    (text, [from, to]) => text.replaceAll(from, to),
    page.dictionary,
  );
  try {
    const job = page.job.replaceAll("http://files.example.com/", shelf.url);
    return await runOnBed({ job, dictionary: replaced });
  } finally {
    await shelf.close();
  }
}

test("the page of usbg-ms runs: the image is shown, and taken away at the end", async () => {
  writeFileSync(at("image.gz"), gzipSync("image"));
  const ran = await runPage("deploy-usbg-ms", { "/usr/local/bin/usb-disk": at("tool") });
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(calls()).toEqual([
    "[off]",
    expect.stringMatching(/^\[on\]\[.*\/rootfs\.ext4\]$/),
    "[off]",
  ]);
});

test("the page of download runs: the board is reset into fastboot, the files are there", async () => {
  const reset = "pumice-power tasmota http://plug.example.com 1";
  const ran = await runPage("deploy-download", { [reset]: at("tool") });
  expect(ran.outcome, ran.text).toMatchObject({ result: "pass" });
  expect(calls()[0]).toBe("[cycle]");
  expect(ran.results).toContainEqual(
    expect.objectContaining({ case: "http-download", result: "pass" }),
  );
});

describe("a USB gadget", () => {
  const gadget = (enable: string) => ({
    "usbg-ms": { enable: `${at("tool")} ${enable}`, disable: [`${at("tool")} fail`] },
  });

  test("is taken down first, whatever that says, and at the end of the job", async () => {
    const block = { to: "usbg-ms", image: { url: `file://${at("image.bin")}` } };
    await deploy(block, gadget("on {IMAGE}"), ({ outcome }) => {
      // The end's failure counts: the next job would find this one's image.
      expect(outcome).toMatchObject({ error_type: "Infrastructure" });
      expect(calls()).toEqual([
        "[fail]",
        expect.stringMatching(/^\[on\]\[.*image\.bin\]$/),
        "[fail]",
      ]);
    });
  });

  test("needs exactly the two commands", async () => {
    const block = { to: "usbg-ms", image: { url: `file://${at("image.bin")}` } };
    await deploy(block, { "usbg-ms": { enable: "true" } }, ({ outcome }) => {
      expect(outcome.error_msg).toContain("usbg-ms has enable: expected enable and disable");
    });
  });
});
