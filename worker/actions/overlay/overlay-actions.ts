import { appendFile, mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { stringify } from "yaml";
import type { TestBlock } from "#protocol/job-actions.ts";
import { writeAnew, writeOverlayFolder } from "../../overlay/overlay-folder.ts";
import { packTree } from "../../overlay/pack-tree.ts";
import { installScript, runScript, type ScriptContext } from "../../overlay/run-script.ts";
import { testShell } from "../../overlay/test-shell.ts";
import type { Action, RunContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";
import {
  overlaySlot,
  overlayTarballSlot,
  type OverlayDefinition,
} from "../../pipeline/job-slots.ts";
import type { StrategyContext } from "../../pipeline/strategy.ts";
import {
  cloneGitRepos,
  fetchDefinition,
  fetchedSlot,
  inside,
  type PlacedDefinition,
} from "./fetch-definition.ts";
import { overlayFolderSlot } from "./overlay-slots.ts";
import { authorizedKeySlot, hasSsh, sshAuthorize, writeAuthorizedKey } from "./ssh-authorize.ts";

export interface OverlayOptions {
  /** `lava-create-overlay` where it is not part of a deployment. */
  readonly name?: string;
  /** False where the folder itself is handed over, as to a container. */
  readonly compress?: boolean;
}

/**
 * `lava-overlay`: the test shell with all definitions of a namespace, every stage of it, as a folder and
 * as an archive (DISPATCHER.md 11, TEST-SHELL.md 1). With no test that needs one it does nothing.
 */
export function lavaOverlay(
  { overlayTests, job }: Pick<StrategyContext, "overlayTests" | "job">,
  block: Readonly<Record<string, unknown>>,
  { name = "lava-overlay", compress = true }: OverlayOptions = {},
): Action {
  if (overlayTests.length === 0) {
    return { name, run: async ({ log }) => log.debug("no test needs an overlay: skipped") };
  }
  const os = typeof block["os"] === "string" ? block["os"] : undefined;
  const placed = placeDefinitions(overlayTests);
  return {
    name,
    validate: async () => {
      testShell(job, os);
    },
    steps: [
      ...(hasSsh(job) ? [sshAuthorize(block["authorize"] === "ssh")] : []),
      {
        name: "lava-multinode-overlay",
        gives: [overlayFolderSlot],
        run: (context) => startOverlay(context, os),
      },
      {
        name: "test-definition",
        needs: [overlayFolderSlot],
        gives: [overlaySlot],
        validate: async () => checkDefinitions(placed),
        steps: placed.flatMap((definition) => definitionSteps(definition, os)),
        runAfter: (context) => finishOverlay(context, placed, overlayTests.length),
      },
      ...(compress ? [compressOverlayAction] : []),
    ],
  };
}

const compressOverlayAction: Action = {
  name: "compress-overlay",
  needs: [overlayFolderSlot],
  gives: [overlayTarballSlot],
  run: compressOverlay,
};

function definitionSteps(placed: PlacedDefinition, os: string | undefined): Action[] {
  const needs = [overlayFolderSlot, placed.fetched];
  return [
    fetchDefinition(placed),
    { name: "test-overlay", needs, run: (context) => writeDefinition(context, placed) },
    {
      name: "test-install-overlay",
      needs,
      onTimeout: "Infrastructure",
      run: (context) => writeInstallScript(context, placed, os),
    },
    {
      name: "test-runscript-overlay",
      needs,
      run: (context) => writeRunScript(context, placed, os),
    },
  ];
}

function placeDefinitions(tests: readonly TestBlock[]): PlacedDefinition[] {
  let index = 0;
  return tests.flatMap(({ definitions = [] }, stage) =>
    definitions.map((entry) => {
      const testrunId = `${index++}_${entry.name}`;
      const folder = `${stage}/tests/${testrunId}`;
      return { entry, stage, testrunId, folder, fetched: fetchedSlot(testrunId) };
    }),
  );
}

/** TEST-SHELL.md 7 and 8, before anything is fetched. */
function checkDefinitions(placed: readonly PlacedDefinition[]): void {
  const names = new Set<string>();
  for (const { entry } of placed) {
    const { name } = entry;
    if (!/^[\w-]+$/.test(name) || name === "lava") {
      throw new JobFailure(
        "Job",
        `test definition name '${name}': expected letters, digits, - and _ only, and not "lava"`,
      );
    }
    if (names.has(name)) throw new JobFailure("Job", "Test definition names need to be unique.");
    names.add(name);
    if (!["git", "inline", "url"].includes(entry.from)) {
      throw new JobFailure(
        "Job",
        `definition ${name}: from '${entry.from}': expected git, inline or url`,
      );
    }
    if ((entry.from === "inline") !== (typeof entry.repository === "object")) {
      const expected = entry.from === "inline" ? "a test definition" : "a URL";
      throw new JobFailure("Job", `definition ${name}: repository: expected ${expected}`);
    }
    inside("/repository", entry.path);
  }
}

async function startOverlay(context: RunContext, os: string | undefined): Promise<void> {
  const { job, slots, level, log } = context;
  const shell = testShell(job, os);
  const root = path.join(job.scratch, `overlay-${level}`);
  await rm(root, { recursive: true, force: true });
  const key = slots.find(authorizedKeySlot);
  if (key !== undefined) await writeAuthorizedKey(root, key);
  const folder = path.join(root, shell.lavaDir);
  await mkdir(folder, { recursive: true });
  const refused = await writeOverlayFolder(folder, job, shell, os);
  if (refused.length > 0) {
    const names = refused.join(", ");
    log.warning(`not in the test shell's environment, as no shell takes such a name: ${names}`);
  }
  slots.put(overlayFolderSlot, { root, path: folder, shell });
}

/** The definition's own files: who it is, and what it says. */
async function writeDefinition(context: RunContext, placed: PlacedDefinition): Promise<void> {
  const { folder, overlay, onDut } = foldersOf(context, placed);
  const { uuid, definition } = context.slots.take(placed.fetched);
  writeAnew(folder, "uuid", uuid);
  writeAnew(folder, "testdef.yaml", stringify(definition));
  writeAnew(folder, "testdef_metadata", stringify(definition.metadata));
  const list = path.join(overlay, String(placed.stage), "lava-test-runner.conf");
  await appendFile(list, `${onDut}\n`);
  context.record({ success: uuid });
}

async function writeInstallScript(
  context: RunContext,
  placed: PlacedDefinition,
  os: string | undefined,
): Promise<void> {
  const { folder } = foldersOf(context, placed);
  const { uuid, definition } = context.slots.take(placed.fetched);
  const skip = skipped(placed);
  const script = installScript(scriptContext(context, placed), os, skip);
  if (script === undefined) {
    context.record({ "skipped test-install-overlay": uuid });
    return;
  }
  if (!skip.has("git-repos") && !skip.has("all")) {
    const parameters = { ...definition.params, ...definition.parameters, ...jobParameters(placed) };
    await cloneGitRepos(context, folder, definition, parameters);
  }
  writeAnew(folder, "install.sh", script, 0o755);
  context.record({ success: uuid });
}

async function writeRunScript(
  context: RunContext,
  placed: PlacedDefinition,
  os: string | undefined,
): Promise<void> {
  const { folder } = foldersOf(context, placed);
  const { uuid } = context.slots.take(placed.fetched);
  const delayMs = context.job.device.character_delays?.test;
  const script = runScript(scriptContext(context, placed), {
    kmsg: placed.entry["lava-signal"] === "kmsg",
    characterDelaySeconds: delayMs ? delayMs / 1000 : undefined,
  });
  writeAnew(folder, "run.sh", script, 0o755);
  context.record({ success: uuid, ...(os === undefined ? {} : { os }) });
}

function scriptContext(context: RunContext, placed: PlacedDefinition): ScriptContext {
  return {
    definition: context.slots.take(placed.fetched).definition,
    jobParameters: jobParameters(placed),
    testrunId: placed.testrunId,
    testDir: foldersOf(context, placed).onDut,
    lavaDir: context.slots.take(overlayFolderSlot).shell.lavaDir,
  };
}

const jobParameters = ({ entry }: PlacedDefinition): Record<string, unknown> => ({
  ...entry.parameters,
  ...(entry["params"] as Record<string, unknown> | undefined),
});

const skipped = ({ entry }: PlacedDefinition): ReadonlySet<string> => {
  const skip = entry["skip_install"];
  return new Set(Array.isArray(skip) ? skip.map(String) : typeof skip === "string" ? [skip] : []);
};

function foldersOf(
  { slots }: RunContext,
  placed: PlacedDefinition,
): { overlay: string; folder: string; onDut: string } {
  const { path: overlay, shell } = slots.take(overlayFolderSlot);
  return {
    overlay,
    folder: path.join(overlay, placed.folder),
    onDut: `${shell.lavaDir}/${placed.folder}`,
  };
}

async function finishOverlay(
  context: RunContext,
  placed: readonly PlacedDefinition[],
  stages: number,
): Promise<void> {
  const { slots } = context;
  const { root, path: sourceDir, shell } = slots.take(overlayFolderSlot);
  const definitions = placed.map((one) => ({ stage: one.stage, overlaid: overlaid(context, one) }));
  slots.put(overlaySlot, {
    lavaDir: shell.lavaDir,
    shell: shell.shell,
    shellFile: shell.shellFile,
    root,
    sourceDir,
    stages: Array.from({ length: stages }, (_, stage) =>
      definitions.filter((one) => one.stage === stage).map((one) => one.overlaid),
    ),
  });
}

function overlaid({ slots }: RunContext, placed: PlacedDefinition): OverlayDefinition {
  const { entry, testrunId } = placed;
  const { uuid, commitId, definition } = slots.take(placed.fetched);
  const expected = entry["expected"];
  return {
    testrunId,
    uuid,
    from: entry.from,
    repository: entry.repository,
    path: entry.path,
    revision: entry["revision"] === undefined ? undefined : String(entry["revision"]),
    commitId,
    pattern: definition.parse?.pattern,
    fixupdict: definition.parse?.fixupdict,
    expected: Array.isArray(expected) ? expected.map(String) : definition.expected,
  };
}

async function compressOverlay({ slots, job, level, signal, log }: RunContext): Promise<void> {
  const { root } = slots.take(overlayFolderSlot);
  const archive = path.join(job.scratch, `overlay-${level}.tar.gz`);
  try {
    // As in LAVA, members have no leading slash; they are unpacked at /.
    await packTree(root, archive, signal);
  } catch (cause) {
    signal.throwIfAborted();
    const message = `Unable to create overlay: ${(cause as Error).message}`;
    throw new JobFailure("Infrastructure", message, { cause });
  }
  log.debug(`the overlay is ${archive}`);
  slots.put(overlayTarballSlot, archive);
}
