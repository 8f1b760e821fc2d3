import { execFileSync, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { TestDefinitionEntry } from "#protocol/job-actions.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import {
  guestDriveSlot,
  imagesSlot,
  overlaySlot,
  overlayTarballSlot,
} from "../../worker/pipeline/job-slots.ts";
import { deployJob, runDeploy, type Deployed } from "./run-deploy.ts";

let cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups) cleanup();
  cleanups = [];
});
function folder(): string {
  const dir = mkdtempSync(path.join(tmpdir(), "pumice-tmpfs-"));
  cleanups.push(() => rmSync(dir, { recursive: true }));
  return dir;
}

const inline = (
  name: string,
  more: Record<string, unknown> = {},
  entry: Partial<TestDefinitionEntry> = {},
): TestDefinitionEntry => ({
  from: "inline",
  name,
  path: `inline/${name}.yaml`,
  repository: {
    metadata: { format: "Lava-Test Test Definition 1.0", name },
    run: { steps: [`lava-test-case ${name}-ran --result pass`] },
    ...more,
  },
  ...entry,
});

/** An initramfs with one file, as a URL. */
function initramfs(dir: string): string {
  mkdirSync(path.join(dir, "root"));
  writeFileSync(path.join(dir, "root/init"), "#!/bin/sh\n");
  const file = path.join(dir, "initramfs.cpio.gz");
  execFileSync("sh", [
    "-c",
    `cd '${dir}/root' && find . | cpio -o -H newc --quiet | gzip >'${file}'`,
  ]);
  return `file://${file}`;
}

async function deploy(
  images: Record<string, unknown>,
  tests: TestDefinitionEntry[][],
  more: Partial<JobDefinition> = {},
  block: Record<string, unknown> = {},
): Promise<Deployed> {
  const job = deployJob({
    actions: [
      { deploy: { to: "tmpfs", images, ...block } },
      { boot: { method: "qemu" } },
      ...tests.map((definitions) => ({ test: { definitions } })),
    ],
    ...more,
  });
  cleanups.push(() => job.remove());
  return runDeploy(job);
}

/** Names in the cpio archives of an initramfs, the first of them compressed. */
function namesIn(image: string): string[] {
  const bytes = readFileSync(image);
  const second = bytes.indexOf("070701");
  const plain = spawnSync("cpio", ["-t", "--quiet"], {
    input: bytes.subarray(second),
    encoding: "utf8",
  });
  return plain.stdout.trim().split("\n");
}

describe("deploy to tmpfs", () => {
  test("has LAVA's plan", async () => {
    const url = initramfs(folder());
    const { plan, outcome } = await deploy(
      {
        kernel: { url, image_arg: "-kernel {kernel}" },
        ramdisk: { url, image_arg: "-initrd {ramdisk}" },
      },
      [[inline("a")], [inline("b")]],
    );
    expect(outcome).toEqual({ result: "pass" });
    expect(plan.slice(0, -3).join("\n")).toBe(`1 deployimages
1.1 lava-overlay
1.1.1 lava-multinode-overlay
1.1.2 test-definition
1.1.2.1 inline-repo-action
1.1.2.2 test-overlay
1.1.2.3 test-install-overlay
1.1.2.4 test-runscript-overlay
1.1.2.5 inline-repo-action
1.1.2.6 test-overlay
1.1.2.7 test-install-overlay
1.1.2.8 test-runscript-overlay
1.1.3 compress-overlay
1.2 deploy-device-env
1.3 download-retry
1.3.1 file-download
1.4 download-retry
1.4.1 file-download
1.5 apply-overlay-guest`);
  });

  test("without tests brings no overlay", async () => {
    const url = initramfs(folder());
    const { plan, slots } = await deploy({ ramdisk: { url, image_arg: "-initrd {ramdisk}" } }, []);
    expect(plan).toEqual(["1 deployimages", "1.1 download-retry", "1.1.1 file-download", "2 look"]);
    expect(slots?.take(imagesSlot).get("ramdisk")?.imageArg).toBe("-initrd {ramdisk}");
  });

  test("records size and checksum of a download", async () => {
    const dir = folder();
    writeFileSync(path.join(dir, "kernel"), "four");
    const { results } = await deploy(
      { kernel: { url: `file://${dir}/kernel`, md5sum: "8cbad96aced40b3838dd9f07f6ef5772" } },
      [],
    );
    expect(results.find((record) => record["case"] === "file-download")).toMatchObject({
      definition: "lava",
      result: "pass",
      level: "1.1.1",
      extra: {
        label: "kernel",
        size: 4,
        sha256sum: "04efaf080f5a3e74e1c29d1ca6a48569382cbbcd324e8d59d2b83ef21c039f00",
        success: { md5: "8cbad96aced40b3838dd9f07f6ef5772" },
      },
    });
  });

  test("fails at validation when a file isn't there, and tells all mistakes at once", async () => {
    const { outcome, results } = await deploy(
      {
        kernel: { url: "file:///nonexistent/vmlinuz" },
        other: { url: "ftp://x/y" },
        packed: { url: "file:///etc/hostname", compression: "rar" },
      },
      [[inline("same")], [inline("same")]],
    );
    expect(outcome.error_type).toBe("Job");
    for (const said of [
      "Resource unavailable at 'file:///nonexistent/vmlinuz'",
      "expected an address that begins with http://",
      "compression 'rar': expected gz, bz2, xz, zstd or zip",
      "Test definition names need to be unique.",
    ]) {
      expect(outcome.error_msg).toContain(said);
    }
    expect(results.map((record) => record["case"])).toEqual(["validate", "job"]);
  });

  test("takes nothing of a label or a URL into a path", async () => {
    const dir = folder();
    writeFileSync(path.join(dir, "a,b c.img.gz"), "plain");
    const { slots } = await deploy({ "../../x": { url: `file://${dir}/a,b c.img.gz` } }, []);
    const deployed = slots?.take(imagesSlot).get("../../x")?.path ?? "";
    expect(deployed).toMatch(/\/deploy-1\/[\w.-]+\/a_b_c\.img\.gz$/);
    expect(path.normalize(deployed)).toBe(deployed);
  });
});

