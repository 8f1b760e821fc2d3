import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { findAccount, joinGroups, makeUser, missingGroups, runTool } from "./accounts.ts";
import { LAUNCHER } from "./launcher.ts";
import { layoutOf, type Layout } from "./layout.ts";
import {
  serviceOf,
  serviceRemovalSteps,
  serviceSteps,
  type Installation,
} from "./service-steps.ts";
import {
  fileStep,
  folderStep,
  give,
  hardLinkStep,
  isOf,
  linkStep,
  programStep,
  removeStep,
  targetOf,
  type Owner,
  type Step,
} from "./steps.ts";
import { udevRules } from "./udev-rules.ts";

/** What has to be there, in order: the program, those who may run it, and what starts it. */
export function installSteps(
  installation: Installation,
  program: { file: string; version: string },
): Step[] {
  const { root, workDir, settingsFile, user } = installation;
  const at = (file: string): string => path.join(root, file);
  const layout = layoutOf(at(serviceOf(installation).libDir));
  const owner: Owner = () => (user === undefined ? undefined : findAccount(root, user));
  const file = path.join(layout.dir, layout.fileOf(program.version));
  const command = at(path.join(installation.prefix, "bin/pumice-worker"));
  return [
    ...(user === undefined ? [] : userSteps(root, user, workDir)),
    // The worker upgrades itself there.
    folderStep(layout.dir, 0o755, owner),
    folderStep(path.join(layout.dir, "versions"), 0o755, owner),
    folderStep(path.dirname(file), 0o755, owner),
    // Not a link to `current`, nor a link to anything where the worker's user may write: root runs this one.
    programStep(program.file, command),
    hardLinkStep(command, file),
    fileStep(layout.launch, LAUNCHER, 0o755),
    versionStep(layout, program.version),
    folderStep(at(workDir), 0o700, owner),
    ownFilesStep(path.dirname(at(settingsFile)), owner),
    folderStep(path.dirname(at(settingsFile)), 0o700, owner),
    ...(user === undefined ? [] : udevSteps(root, user)),
    ...serviceSteps(installation),
  ];
}

/** What is taken away again. Settings, jobs and the user stay. */
export function uninstallSteps(installation: Installation): Step[] {
  const { root, prefix, user } = installation;
  const at = (file: string): string => path.join(root, file);
  const rules = at(UDEV_FILE);
  const isOurs =
    user !== undefined && existsSync(rules) && readFileSync(rules, "utf8") === udevRules(user);
  return [
    ...serviceRemovalSteps(installation),
    ...(isOurs ? [removeStep(rules)] : []),
    removeStep(at(path.join(prefix, "bin/pumice-worker"))),
    removeStep(at(serviceOf(installation).libDir)),
  ];
}

function userSteps(root: string, user: string, home: string): Step[] {
  return [
    {
      what: `system user ${user}`,
      isDone: () => findAccount(root, user) !== undefined,
      run: () => makeUser(root, user, home),
    },
    {
      what: `${user} in the groups of devices (${missingGroups(root, user).join(", ") || "all"})`,
      // Who is root needs none.
      isDone: () => user === "root" || missingGroups(root, user).length === 0,
      run: () => joinGroups(root, user, missingGroups(root, user)),
    },
  ];
}

/** Makes a version the one that is started; the one before stays at hand, and what was on trial is none any more. */
function versionStep(layout: Layout, version: string): Step {
  const target = layout.fileOf(version);
  const step = linkStep(layout.current, target);
  return {
    ...step,
    run() {
      const before = targetOf(layout.current);
      if (before !== undefined) linkStep(layout.previous, before).run();
      removeStep(layout.trial).run();
      removeStep(layout.rolledBack).run();
      step.run();
    },
  };
}

/**
 * Who enrolled before installing left files that the worker's user can't read. They are given away while their folder is
 * still root's: in one that is the worker's, a name may be a second one (a hard link) of any file of root's.
 */
function ownFilesStep(folder: string, owner: Owner): Step {
  const isRoots = () => existsSync(folder) && !isOf(folder, owner());
  const files = () => (isRoots() ? readdirSync(folder).map((name) => path.join(folder, name)) : []);
  return {
    what: `files in ${folder} are the worker's`,
    isDone: () => files().every((file) => isOf(file, owner())),
    run: () => files().forEach((file) => give(file, owner())),
  };
}

const UDEV_FILE = "/etc/udev/rules.d/60-pumice-worker.rules";

function udevSteps(root: string, user: string): Step[] {
  const file = path.join(root, UDEV_FILE);
  const step = fileStep(file, udevRules(user), 0o644);
  return [
    {
      ...step,
      // One that somebody has changed is theirs.
      isDone: () => existsSync(file),
      run() {
        step.run();
        if (root === "" && existsSync("/run/udev/control")) {
          runTool("udevadm", ["control", "--reload"]);
        }
      },
    },
  ];
}
