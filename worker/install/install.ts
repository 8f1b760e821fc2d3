import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { findAccount, joinGroups, makeUser, missingGroups, runTool } from "./accounts.ts";
import { LAUNCHER } from "./launcher.ts";
import { layoutOf, type Layout } from "./layout.ts";
import { systemdUnit, type InitSystem, type ServiceOptions } from "./service.ts";
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

/** What is installed, and where. Folders are absolute, as the machine will know them. */
export interface Installation {
  /** The folder that is the machine's `/`, for an image; "" for this machine. */
  readonly root: string;
  readonly prefix: string;
  readonly workDir: string;
  readonly settingsFile: string;
  readonly unitFile: string;
  /** undefined: the service of the user who installs, who can't do what root can. */
  readonly user: string | undefined;
  readonly init: InitSystem | undefined;
}

/** What the service's file has to say. */
export function serviceOf(installation: Installation): ServiceOptions {
  const { prefix, settingsFile, user } = installation;
  const libDir = path.join(prefix, "lib/pumice-worker");
  return { launch: path.join(libDir, "launch"), libDir, settingsFile, user };
}

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
    ...(installation.init === "systemd" ? systemdSteps(installation) : []),
  ];
}

/** What is taken away again. Settings, jobs and the user stay. */
export function uninstallSteps(installation: Installation): Step[] {
  const { root, prefix, unitFile, user } = installation;
  const at = (file: string): string => path.join(root, file);
  const isLive = isLiveSystemd(installation) && existsSync(at(unitFile));
  const rules = at(UDEV_FILE);
  const isOurs =
    user !== undefined && existsSync(rules) && readFileSync(rules, "utf8") === udevRules(user);
  return [
    ...(isLive ? [systemctlStep(user, "disable", "--now", "pumice-worker")] : []),
    removeStep(at(wantsLink(installation))),
    removeStep(at(unitFile)),
    ...(isLive ? [systemctlStep(user, "daemon-reload")] : []),
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

function systemdSteps(installation: Installation): Step[] {
  const { root, unitFile, settingsFile, user } = installation;
  const at = (file: string): string => path.join(root, file);
  const link = wantsLink(installation);
  const target = path.relative(path.dirname(link), unitFile);
  const isEnrolled = existsSync(at(settingsFile));
  return [
    fileStep(at(unitFile), systemdUnit(serviceOf(installation)), 0o644),
    linkStep(at(link), target),
    ...(isLiveSystemd(installation) ? [systemctlStep(user, "daemon-reload")] : []),
    ...(isLiveSystemd(installation) && isEnrolled
      ? [systemctlStep(user, "restart", "pumice-worker")]
      : []),
  ];
}

/** As `systemctl enable` makes it, which an image has none of. */
function wantsLink({ unitFile, user }: Installation): string {
  const target = user === undefined ? "default.target.wants" : "multi-user.target.wants";
  return path.join(path.dirname(unitFile), target, path.basename(unitFile));
}

const isLiveSystemd = ({ root, init }: Installation): boolean =>
  root === "" && init === "systemd" && existsSync("/run/systemd/system");

function systemctlStep(user: string | undefined, ...args: string[]): Step {
  const all = [...(user === undefined ? ["--user"] : []), ...args];
  return {
    what: `systemctl ${all.join(" ")}`,
    isDone: () => false,
    run: () => runTool("systemctl", all),
  };
}