describe("the overlay", () => {
  test("is appended to the initramfs when that is all there is", async () => {
    const url = initramfs(folder());
    const { slots, outcome } = await deploy(
      { kernel: { url }, ramdisk: { url, image_arg: "-m 1 -initrd {ramdisk}" } },
      [[inline("a")]],
    );
    expect(outcome).toEqual({ result: "pass" });
    expect(slots?.find(guestDriveSlot)).toBeUndefined();
    const names = namesIn(slots?.take(imagesSlot).get("ramdisk")?.path ?? "");
    expect(names).toContain("lava-7/bin/lava-test-runner");
    expect(names).toContain("lava-7/0/tests/0_a/run.sh");
    const tarball = execFileSync("tar", ["-tzf", slots?.take(overlayTarballSlot) ?? ""], {
      encoding: "utf8",
    });
    expect(tarball).toContain("lava-7/0/lava-test-runner.conf");
  });

  test("is a drive when there is a disk", async () => {
    const url = initramfs(folder());
    const { slots } = await deploy(
      {
        ramdisk: { url, image_arg: "-initrd {ramdisk}" },
        disk: { url, image_arg: "-drive file={disk},format=raw" },
      },
      [[inline("a")]],
    );
    const drive = slots?.take(guestDriveSlot);
    expect(drive).toMatchObject({ format: "raw", interface: "virtio", driveId: "lavatest" });
    expect(drive?.mountCommands[0]).toBe("mkdir -p /lava-7");
    expect(drive?.mountCommands.at(-1)).toBe("ls -la /lava-7/bin/lava-test-runner");
    const env = { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };
    execFileSync("e2fsck", ["-fn", drive?.path ?? ""], { env, stdio: "ignore" });
    for (const command of drive?.mountCommands ?? []) {
      expect(spawnSync("sh", ["-n"], { input: command }).status).toBe(0);
    }
  });

  test("goes into the image that asks for it, beside the job's own", async () => {
    const dir = folder();
    const url = initramfs(dir);
    mkdirSync(path.join(dir, "tree/sub"), { recursive: true });
    writeFileSync(path.join(dir, "tree/sub/file"), "x");
    execFileSync("tar", ["-C", path.join(dir, "tree"), "-cf", path.join(dir, "tree.tar"), "."]);
    const overlays = {
      lava: true,
      extra: { url: `file://${dir}/tree.tar`, format: "tar", path: "/opt/extra" },
      one: { url: `file://${dir}/root/init`, format: "file", path: "/etc/one" },
    };
    const { slots, plan, outcome } = await deploy(
      {
        ramdisk: {
          url,
          image_arg: "-initrd {ramdisk}",
          format: "cpio.newc",
          overlays,
          compression: "gz",
        },
      },
      [[inline("a")]],
    );
    expect(outcome).toEqual({ result: "pass" });
    expect(plan.filter((line) => line.startsWith("1.3")).map((line) => line.split(" ")[1])).toEqual(
      "download-retry file-download download-retry file-download download-retry file-download append-overlays".split(
        " ",
      ),
    );
    const image = slots?.take(imagesSlot).get("ramdisk")?.path ?? "";
    const strings = readFileSync(image, "latin1");
    for (const name of ["opt/extra/sub/file", "etc/one", "lava-7/environment"]) {
      expect(strings).toContain(`${name}\0`);
    }
    expect(slots?.find(guestDriveSlot)).toBeUndefined();
  });

  test.each([
    [
      { extra: { url: "file:///etc/hostname", format: "file", path: "/a/../../b" } },
      "absolute path",
    ],
    [{ extra: { url: "file:///etc/hostname", format: "zip", path: "/a" } }, "expected file or tar"],
  ])("is refused where its place is wrong", async (overlays, said) => {
    const url = initramfs(folder());
    const { outcome } = await deploy({ ramdisk: { url, format: "cpio.newc", overlays } }, []);
    expect(outcome.error_msg).toContain(said);
  });

  test("runs on a real shell: every stage's definitions, in order, with what the job gives them", async () => {
    const where = folder();
    const url = initramfs(folder());
    const { slots, outcome } = await deploy(
      { ramdisk: { url, image_arg: "-initrd {ramdisk}" } },
      [
        [
          inline(
            "first",
            {
              install: { steps: ["echo installing"], deps: ["some-package"] },
              run: {
                steps: [
                  "echo $GREETING in $LAVA_JOB_ID",
                  ". ../../../secrets; echo $TOKEN",
                  "false",
                  "echo never",
                ],
              },
            },
            { parameters: { GREETING: "it's me" } },
          ),
          inline("broken", { install: { steps: ["exit 3"] } }),
          inline("second"),
        ],
        [inline("third")],
      ],
      {
        context: { arch: "x86_64", lava_test_results_dir: `${where}/lava-%s` },
        secrets: { TOKEN: "a b" },
      },
    );
    expect(outcome).toEqual({ result: "pass" });
    const overlay = slots?.take(overlaySlot);
    expect(overlay?.stages.map((stage) => stage.map(({ testrunId }) => testrunId))).toEqual([
      ["0_first", "1_broken", "2_second"],
      ["3_third"],
    ]);
    const lavaDir = overlay?.lavaDir ?? "";
    cpSync(overlay?.sourceDir ?? "", lavaDir, { recursive: true });
    const script = `. ${lavaDir}/environment; ${lavaDir}/bin/lava-test-runner ${lavaDir}/0`;
    const options = {
      encoding: "utf8",
      env: { PATH: process.env["PATH"], LAVA_JOURNAL: "off" },
    } as const;
    const { stdout } = spawnSync("/bin/sh", ["-c", script], options);
    const lines = stdout.split("\n").filter((line) => !line.startsWith("#") && line !== "");
    expect(lines).toEqual([
      "<LAVA_JOURNAL OFF>",
      "Packages to install: some-package",
      "The test shell has no way to do this on this system.",
      `${lavaDir}/0/tests/0_first`,
      "installing",
      "<LAVA_SIGNAL_STARTRUN 0_first 7_1.1.2.1>",
      "it's me in 7",
      "a b",
      `${lavaDir}/0/tests/1_broken`,
      "<LAVA_TEST_RUNNER INSTALL_FAIL>",
      "<LAVA_SIGNAL_STARTRUN 2_second 7_1.1.2.9>",
      "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=second-ran RESULT=pass>",
      "<LAVA_SIGNAL_ENDRUN 2_second 7_1.1.2.9>",
      "<LAVA_TEST_RUNNER EXIT>",
    ]);
    const again = spawnSync("/bin/sh", ["-c", script], options);
    expect(again.stdout).toBe("<LAVA_JOURNAL OFF>\n<LAVA_TEST_RUNNER EXIT>\n");
  });
});

