import { lstat, mkdir, readFile, realpath, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { stringify } from "yaml";
import type { TestDefinitionEntry } from "#protocol/job-actions.ts";
import { readTestDefinition, type TestDefinition } from "#protocol/test-definition.ts";
import { downloadRules } from "../../host/download-rules.ts";
import { gitClone } from "../../host/git-clone.ts";
import { unpackTar } from "../../host/tar.ts";
import { requireTool } from "../../host/tool.ts";
import type { Action, JobContext, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import { slot, type Slot } from "../../pipeline/slot.ts";
import { overlayFolderSlot } from "./overlay-slots.ts";
import { downloadRetry, type Artifact } from "../download/download-action.ts";

/** A definition of the job in its place: which test block, which definition of the namespace. */
export interface PlacedDefinition {
  readonly entry: TestDefinitionEntry;
  readonly stage: number;
  /** `<index over all stages>_<name>`. */
  readonly testrunId: string;
  /** Of the definition's folder, below `$L`. */
  readonly folder: string;
  readonly fetched: Slot<FetchedDefinition>;
}

export interface FetchedDefinition {
  readonly uuid: string;
  readonly commitId: string | undefined;
  readonly definition: TestDefinition;
}

export const fetchedSlot = (testrunId: string): Slot<FetchedDefinition> =>
  slot(`definition ${testrunId}`);

/** Brings a definition's repository into its folder of the overlay (TEST-SHELL.md 8). */
export function fetchDefinition(placed: PlacedDefinition): Action {
  const { entry } = placed;
  const shared = { needs: [overlayFolderSlot], gives: [placed.fetched] };
  switch (entry.from) {
    case "git":
      return {
        ...shared,
        name: "git-repo-action",
        validate: async () => requireTool("git"),
        run: (context) => fromGit(context, placed),
      };
    case "inline":
      return { ...shared, name: "inline-repo-action", run: (context) => inline(context, placed) };
    default:
      return fromUrl(shared, placed);
  }
}

async function fromGit(context: RunContext, placed: PlacedDefinition): Promise<void> {
  const { entry } = placed;
  const { job, slots, log, signal } = context;
  const target = await newFolder(slots.take(overlayFolderSlot).path, placed.folder);
  await rm(target, { recursive: true, force: true });
  const repository = withVariables(String(entry.repository), job);
  log.info(`Fetching tests from ${String(entry.repository)}`);
  const commit = await gitClone({
    url: repository,
    target,
    branch: word(entry["branch"]),
    revision: word(entry["revision"]),
    ...(typeof entry["shallow"] === "boolean" ? { shallow: entry["shallow"] } : {}),
    ...(typeof entry["history"] === "boolean" ? { history: entry["history"] } : {}),
    recursive: entry["recursive"] === true,
    rules: downloadRules(job.dispatcher),
    signal,
    onLine: (line) => log.debug(`>> ${line}`),
  });
  log.info(`Tests are at commit ${commit}`);
  await keep(context, placed, target, commit);
  context.record({ commit, repository: String(entry.repository), path: entry.path });
}

async function inline(context: RunContext, placed: PlacedDefinition): Promise<void> {
  const { entry } = placed;
  const target = await newFolder(context.slots.take(overlayFolderSlot).path, placed.folder);
  const file = inside(target, entry.path);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, stringify(entry.repository));
  await keep(context, placed, target, undefined);
}

function fromUrl(shared: Partial<Action>, placed: PlacedDefinition): Action {
  const { entry } = placed;
  const artifact: Artifact = {
    label: placed.testrunId,
    source: {
      url: String(entry.repository),
      headers: entry["headers"],
      compression: entry["compression"],
      md5sum: entry["md5sum"],
      sha256sum: entry["sha256sum"],
      sha512sum: entry["sha512sum"],
    },
  };
  const archive = slot<string>(`archive ${placed.testrunId}`);
  return {
    ...shared,
    name: "url-repo-action",
    validate: async () => requireTool("tar"),
    steps: [downloadRetry(artifact, archive)],
    runAfter: async (context) => {
      const { slots, signal } = context;
      const target = await newFolder(slots.take(overlayFolderSlot).path, placed.folder);
      const stripComponents = Number(entry["strip-components"] ?? 0) || 0;
      await unpackTar(slots.take(archive), target, { stripComponents, signal });
      await rm(slots.take(archive), { force: true });
      await keep(context, placed, target, undefined);
    },
  };
}

async function keep(
  context: RunContext,
  placed: PlacedDefinition,
  folder: string,
  commitId: string | undefined,
): Promise<void> {
  const uuid = `${context.job.jobId}_${context.level}`;
  const { entry } = placed;
  const text = entry.from === "inline" ? undefined : await definitionFile(folder, entry.path);
  const { definition, problems } = readTestDefinition(text ?? (entry.repository as object));
  const [problem] = problems;
  if (!definition) {
    const where = text === undefined ? "" : `:${problem?.line}:${problem?.column}`;
    const at = problem?.path ? ` at ${problem.path}` : "";
    throw new JobFailure(
      "Job",
      `Unable to read test definition ${entry.path}${where}${at}: ${problem?.message}`,
    );
  }
  context.slots.put(placed.fetched, { uuid, commitId, definition });
}

/** The file's text, which must lie in the repository, whatever symbolic links it has. */
async function definitionFile(folder: string, file: string): Promise<string> {
  const missing = (reason: string): JobFailure =>
    new JobFailure("Job", `Unable to find test definition '${file}' in the repository: ${reason}`);
  const found = await realpath(inside(folder, file)).catch(() => undefined);
  if (found === undefined) throw missing("there is no such file");
  if (!found.startsWith(`${await realpath(folder)}/`)) throw missing("it leads out of it");
  const { size } = await stat(found);
  if (size > MAX_DEFINITION_BYTES) throw missing(`it is larger than ${MAX_DEFINITION_BYTES} bytes`);
  return readFile(found, "utf8");
}

const MAX_DEFINITION_BYTES = 1024 * 1024;

/** @throws JobFailure Job when `relative` is no path below `folder`. */
export function inside(folder: string, relative: string): string {
  const full = path.resolve(folder, relative);
  if (full.startsWith(`${folder}/`)) return full;
  throw new JobFailure("Job", `path '${relative}': expected a path inside of the repository`);
}

/** The folder of a definition, empty: an earlier try may have left something. */
async function newFolder(overlay: string, folder: string): Promise<string> {
  const target = path.join(overlay, folder);
  await rm(target, { recursive: true, force: true });
  await mkdir(target, { recursive: true });
  return target;
}

/** `$NAME` in a URL is one of the job's secrets, so that no token stands in the definition. */
function withVariables(url: string, job: JobContext): string {
  const known: Record<string, unknown> = {
    ...job.definition.secrets,
    LAVA_JOB_ID: String(job.jobId),
  };
  return url.replace(/\$(?:\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    const name = braced ?? bare ?? "";
    return Object.hasOwn(known, name) ? String(known[name]) : whole;
  });
}

const word = (value: unknown): string | undefined =>
  value === undefined || value === null ? undefined : String(value);

/** Clones the repositories of `install: git-repos` into the definition's folder (TEST-SHELL.md 4). */
export async function cloneGitRepos(
  context: RunContext,
  folder: string,
  definition: TestDefinition,
  parameters: Readonly<Record<string, unknown>>,
): Promise<void> {
  for (const repo of definition.install?.["git-repos"] ?? []) {
    const { url, branch, destination } = typeof repo === "string" ? { url: repo } : repo;
    const named = (text: string): string =>
      Object.hasOwn(parameters, text) ? String(parameters[text]) : text;
    const address = withVariables(named(url), context.job);
    const name = destination ? named(destination) : path.basename(address).replace(/\.git$/, "");
    if (!/^[\w][\w.+-]*$/.test(name)) {
      throw new JobFailure("Job", `git-repos: destination '${name}' is not the name of a folder`);
    }
    const target = path.join(folder, name);
    if (await lstat(target).catch(() => undefined)) {
      throw new JobFailure(
        "Job",
        `git-repos: '${name}' is there already; name another destination`,
      );
    }
    const { log, signal } = context;
    log.info(`Fetching ${url} into ${name}`);
    await gitClone({
      url: address,
      target,
      branch: branch === undefined ? undefined : named(branch),
      rules: downloadRules(context.job.dispatcher),
      signal,
      onLine: (line) => log.debug(`>> ${line}`),
    });
  }
}
