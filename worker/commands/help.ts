/** What `pumice-worker --help` prints. */
export const HELP = `pumice-worker: runs jobs on the devices of this machine.

  pumice-worker enrol URL CODE [--settings FILE]
      Makes this machine the worker for which "pumice workers enrol" printed URL and CODE: gets a token and
      writes it and the settings (/etc/pumice-worker, or ~/.config/pumice-worker for a user).

  pumice-worker install [--user NAME] [--init systemd|openrc|runit] [--prefix DIR] [--root DIR]
      Makes this machine run the worker as a service: copies this file to PREFIX/lib/pumice-worker, makes a
      user, folders, udev rules and the service. Again: an upgrade. Not as root: a service of the user.
        --prefix DIR        default /usr/local, for a user ~/.local
        --root DIR          the machine's / is there: for an image
        --file FILE         installs another file than this one, such as an image's of another processor
        --hardened          under systemd: for jobs that use no sudo and no rootless podman
        --dry-run           only says what it would do
        --print             only prints the service's unit or script
        --uninstall         removes what install made, and says what it leaves

  pumice-worker start [--url URL --token-file FILE] [--work-dir DIR] [--name NAME]
      Takes jobs from the control plane at URL until it is stopped (SIGTERM, Ctrl-C). Running jobs go
      on without it; the next start takes them over.
      Options come before the environment (PUMICE_URL ...), and that before the settings file.
        --token-file FILE   the token that "pumice workers add" printed
        --work-dir DIR      where jobs live; default $PUMICE_WORK_DIR, then /var/lib/pumice-worker
                            (when it may be written to), then ~/.local/share/pumice-worker
        --name NAME         put before each line of this program's own log
        --max-rss MB        memory that this program and its jobs, with their guests in QEMU, may take together

  pumice-worker start --protocol lava --url URL --token-file FILE [--name NAME] [--work-dir DIR]
      Takes jobs from a stock LAVA server, in the place of its lava-worker (docs/lava-server.md).
        --token-file FILE   the token of the worker there; or --token TOKEN, which others on this machine see
        --name NAME         of the worker there; default: this machine's name
        --version VERSION   that the server hears; default: its own
        --ping-interval S   default 20
        --ws-url URL        of its events; default: /ws/ below URL
        --work-dir DIR      default: as above, with -lava at its end

  pumice-worker run JOB.yaml --device DEVICE [--output DIR] [--dispatcher FILE] [--templates DIR]
      Runs one job here, without a control plane. Exits 0 when it is Complete, 1 when it isn't,
      2 when the job or the device is refused.
        --device DEVICE     a device dictionary (.jinja2), or its configuration in YAML or JSON
        --templates DIR     own device types, before Pumice's; may be given again
        --dispatcher FILE   this worker's settings in YAML (dispatcher_ip ...)
        --output DIR        keeps the log and the results there

  pumice-worker run --plan JOB.yaml --device DEVICE [--json]
      Prints what the job would do on the device, and does nothing: level, name, tries, seconds.
        --json              an object a line: level, name, attempts, timeout_seconds

  pumice-worker power DRIVER ADDRESS OUTLET on|off|cycle|status [--delay SECONDS]
      Switches an outlet by hand, as "pumice-power ..." does in a device's dictionary. Without more it
      lists the drivers.

  pumice-worker doctor [--settings FILE] [--dispatcher FILE] [--work-dir DIR] [--json]
      Looks whether this worker has what its jobs need: the way to the control plane, its token, this
      machine, the programs and connections of its devices. A line each, with what to do about it.
      Exits 0 when all is well, 1 when something is missing or wrong, 2 for files that can't be read.
        --settings FILE     as for start: PUMICE_URL, PUMICE_TOKEN_FILE ...
        --dispatcher FILE   the settings of its jobs in YAML (dispatcher_ip, tftp_dir, nfs_root ...),
                            instead of those that the control plane has

  pumice-worker cache [list|clean] [--work-dir DIR] [--json]
      Lists the downloads that are kept for the next job, or removes them. Those under way stay.

  pumice-worker licences
      Prints the licences of this program and of all that is in it.

  pumice-worker --help | --version
`;

/** What it says of one command, in each of its forms; all of it for one that is not told of. */
export function helpOf(command: string): string {
  const parts = HELP.split("\n\n").filter(
    (part) => part.split("\n")[0]?.trimStart().split(" ")[1] === command,
  );
  return parts.length > 0 ? `${parts.join("\n\n")}\n` : HELP;
}