describe("a definition from git", () => {
  function repository(dir: string, prepare: (origin: string) => void): string {
    const origin = path.join(dir, "origin");
    mkdirSync(origin);
    prepare(origin);
    const git = (...args: string[]): void =>
      void execFileSync(
        "git",
        ["-C", origin, "-c", "user.name=x", "-c", "user.email=x@y", ...args],
        { stdio: "ignore" },
      );
    git("init", "-q", "-b", "main");
    git("add", ".");
    git("commit", "-qm", "first");
    return `file://${origin}`;
  }
  const text = `metadata: {format: Lava-Test Test Definition 1.0, name: smoke}
install: {git-repos: [{url: REPO, destination: beside}]}
run: {steps: [lava-test-case a --result pass]}
parse: {pattern: "(?P<test_case_id>x)"}
expected: [a]
`;
  const definition = (repository: string, entry: Partial<TestDefinitionEntry> = {}) => [
    [
      {
        from: "git",
        name: "smoke",
        path: "sub/smoke.yaml",
        repository,
        ...entry,
      } as TestDefinitionEntry,
    ],
  ];

  test("is cloned with what it clones, and its commit is recorded", async () => {
    const dir = folder();
    const repo = repository(dir, (origin) => {
      mkdirSync(path.join(origin, "sub"));
      writeFileSync(path.join(origin, "sub/smoke.yaml"), text);
    });
    const { outcome, results, slots } = await deploy(
      { ramdisk: { url: initramfs(dir), image_arg: "-initrd {ramdisk}" } },
      definition("$BASE", { history: false, parameters: { REPO: repo } }),
      { secrets: { BASE: repo } },
    );
    expect(outcome).toEqual({ result: "pass" });
    const commit = execFileSync("git", ["-C", path.join(dir, "origin"), "rev-parse", "HEAD"], {
      encoding: "utf8",
    }).trim();
    expect(results.find((record) => record["case"] === "git-repo-action")?.["extra"]).toEqual({
      commit,
      repository: "$BASE",
      path: "sub/smoke.yaml",
    });
    const overlay = slots?.take(overlaySlot);
    expect(overlay?.stages[0]?.[0]).toMatchObject({
      uuid: "7_1.1.2.1",
      commitId: commit,
      pattern: "(?P<test_case_id>x)",
      expected: ["a"],
    });
    const made = path.join(overlay?.sourceDir ?? "", "0/tests/0_smoke");
    expect(existsSync(path.join(made, ".git"))).toBe(false);
    expect(existsSync(path.join(made, "beside/sub/smoke.yaml"))).toBe(true);
  });

  test.each<[string, (origin: string, outside: string) => void, string]>([
    [
      "whose file is a link out of the repository",
      (origin, outside) => {
        mkdirSync(path.join(origin, "sub"));
        symlinkSync(outside, path.join(origin, "sub/smoke.yaml"));
      },
      "it leads out of it",
    ],
    [
      "without the file",
      (origin) => writeFileSync(path.join(origin, "x"), ""),
      "there is no such file",
    ],
    [
      "that is no YAML",
      (origin) => {
        mkdirSync(path.join(origin, "sub"));
        writeFileSync(path.join(origin, "sub/smoke.yaml"), "a: [1\nb: 2");
      },
      "Unable to read test definition sub/smoke.yaml:2:",
    ],
  ])("is refused %s", async (_, prepare, said) => {
    const dir = folder();
    const outside = path.join(dir, "outside.yaml");
    writeFileSync(outside, text);
    const repo = repository(dir, (origin) => prepare(origin, outside));
    const { outcome } = await deploy({ ramdisk: { url: initramfs(dir) } }, definition(repo));
    expect(outcome.error_type).toBe("Job");
    expect(outcome.error_msg).toContain(said);
  });

  test("never writes through a link that the repository has in our files' place", async () => {
    const dir = folder();
    const victim = path.join(dir, "victim");
    writeFileSync(victim, "untouched");
    const repo = repository(dir, (origin) => {
      mkdirSync(path.join(origin, "sub"));
      writeFileSync(path.join(origin, "sub/smoke.yaml"), text.replace(/install.*\n/, ""));
      for (const name of ["run.sh", "uuid", "testdef.yaml"])
        symlinkSync(victim, path.join(origin, name));
    });
    const { outcome } = await deploy({ ramdisk: { url: initramfs(dir) } }, definition(repo));
    expect(outcome).toEqual({ result: "pass" });
    expect(readFileSync(victim, "utf8")).toBe("untouched");
  });

  test.each(["../../x.yaml", "/etc/passwd", "a/../../x"])(
    "is refused when its path is %s",
    async (name) => {
      const { outcome } = await deploy(
        { ramdisk: { url: initramfs(folder()) } },
        definition("https://example.invalid/x", { path: name }),
      );
      expect(outcome.error_msg).toContain(`path '${name}'`);
    },
  );
});

