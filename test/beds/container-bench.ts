import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeEach, expect, vi } from "vitest";
import { runOnBed, type BedRan, type BedRun } from "../support/run-on-bed.ts";
import type { ContainerBed } from "./container-bed.ts";
import { start as startDocker } from "./docker-daemon.ts";
import { start as startPodman } from "./podman.ts";

export interface ContainerBench {
  readonly name: string;
  /** For the files of the tests; goes with the bed. */
  readonly folder: string;
  /** @throws Error when it could not start. */
  readonly bed: () => ContainerBed;
  /** Names of all containers, by line; empty when there are none. */
  readonly containers: () => string;
  /** Runs a job as number 42, and sees that it leaves no container. */
  readonly run: (job: BedRun) => Promise<BedRan>;
  /** To be called in a `describe`: its tests use this bed, or are skipped with the reason. */
  readonly use: () => void;
}

const STARTS = { podman: startPodman, docker: startDocker };

/** A bed of containers for the tests of a file, until they are over. */
export async function containerBench(name: keyof typeof STARTS): Promise<ContainerBench> {
  const folder = mkdtempSync(path.join(tmpdir(), `pumice-${name}-`));
  let why = "";
  const started = await STARTS[name](folder, () => {}).catch((error: Error): undefined => {
    why = error.message.split("\n").slice(0, 3).join(" ");
    console.warn(`skipped: ${name} can't run on this machine: ${why}`);
  });
  afterAll(async () => {
    await started?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const bed = (): ContainerBed => {
    if (!started) throw new Error(why);
    return started;
  };
  const containers = (): string => bed().client("ps", "--all", "--format", "{{.Names}}").trim();
  return {
    name,
    folder,
    bed,
    containers,
    run: async (job) => {
      const dispatcher = { container_client: name, dispatcher_ip: "127.0.0.1", ...job.dispatcher };
      const ran = await runOnBed({ jobId: 42, ...job, dispatcher });
      expect(containers()).toBe("");
      return ran;
    },
    use: () => {
      beforeEach((context) => {
        if (!started) context.skip(why);
        vi.stubEnv("PATH", `${started?.bin}:${process.env["PATH"]}`);
      });
      afterEach(() => void vi.unstubAllEnvs());
    },
  };
}
