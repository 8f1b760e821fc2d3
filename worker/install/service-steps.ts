import { existsSync } from "node:fs";
import path from "node:path";
import { runTool } from "./accounts.ts";
import {
  hardenedDropIn,
  openrcScript,
  runitLogScript,
  runitScript,
  systemdUnit,
  type InitSystem,
  type ServiceOptions,
} from "./service.ts";
import { fileStep, linkStep, removeStep, type Step } from "./steps.ts";

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
  /** A drop-in that takes away what only some jobs need; one that is there stays without it. */
  readonly isHardened: boolean;
}

/** What the service's file has to say. */
export function serviceOf(installation: Installation): ServiceOptions {
  const { prefix, settingsFile, user, workDir } = installation;
  const libDir = path.join(prefix, "lib/pumice-worker");
  return { launch: path.join(libDir, "launch"), libDir, settingsFile, workDir, user };
}

/** What has the launcher started at boot, and again whenever it ends; a service that runs is started anew. */
export function serviceSteps(installation: Installation): Step[] {
  const { init } = installation;
  if (init === "systemd") return systemdSteps(installation);
  if (init === "openrc") return openrcSteps(installation);
  return init === "runit" ? runitSteps(installation) : [];
}

/** Ends the service and takes its files away, whichever of the service managers it was made for. */
export function serviceRemovalSteps(installation: Installation): Step[] {
  const { root, unitFile, user, init } = installation;
  const at = (file: string): string => path.join(root, file);
  const isLive = isLiveSystemd(installation) && existsSync(at(unitFile));
  return [
    ...(isLive ? [systemctlStep(user, "disable", "--now", "pumice-worker")] : []),
    removeStep(at(wantsLink(installation))),
    removeStep(at(unitFile)),
    removeStep(at(dropInOf(installation))),
    ...(isLive ? [systemctlStep(user, "daemon-reload")] : []),
    ...(user !== undefined && init === "openrc" ? openrcRemoval(installation) : []),
    ...(user !== undefined && init === "runit" ? runitRemoval(installation) : []),
  ];
}

function systemdSteps(installation: Installation): Step[] {
  const { root, unitFile, user } = installation;
  const at = (file: string): string => path.join(root, file);
  const link = wantsLink(installation);
  const target = path.relative(path.dirname(link), unitFile);
  const isLive = isLiveSystemd(installation);
  const options = serviceOf(installation);
  return [
    fileStep(at(unitFile), systemdUnit(options), 0o644),
    ...(installation.isHardened
      ? [fileStep(at(dropInOf(installation)), hardenedDropIn(options), 0o644)]
      : []),
    linkStep(at(link), target),
    ...(isLive ? [systemctlStep(user, "daemon-reload")] : []),
    ...(isLive && isEnrolled(installation)
      ? [systemctlStep(user, "restart", "pumice-worker")]
      : []),
  ];
}

/** Its folder may have changes of people, too: `systemctl edit` puts them there. */
const dropInOf = ({ unitFile }: Installation): string => `${unitFile}.d/hardened.conf`;

/** As `systemctl enable` makes it, which an image has none of. */
function wantsLink({ unitFile, user }: Installation): string {
  const target = user === undefined ? "default.target.wants" : "multi-user.target.wants";
  return path.join(path.dirname(unitFile), target, path.basename(unitFile));
}

const isLiveSystemd = ({ root, init }: Installation): boolean =>
  root === "" && init === "systemd" && existsSync("/run/systemd/system");

const isEnrolled = ({ root, settingsFile }: Installation): boolean =>
  existsSync(path.join(root, settingsFile));

function systemctlStep(user: string | undefined, ...args: string[]): Step {
  return toolStep("systemctl", ...(user === undefined ? ["--user"] : []), ...args);
}

function toolStep(program: string, ...args: string[]): Step {
  return {
    what: `${program} ${args.join(" ")}`,
    isDone: () => false,
    run: () => runTool(program, args),
  };
}

const OPENRC_SCRIPT = "/etc/init.d/pumice-worker";
/** As `rc-update add pumice-worker default` makes it. */
const OPENRC_LINK = "/etc/runlevels/default/pumice-worker";

const isLiveOpenrc = (root: string): boolean => root === "" && existsSync("/run/openrc/softlevel");

function openrcSteps(installation: Installation): Step[] {
  const { root } = installation;
  const isLive = isLiveOpenrc(root) && isEnrolled(installation);
  return [
    fileStep(path.join(root, OPENRC_SCRIPT), openrcScript(serviceOf(installation)), 0o755),
    linkStep(path.join(root, OPENRC_LINK), OPENRC_SCRIPT),
    ...(isLive ? [toolStep("rc-service", "pumice-worker", "restart")] : []),
  ];
}

function openrcRemoval({ root }: Installation): Step[] {
  const isThere = isLiveOpenrc(root) && existsSync(OPENRC_SCRIPT);
  return [
    ...(isThere ? [toolStep("rc-service", "pumice-worker", "stop")] : []),
    removeStep(path.join(root, OPENRC_LINK)),
    removeStep(path.join(root, OPENRC_SCRIPT)),
  ];
}

const RUNIT_SERVICE = "/etc/sv/pumice-worker";
/** Where the services are that run: Debian's, Void's and Artix's; then what runit itself is documented with. */
const RUNIT_RUNNING = ["/etc/runit/runsvdir/default", "/etc/service", "/var/service", "/service"];

/** Somebody's runsv has it. */
const isLiveRunit = (root: string): boolean =>
  root === "" && existsSync(`${RUNIT_SERVICE}/supervise/ok`);

const runitLink = (root: string): string =>
  `${RUNIT_RUNNING.find((folder) => existsSync(path.join(root, folder))) ?? RUNIT_RUNNING[0]}/pumice-worker`;

function runitSteps(installation: Installation): Step[] {
  const { root } = installation;
  const at = (file: string): string => path.join(root, file);
  const options = serviceOf(installation);
  const isLive = isLiveRunit(root) && isEnrolled(installation);
  return [
    fileStep(at(`${RUNIT_SERVICE}/log/run`), runitLogScript(options), 0o755),
    fileStep(at(`${RUNIT_SERVICE}/run`), runitScript(options), 0o755),
    linkStep(at(runitLink(root)), RUNIT_SERVICE),
    ...(isLive ? [toolStep("sv", "restart", RUNIT_SERVICE)] : []),
  ];
}

function runitRemoval({ root }: Installation): Step[] {
  const at = (file: string): string => path.join(root, file);
  return [
    // First: runsvdir would start another runsv.
    removeStep(at(runitLink(root))),
    ...(isLiveRunit(root) ? [toolStep("sv", "-v", "-w", "30", "exit", RUNIT_SERVICE)] : []),
    removeStep(at(RUNIT_SERVICE)),
  ];
}
