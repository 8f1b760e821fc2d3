import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import path from "node:path";

export const INIT_SYSTEMS = ["systemd", "openrc", "runit"] as const;
export type InitSystem = (typeof INIT_SYSTEMS)[number];

/** What a service's file has to say of this installation. */
export interface ServiceOptions {
  /** The launcher's path, as the machine will know it. */
  readonly launch: string;
  /** `PREFIX/lib/pumice-worker` */
  readonly libDir: string;
  readonly settingsFile: string;
  readonly workDir: string;
  /** The user that it runs as; undefined for a user's own service. */
  readonly user: string | undefined;
}

/**
 * The unit. What hardens it takes nothing away that jobs need: most of systemd's other switches forbid setuid programs
 * (sudo in a power command, rootless podman's newuidmap), or the devices themselves. No PrivateTmp: runners outlive the
 * agent, a private /tmp does not.
 */
export function systemdUnit(options: ServiceOptions): string {
  const { user, launch, settingsFile } = options;
  const system = `User=${user}
# TFTP and NFS have ports below 1024.
AmbientCapabilities=CAP_NET_BIND_SERVICE
ProtectSystem=full
ProtectHome=read-only
# The worker upgrades itself, and changes its token.
ReadWritePaths=${ownFolders(options)}
# When no power command uses sudo and no job rootless podman: pumice-worker install --hardened
`;
  return `# Written by "pumice-worker install"; changes belong into "systemctl ${user === undefined ? "--user " : ""}edit pumice-worker".
[Unit]
Description=Pumice worker: runs jobs on this machine's devices
Wants=network-online.target
After=network-online.target time-sync.target
# Enrol first: pumice-worker enrol URL CODE
ConditionPathExists=${settingsFile}
StartLimitIntervalSec=0

[Service]
ExecStart=${launch}
Restart=always
RestartSec=2
# Jobs go on while the agent is stopped, started anew or upgraded, and when the kernel ends one of them for its memory.
KillMode=process
OOMPolicy=continue
TimeoutStopSec=30
Environment=PUMICE_SETTINGS=${settingsFile}
# On a small board, so that jobs can't take all of its memory:
#MemoryHigh=60%
#MemoryMax=80%
${user === undefined ? "" : system}
[Install]
WantedBy=${user === undefined ? "default.target" : "multi-user.target"}
`;
}

/** What the worker writes to outside of its jobs: its versions, and its token. */
const ownFolders = ({ libDir, settingsFile }: ServiceOptions): string =>
  `${libDir} -${path.dirname(settingsFile)}`;

/**
 * What is put beside the unit where jobs need no setuid program (sudo, rootless podman). Of namespaces those of users and of
 * mounts stay: jobs' QEMU is confined by them. Neither PrivateDevices nor ProtectClock: both take serial ports away.
 */
export function hardenedDropIn(options: ServiceOptions): string {
  return `# Written by "pumice-worker install --hardened"; remove this file to take it back. For jobs that use no sudo and no rootless podman.
# Folders of yours that jobs write to (tftp_dir, nfs_root ...) are named in "systemctl edit pumice-worker", as ReadWritePaths=.
[Service]
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=${ownFolders(options)} -${options.workDir} /tmp /var/tmp
ProtectHome=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
RestrictNamespaces=user mnt
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
`;
}

/**
 * Shell lines: the user's own home and name, as systemd gives them, and in `asUser` what starts a program as that user who may
 * have ports below 1024 for TFTP and NFS. Empty where only somebody else's setpriv is, which can't.
 */
const becoming = (user: string): string => `user="${user}"
HOME=~${user} USER="$user" LOGNAME="$user"
export HOME USER LOGNAME
asUser=
if setpriv --help 2>&1 | grep -q -e --init-groups; then
	asUser="setpriv --reuid $user --regid $(id -g "$user") --init-groups --inh-caps +net_bind_service --ambient-caps +net_bind_service"
fi
`;

/** A script for OpenRC's supervise-daemon, for `/etc/init.d/pumice-worker`. Its own `capabilities` are not in Debian's: it refuses to start then. */
export function openrcScript({ user = "", launch, settingsFile }: ServiceOptions): string {
  return `#!/sbin/openrc-run
# Pumice worker: /etc/init.d/pumice-worker, written by "pumice-worker install"; settings of yours belong into /etc/conf.d/pumice-worker.
name="Pumice worker"
supervisor=supervise-daemon
${becoming(user)}if [ -n "$asUser" ]; then
	command="\${asUser%% *}"
	command_args="\${asUser#* } ${launch}"
else
	command="${launch}"
	command_user="$user"
fi
# Jobs go on while the agent is stopped: only its own process is.
respawn_delay=2
respawn_max=0
output_log=/var/log/pumice-worker.log
error_log=/var/log/pumice-worker.log
export PUMICE_SETTINGS="${settingsFile}"

depend() {
	# The worker waits for its network by itself.
	want net
	after ntp-client ntpd chronyd
}

start_pre() {
	# supervise-daemon does not look at required_files.
	if [ ! -f "${settingsFile}" ]; then
		eerror "not enrolled yet: pumice-worker enrol URL CODE"
		return 1
	fi
	checkpath --file --owner "$user" --mode 0640 /var/log/pumice-worker.log
}
`;
}

