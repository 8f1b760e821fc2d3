import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";
import * as v from "valibot";
import { versionSchema } from "#protocol/release.ts";
import { VERSION } from "#protocol/version.ts";
import { singleFilePlatform } from "../host/self.ts";
import { SYSTEM_SETTINGS } from "../host/settings-file.ts";
import { findAccount, missingGroups } from "../install/accounts.ts";
import { installSteps, uninstallSteps } from "../install/install.ts";
import { serviceOf, type Installation } from "../install/service-steps.ts";
import {
  hardenedDropIn,
  INIT_SYSTEMS,
  initSystemOf,
  openrcScript,
  runitScript,
  systemdUnit,
  userUnit,
  type InitSystem,
} from "../install/service.ts";
import type { Step } from "../install/steps.ts";
import { parse, print, UsageError } from "./command-line.ts";

/** `pumice-worker install`: this machine runs the worker as a service. Again, it is an upgrade by hand. */
export async function install(args: string[]): Promise<number> {
  const { values, positionals } = parse(args, {
    user: { type: "string" },
    init: { type: "string" },
    prefix: { type: "string" },
    root: { type: "string" },
    file: { type: "string" },
    hardened: { type: "boolean" },
    "dry-run": { type: "boolean" },
    print: { type: "boolean" },
    uninstall: { type: "boolean" },
  });
  if (positionals.length > 0) throw new UsageError("install: expected options only");
  if (values.print && (values.uninstall || values["dry-run"])) {
    throw new UsageError("install: --print goes with neither --dry-run nor --uninstall");
  }
  const installation = installationOf(values);
  if (values.print) return print(serviceText(installation));
  const isDry = values["dry-run"] === true;
  if (values.uninstall) {
    runSteps(uninstallSteps(installation), isDry, "removed", "would remove");
    return say(leftOver(installation));
  }
  const file = programFile(values.file);
  // The folders above ours are for everybody to pass, whatever root's mask is.
  process.umask(0o022);
  runSteps(
    installSteps(installation, { file, version: versionOf(file) }),
    isDry,
    "done",
    "would make",
  );
  return say(isDry ? [] : whatNext(installation));
}

interface Values {
  hardened?: boolean;
  user?: string;
  init?: string;
  prefix?: string;
  root?: string;
}

/** For root, or an image: the system's service. For anybody else: their own. */
function installationOf({ user, init: named, prefix, root = "", hardened }: Values): Installation {
  if (root !== "" && !existsSync(root)) throw new UsageError(`--root: there is no ${root}`);
  const base = root === "" ? "" : path.resolve(root);
  const init = initOf(named, base);
  const isHardened = hardened === true;
  const isSystem = process.getuid?.() === 0 || base !== "";
  if (isHardened && (init !== "systemd" || !isSystem)) {
    throw new UsageError("--hardened: only the system's service under systemd has it");
  }
  if (isSystem) {
    const name = user ?? "pumice-worker";
    if (!/^[a-z_][a-z0-9_-]{0,30}$/.test(name))
      throw new UsageError(
        `--user ${JSON.stringify(name)}: expected a user's name, of small letters, digits, _ and -`,
      );
    return {
      root: base,
      prefix: absolute(prefix ?? "/usr/local"),
      workDir: "/var/lib/pumice-worker",
      settingsFile: SYSTEM_SETTINGS,
      unitFile: "/etc/systemd/system/pumice-worker.service",
      user: name,
      init,
      isHardened,
    };
  }
  if (user !== undefined) throw new UsageError("--user: only root can install for another user");
  const home = homedir();
  const config = process.env["XDG_CONFIG_HOME"] || path.join(home, ".config");
  return {
    root: "",
    prefix: absolute(prefix ?? path.join(home, ".local")),
    workDir: path.join(home, ".local/share/pumice-worker"),
    settingsFile: absolute(path.join(config, "pumice-worker/worker.env"), "XDG_CONFIG_HOME"),
    unitFile: userUnit(),
    user: undefined,
    init: init === "systemd" ? init : undefined,
    isHardened,
  };
}

