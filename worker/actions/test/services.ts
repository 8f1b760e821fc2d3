import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import type { TestBlock } from "#protocol/job-actions.ts";
import { composeDown, composeProgram, composeUp } from "../../drivers/compose.ts";
import { downloadRules } from "../../host/download-rules.ts";
import { gitClone } from "../../host/git-clone.ts";
import { unpackTar } from "../../host/tar.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { stopServicesSlot } from "../../pipeline/job-slots.ts";
import { slot, type Slot } from "../../pipeline/slot.ts";
import type { TestStrategy } from "../../pipeline/strategy.ts";
import { downloadRetry } from "../download/download-action.ts";
import { appendEnvironment, composeFile } from "./service-files.ts";

type Service = NonNullable<TestBlock["services"]>[number];

/** Containers beside the board for as long as the job runs, by docker compose (TEST-SHELL.md 12). */
export const servicesTest: TestStrategy = {
  family: "test",
  name: "services",
  refuses: (block, { device }) => {
    if (block.services === undefined) return "the block has no services";
    const { allow_test_services } = (device.parameters ?? {}) as Record<string, unknown>;
    if (allow_test_services === true) return undefined;
    return "the device has no parameters.allow_test_services: true (allow_test_services in its dictionary)";
  },
  action: (block) => ({
    name: "lava-test-services",
    onTimeout: "LAVATimeout",
    steps: (block.services ?? []).map(serviceSteps),
  }),
};

function serviceSteps(service: Service): Action {
  const archive = slot<string>(`service ${service.name}`);
  const isGit = service.from === "git";
  return {
    name: "lava-test-service-retry",
    retries: true,
    onTimeout: "LAVATimeout",
    steps: [
      {
        name: "lava-test-service",
        onTimeout: "LAVATimeout",
        validate: ({ job }) => checkService(service, job),
        steps: isGit
          ? []
          : [downloadRetry({ label: service.name, source: sourceOf(service) }, archive)],
        runAfter: (context) => startService(context, service, archive),
      },
    ],
  };
}

const sourceOf = (service: Service): Record<string, unknown> => ({
  url: service.repository,
  headers: service["headers"],
  compression: service["compression"],
  md5sum: service["md5sum"],
  sha256sum: service["sha256sum"],
  sha512sum: service["sha512sum"],
});

/** @throws JobFailure Job or Infrastructure. */
async function checkService(service: Service, job: JobContext): Promise<void> {
  const { name, from, path: file, service: only } = service;
  const fail = (key: string, found: unknown, expected: string): never => {
    throw new JobFailure("Job", `service ${name}: ${key} '${String(found)}': expected ${expected}`);
  };
  if (!/^[a-zA-Z0-9][\w-]{0,62}$/.test(name)) fail("name", name, "letters, digits, - and _");
  if (from !== "git" && from !== "url") fail("from", from, "git or url");
  if (path.isAbsolute(file) || file.split("/").includes("..")) {
    fail("path", file, "a compose file inside of the repository");
  }
  if (only !== undefined && !/^[\w][\w.-]*$/.test(only)) {
    fail("service", only, "the name of a service in the compose file");
  }
  requireTool(from === "git" ? "git" : "tar");
  await composeProgram(job);
}

async function startService(
  context: RunContext,
  service: Service,
  archive: Slot<string>,
): Promise<void> {
  const { job, level, slots, defer } = context;
  const folder = path.join(job.scratch, "services", `${service.name}-${level}`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(path.dirname(folder), { recursive: true });
  const commit = await fetchService(context, service, archive, folder);
  const file = await composeFile(folder, service.path);
  await appendEnvironment(path.dirname(file), job);
  const name = `lava-${job.jobId}-${level.replaceAll(".", "-")}-test-service-${service.name}`;
  // Compose takes no capitals for a project.
  const project = { name: name.toLowerCase(), file };
  let isUp = true;
  const stop = async (): Promise<void> => {
    if (!isUp) return;
    await composeDown({ ...context, signal: AbortSignal.timeout(STOP_SECONDS * 1000) }, project);
    isUp = false;
  };
  // Also when it does not start: a part of it may have.
  defer(stop);
  slots.put(stopServicesSlot, [...(slots.find(stopServicesSlot) ?? []), stop]);
  await composeUp(context, project, service.service);
  context.record({ name: service.name, ...(commit === undefined ? {} : { commit }) });
}

/** Containers are given ten seconds each to end by themselves. */
const STOP_SECONDS = 60;

/** The commit, of what comes from git. */
async function fetchService(
  { slots, signal, log, job }: RunContext,
  service: Service,
  archive: Slot<string>,
  target: string,
): Promise<string | undefined> {
  if (service.from !== "git") {
    const stripComponents = Number(service["strip-components"] ?? 0) || 0;
    await unpackTar(slots.take(archive), target, { stripComponents, signal });
    return undefined;
  }
  const text = (value: unknown): string | undefined =>
    value === undefined || value === null ? undefined : String(value);
  return gitClone({
    url: service.repository,
    target,
    branch: text(service["branch"]),
    revision: text(service["revision"]),
    ...(typeof service["shallow"] === "boolean" ? { shallow: service["shallow"] } : {}),
    ...(typeof service["history"] === "boolean" ? { history: service["history"] } : {}),
    recursive: service["recursive"] === true,
    rules: downloadRules(job.dispatcher),
    signal,
    onLine: (line) => log.debug(`>> ${line}`),
  });
}
