import type { DeviceConfiguration } from "#protocol/device-configuration.ts";
import type { JobDefinition } from "#protocol/job-definition.ts";
import { JobFailure } from "../pipeline/job-failure.ts";

/** How the test shell of a DUT looks like. */
export interface TestShell {
  /** Path of the shell that runs the tests. */
  readonly shell: string;
  /** `$L`: where the overlay is on the DUT. */
  readonly lavaDir: string;
  /** File that the login shell reads, for exported variables; undefined where there is none. */
  readonly shellFile: string | undefined;
}

const BASH_SYSTEMS = new Set(
  "debian debian_installer ubuntu fedora centos centos_installer archlinux slackware".split(" "),
);
const RESULTS_DIRS: Readonly<Record<string, string>> = {
  apertis: "/var/lib/lava-%s",
  android: "/data/local/tmp/lava-%s",
  lede: "/tmp/lava-results-%s",
};

/**
 * Settings of the test shell: the job's context over what the deployment's `os` implies over the
 * device's constants (DISPATCHER.md 15).
 *
 * @throws JobFailure Job when the folder can't be one.
 */
export function testShell(
  job: { jobId: number; definition: JobDefinition; device: DeviceConfiguration },
  os: string | undefined,
): TestShell {
  const context = record(record(job.definition)["context"]);
  const posix = record(record(record(job.device)["constants"])["posix"]);
  const setting = (name: string, ofSystem: string | undefined, fallback: string): string =>
    text(context[name]) ?? ofSystem ?? text(posix[name]) ?? fallback;
  const shellOfSystem = os === "android" ? "/system/bin/sh" : undefined;
  const known = os !== undefined && (BASH_SYSTEMS.has(os) || os in RESULTS_DIRS || os === "oe");
  const shell = setting(
    "lava_test_sh_cmd",
    os !== undefined && BASH_SYSTEMS.has(os)
      ? "/bin/bash"
      : (shellOfSystem ?? (known ? "/bin/sh" : undefined)),
    "/bin/sh",
  );
  const folder = setting(
    "lava_test_results_dir",
    known ? (RESULTS_DIRS[os] ?? "/lava-%s") : undefined,
    "/lava-%s",
  );
  const hasNoShellFile = os === "android" || os === "lede";
  return {
    shell,
    lavaDir: lavaDir(folder, job.jobId),
    shellFile: hasNoShellFile ? undefined : setting("lava_test_shell_file", undefined, "~/.bashrc"),
  };
}

function lavaDir(folder: string, jobId: number): string {
  if (!folder.includes("%s")) {
    throw new JobFailure(
      "Job",
      `lava_test_results_dir '${folder}': expected a %s for the job's id`,
    );
  }
  const dir = folder.replace("%s", String(jobId)).replace(/\/+$/, "");
  const parts = dir.split("/").slice(1);
  // It is typed in a shell, and names a folder in archives.
  if (!/^(\/[\w.@+-]+)+$/.test(dir) || parts.includes("..") || parts.includes(".")) {
    throw new JobFailure(
      "Job",
      `lava_test_results_dir '${folder}': expected an absolute path of letters, digits and ._@+-`,
    );
  }
  return dir;
}

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;