/** Service files know no quoting that all of them share. */
function absolute(named: string, from = "--prefix"): string {
  const file = path.resolve(named);
  if (/^[\w./+-]+$/.test(file)) return file;
  throw new UsageError(
    `${from}: expected a path of letters, digits and \`. / _ + -\`, not ${file}`,
  );
}

function initOf(named: string | undefined, root: string): InitSystem | undefined {
  if (named === undefined) return initSystemOf(root);
  const init = INIT_SYSTEMS.find((known) => known === named);
  if (init) return init;
  throw new UsageError(`--init: expected ${INIT_SYSTEMS.join(", ")}, not ${named}`);
}

function serviceText(installation: Installation): string {
  const options = serviceOf(installation);
  if (installation.init === "openrc") return openrcScript(options);
  if (installation.init === "runit") return runitScript(options);
  const dropIn = installation.isHardened ? [hardenedDropIn(options)] : [];
  return [systemdUnit(options), ...dropIn].join("\n");
}

function programFile(named: string | undefined): string {
  if (named !== undefined) {
    if (existsSync(named)) return path.resolve(named);
    throw new UsageError(`--file: there is no ${named}`);
  }
  if (singleFilePlatform) return process.execPath;
  throw new UsageError(
    "install: this is no single file but a script that a runtime runs: give the file that scripts/build made by --file",
  );
}

/** What a file says it is; one for another processor can't, and is taken for a file of this release. */
function versionOf(file: string): string {
  if (file === process.execPath) return VERSION;
  const { stdout } = spawnSync(file, ["--version"], { encoding: "utf8", timeout: 60_000 });
  const said = /^pumice-worker (\S+)\n$/.exec(stdout ?? "")?.[1];
  return v.is(versionSchema, said) ? said : VERSION;
}

function runSteps(steps: readonly Step[], isDry: boolean, did: string, would: string): void {
  for (const { what, isDone, run } of steps) {
    if (isDone()) {
      print(`already: ${what}\n`);
    } else if (isDry) {
      print(`${would}: ${what}\n`);
    } else {
      run();
      print(`${did}: ${what}\n`);
    }
  }
}

const say = (lines: readonly string[]): number => print(lines.map((line) => `${line}\n`).join(""));

function whatNext(installation: Installation): string[] {
  const { root, init, user, settingsFile, prefix } = installation;
  const command = path.join(prefix, "bin/pumice-worker");
  const isEnrolled = existsSync(path.join(root, settingsFile));
  return [
    ...(isEnrolled ? [] : [`Next: ${command} enrol URL CODE, as "pumice workers enrol" prints it`]),
    ...(init === undefined
      ? [`No service manager that is known here: have ${serviceOf(installation).launch} started`]
      : []),
    ...(user === undefined ? ownLacks() : []),
  ];
}

/** What a user's own service can't have, and who can mend it. */
function ownLacks(): string[] {
  const username = process.env["USER"] || String(process.getuid?.());
  const groups = missingGroups("", username);
  return [
    ...(groups.length === 0
      ? []
      : [`For devices you need groups: sudo usermod -aG ${groups.join(",")} ${username}`]),
    `To run while you are not logged in: sudo loginctl enable-linger ${username}`,
    "TFTP and NFS need root: install with sudo where jobs use them",
  ];
}

function leftOver({ root, workDir, settingsFile, user }: Installation): string[] {
  const folders = [path.dirname(settingsFile), workDir].map((folder) => path.join(root, folder));
  const left = folders.filter((folder) => existsSync(folder));
  const account = user === undefined || user === "root" ? undefined : findAccount(root, user);
  return [
    ...(left.length === 0 ? [] : [`Left: ${left.join(" (settings and token), ")} (jobs, cache)`]),
    ...(account ? [`Left: user ${user}`] : []),
    "Jobs that run now go on to their end; nobody reports them. Remove the worker from the lab: pumice workers remove NAME",
  ];
}
