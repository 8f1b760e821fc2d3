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
  /** The user that it runs as; undefined for a user's own service. */
  readonly user: string | undefined;
}

/**
 * The unit. What hardens it takes nothing away that jobs need: most of systemd's other switches forbid setuid programs
 * (sudo in a power command, rootless podman's newuidmap), or the devices themselves. No PrivateTmp: runners outlive the
 * agent, a private /tmp does not.
 */
export function systemdUnit(options: ServiceOptions): string {
  const { user, launch, libDir, settingsFile } = options;
  const system = `User=${user}
# TFTP and NFS have ports below 1024.
AmbientCapabilities=CAP_NET_BIND_SERVICE
ProtectSystem=full
ProtectHome=read-only
# The worker upgrades itself there.
ReadWritePaths=${libDir}
# When no power command uses sudo and no job rootless podman, these may be switched on:
#NoNewPrivileges=yes
#ProtectKernelModules=yes
#RestrictSUIDSGID=yes
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

/** A script for OpenRC's supervise-daemon, for `/etc/init.d/pumice-worker`. */
export function openrcScript({ user, launch, settingsFile }: ServiceOptions): string {
  return `#!/sbin/openrc-run
# Pumice worker. Put it to /etc/init.d/pumice-worker (mode 0755), then: rc-update add pumice-worker
name="Pumice worker"
supervisor=supervise-daemon
command="${launch}"
command_user="${user}"
# Jobs go on while the agent is stopped: only its own process is.
respawn_delay=2
respawn_max=0
output_log=/var/log/pumice-worker.log
error_log=/var/log/pumice-worker.log
capabilities="^cap_net_bind_service"
required_files="${settingsFile}"
export PUMICE_SETTINGS="${settingsFile}"

depend() {
	need net
	after ntp-client ntpd chronyd
}

start_pre() {
	checkpath --file --owner "${user}" --mode 0640 /var/log/pumice-worker.log
}
`;
}

/** A script for runit, for `/etc/sv/pumice-worker/run`. */
export function runitScript({ user, launch, settingsFile }: ServiceOptions): string {
  return `#!/bin/sh
# Pumice worker. Put it to /etc/sv/pumice-worker/run (mode 0755), then: ln -s /etc/sv/pumice-worker /var/service/
exec 2>&1
[ -f "${settingsFile}" ] || exec sleep 60 # not enrolled yet
export PUMICE_SETTINGS="${settingsFile}"
# chpst gives no groups but those that are named: dialout for serial ports ...
exec chpst -u "${user}:$(id -Gn "${user}" | tr " " :)" "${launch}"
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

/** Starts the installed service anew, where that is ours to do; says what happened, or what is left to do. */
export function restartService(): string {
  const isRoot = process.getuid?.() === 0;
  const unit = isRoot ? SYSTEM_UNIT : userUnit();
  if (!existsSync(unit)) {
    return "To run it: pumice-worker start, or as a service: pumice-worker install";
  }
  const user = isRoot ? [] : ["--user"];
  if (!existsSync("/run/systemd/system")) return "Start the service: systemctl start pumice-worker";
  const args = [...user, "restart", "pumice-worker"];
  const { status, stderr } = spawnSync("systemctl", args, { encoding: "utf8", timeout: 60_000 });
  if (status === 0)
    return `The service runs: journalctl ${isRoot ? "" : "--user "}-u pumice-worker`;
  return `The service could not be started (systemctl ${args.join(" ")}): ${stderr?.trim() ?? ""}`;
}
