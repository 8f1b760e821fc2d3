import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { DeployBlock } from "#protocol/job-actions.ts";
import { downloadsDeploy } from "../../worker/actions/deploy/downloads.ts";
import { scriptText } from "../../worker/actions/deploy/download-postprocess.ts";
import { imagesSlot } from "../../worker/pipeline/job-slots.ts";
import { aJobContext } from "../support/plan-of.ts";
import { deployJob, runDeploy, type Deployed } from "./run-deploy.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "pumice-files-"));
  writeFileSync(path.join(dir, "a.img"), "a");
  writeFileSync(path.join(dir, "b.img.gz"), gzipSync("b"));
});
afterEach(() => rmSync(dir, { recursive: true }));
const url = (name: string): string => `file://${dir}/${name}`;

const downloads = (images: Record<string, object>): DeployBlock => ({ to: "downloads", images });
const uses = (images: Record<string, object>): DeployBlock => ({ to: "tmpfs", images });

async function deployed(
  blocks: DeployBlock[],
  look: (ran: Deployed, scratch: string) => void | Promise<void>,
): Promise<void> {
  const job = deployJob({
    actions: [...blocks.map((deploy) => ({ deploy })), { boot: { method: "x" } }],
  });
  try {
    await look(await runDeploy(job, [downloadsDeploy]), job.scratch);
  } finally {
    job.remove();
  }
}

test("files are put beside each other under their own names, decompressed", async () => {
  const block = downloads({
    one: { url: url("a.img") },
    two: { url: url("b.img.gz"), compression: "gz" },
  });
  await deployed([block], ({ outcome, plan }, scratch) => {
    expect(outcome.result).toBe("pass");
    const folder = path.join(scratch, "downloads/common");
    expect(readdirSync(folder)).toEqual(["a.img", "b.img"]);
    expect(readFileSync(path.join(folder, "b.img"), "utf8")).toBe("b");
    expect(plan.slice(0, 3)).toEqual(["1 downloads", "1.1 download-retry", "1.1.1 file-download"]);
  });
});

test("a later deployment gets a file by downloads://, with or without slashes, without copying it", async () => {
  const first = downloads({ one: { url: url("a.img") } });
  const second = uses({ x: { url: "downloads://a.img" }, y: { url: "downloads:///a.img" } });
  await deployed([first, second], ({ outcome, slots, plan }, scratch) => {
    expect(outcome).toEqual({ result: "pass" });
    expect(plan).toContain("2.1.1 pre-downloaded");
    const original = statSync(path.join(scratch, "downloads/common/a.img"));
    for (const label of ["x", "y"]) {
      const { path: file } = slots?.take(imagesSlot).get(label) ?? { path: "" };
      expect(statSync(file).ino).toBe(original.ino);
      expect(path.basename(file)).toBe("a.img");
    }
  });
});

test("a file of the downloads is decompressed and checked when the job says so", async () => {
  const first = downloads({ one: { url: url("b.img.gz") } });
  const second = uses({ x: { url: "downloads://b.img.gz", compression: "gz" } });
  await deployed([first, second], ({ slots }) => {
    const { path: file } = slots?.take(imagesSlot).get("x") ?? { path: "" };
    expect(readFileSync(file, "utf8")).toBe("b");
  });
  const wrong = uses({ x: { url: "downloads://b.img.gz", sha256sum: "0".repeat(64) } });
  await deployed([first, wrong], ({ outcome }) => {
    expect(outcome.error_msg).toContain("sha256 for");
  });
});

test("a file that isn't there fails the job with those that are", async () => {
  const blocks = [
    downloads({ one: { url: url("a.img") } }),
    uses({ x: { url: "downloads://boot.img" } }),
  ];
  await deployed(blocks, ({ outcome }) => {
    expect(outcome).toMatchObject({
      error_type: "Job",
      error_msg: "Resource unavailable: boot.img (available: a.img)",
    });
  });
});

test.each(["../../../../../../../../../etc/hostname", "link"])(
  "nothing outside of the downloads can be had (%s)",
  async (name) => {
    const job = deployJob({
      actions: [
        { deploy: downloads({ one: { url: url("a.img") } }) },
        { deploy: uses({ x: { url: `downloads://${name}` } }) },
      ],
    });
    try {
      // As a step in a container could have made it.
      const planted = {
        ...downloadsDeploy,
        action: (...args: Parameters<typeof downloadsDeploy.action>) => ({
          ...downloadsDeploy.action(...args),
          runAfter: async () =>
            symlinkSync("/etc/hostname", path.join(job.scratch, "downloads/common/link")),
        }),
      };
      const { outcome } = await runDeploy(job, [planted]);
      expect(outcome.error_msg).toContain("Resource unavailable: ");
    } finally {
      job.remove();
    }
  },
);

test("a second deployment begins with an empty folder", async () => {
  const blocks = [
    downloads({ one: { url: url("a.img") } }),
    downloads({ two: { url: url("b.img.gz") } }),
  ];
  await deployed(blocks, (_, scratch) => {
    expect(readdirSync(path.join(scratch, "downloads/common"))).toEqual(["b.img.gz"]);
  });
});

test("uniquify: false is for deployments with one folder a label; downloads have none anyway", async () => {
  const block = { ...downloads({ one: { url: url("a.img") } }), uniquify: true };
  await deployed([block], (_, scratch) => {
    expect(existsSync(path.join(scratch, "downloads/common/a.img"))).toBe(true);
  });
});

test("the steps' script has the job's variables, quoted, and ends with the first step that fails", () => {
  const job = {
    ...aJobContext({ environment: { MY: "it's $HOME", "not a name": "x" } }),
    dispatcher: { dispatcher_ip: "10.0.0.1", prefix: "lab-" },
  };
  const text = scriptText(
    job,
    ['echo "$MY" "$NFS_ROOTFS" $LAVA_JOB_ID $LAVA_DISPATCHER_IP', "true"],
    {
      NFSROOTFS: "/srv/x",
    },
  );
  const said = execFileSync("/bin/sh", ["-c", text], { encoding: "utf8" });
  expect(said).toMatch(/^it's \$HOME \/srv\/x 7 10\.0\.0\.1$/m);
  const failing = scriptText(job, ["false", "echo never"], {});
  expect(() => execFileSync("/bin/sh", ["-c", failing], { stdio: "ignore" })).toThrow();
});