test("a definition from a url is unpacked without its leading folder", async () => {
  const dir = folder();
  mkdirSync(path.join(dir, "top/smoke"), { recursive: true });
  writeFileSync(
    path.join(dir, "top/smoke/smoke.yaml"),
    "metadata: {format: x, name: y}\nrun: {steps: [echo hello]}\n",
  );
  execFileSync("tar", ["-C", dir, "-czf", path.join(dir, "tests.tar.gz"), "top"]);
  const { outcome, slots, plan } = await deploy(
    { ramdisk: { url: initramfs(dir), image_arg: "-initrd {ramdisk}" } },
    [
      [
        {
          from: "url",
          name: "tarred",
          path: "smoke/smoke.yaml",
          repository: `file://${dir}/tests.tar.gz`,
          compression: "gz",
          "strip-components": 1,
        },
      ],
    ],
  );
  expect(outcome).toEqual({ result: "pass" });
  expect(plan.slice(4, 7)).toEqual([
    "1.1.2.1 url-repo-action",
    "1.1.2.1.1 download-retry",
    "1.1.2.1.1.1 file-download",
  ]);
  const made = path.join(slots?.take(overlaySlot).sourceDir ?? "", "0/tests/0_tarred");
  expect(readFileSync(path.join(made, "run.sh"), "utf8")).toContain("\necho hello\n");
});