/** A script for runit, for `/etc/sv/pumice-worker/run`. A stop ends the agent alone, and jobs go on: runsv tells nobody else. */
export function runitScript({ user = "", launch, settingsFile }: ServiceOptions): string {
  return `#!/bin/sh
# Pumice worker: /etc/sv/pumice-worker/run, written by "pumice-worker install".
exec 2>&1
[ -f "${settingsFile}" ] || exec sleep 60 # not enrolled yet
export PUMICE_SETTINGS="${settingsFile}"
${becoming(user)}[ -z "$asUser" ] || exec $asUser "${launch}"
# chpst gives no groups but those that are named: dialout for serial ports ...
exec chpst -u "$user:$(id -Gn "$user" | tr " " :)" "${launch}"
`;
}

/** What writes down what runit's service says, for `/etc/sv/pumice-worker/log/run`: ten files of a megabyte at most. */
export function runitLogScript({ user }: ServiceOptions): string {
  return `#!/bin/sh
# Written by "pumice-worker install". To read it: tail -F /var/log/pumice-worker/current
mkdir -p -m 0750 /var/log/pumice-worker && chown "${user}:" /var/log/pumice-worker
exec chpst -u "${user}" svlogd -tt /var/log/pumice-worker
`;
}

/** What runs this machine's services, as far as it can be seen. */
export function initSystemOf(root: string): InitSystem | undefined {
  const has = (file: string): boolean => existsSync(path.join(root || "/", file));
  if (has("run/systemd/system")) return "systemd";
  if (has("sbin/openrc-run") || has("usr/sbin/openrc-run")) return "openrc";
  if (has("etc/runit") || has("etc/sv")) return "runit";
  return has("usr/lib/systemd/systemd") || has("lib/systemd/systemd") ? "systemd" : undefined;
}

const SYSTEM_UNIT = "/etc/systemd/system/pumice-worker.service";

/** Where a user's own unit is. */
export const userUnit = (): string =>
  path.join(
    process.env["XDG_CONFIG_HOME"] || path.join(homedir(), ".config"),
    "systemd/user/pumice-worker.service",
  );

/** How an installed service is started anew: of each manager, what shows that it is installed and runs here. */
interface Restart {
  readonly installed: string;
  readonly running: string;
  readonly command: readonly string[];
  readonly log: string;
}

function restarts(): Restart[] {
  const user = {
    installed: userUnit(),
    running: "/run/systemd/system",
    command: ["systemctl", "--user", "restart", "pumice-worker"],
    log: "journalctl --user -u pumice-worker",
  };
  if (process.getuid?.() !== 0) return [user];
  return [
    {
      installed: SYSTEM_UNIT,
      running: "/run/systemd/system",
      command: ["systemctl", "restart", "pumice-worker"],
      log: "journalctl -u pumice-worker",
    },
    {
      installed: "/etc/init.d/pumice-worker",
      running: "/run/openrc/softlevel",
      command: ["rc-service", "pumice-worker", "restart"],
      log: "tail -F /var/log/pumice-worker.log",
    },
    {
      installed: "/etc/sv/pumice-worker/run",
      running: "/etc/sv/pumice-worker/supervise/ok",
      command: ["sv", "restart", "/etc/sv/pumice-worker"],
      log: "tail -F /var/log/pumice-worker/current",
    },
  ];
}

/** Starts the installed service anew, where that is ours to do; says what happened, or what is left to do. */
export function restartService(): string {
  const installed = restarts().filter((one) => existsSync(one.installed));
  const [first] = installed;
  if (!first) return "To run it: pumice-worker start, or as a service: pumice-worker install";
  const { running, command, log } = installed.find((one) => existsSync(one.running)) ?? first;
  const [program = "", ...args] = command;
  if (!existsSync(running)) return `Start the service: ${command.join(" ")}`;
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: 60_000 });
  if (status === 0) return `The service runs: ${log}`;
  return `The service could not be started (${command.join(" ")}): ${stderr?.trim() ?? ""}`;
}
