import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { shellQuote } from "../../../worker/overlay/shell-quote.ts";

/** What `/root/flood` of the DUT says again and again. */
export const FLOOD_WORDS =
  "a line of the flood, as long as what a kernel says when it boots, more or less";
/** A measurement takes as long as LAVA needs for some 10,000 of them: a few seconds. */
export const FLOOD_LINES = 500_000;

export const DEVICE_TYPE = "localsh";
/** Of a device that nobody gets: jobs for it stay in the queue. */
export const PARKED_TYPE = "parked";

/** A device type of boards that run already and have a shell: what a lab itself costs shows there. */
export const TEMPLATE = `{% extends 'base.jinja2' %}
{% block body %}
actions:
  deploy:
    connections:
      serial:
    methods:
      overlay:
  boot:
    connections:
      serial:
    methods:
      minimal:
{% endblock body %}
`;

/**
 * A DUT that is a shell of this machine: busybox in a root of its own below `dir`, new for each connection but for its files. Returns the command
 * that connects. `files`: the port from which it fetches what it is told to fetch from none.
 */
export function makeDut(dir: string, files: number | undefined): string {
  const root = path.join(dir, "dut");
  for (const folder of ["bin", "dev", "etc", "root", "tmp"]) {
    mkdirSync(path.join(root, folder), { recursive: true });
  }
  copyFileSync("/bin/busybox", path.join(root, "bin/busybox"));
  execFileSync("chroot", [root, "/bin/busybox", "--install", "-s", "/bin"]);
  execFileSync("cp", ["-a", "/dev/null", "/dev/urandom", path.join(root, "dev")]);
  // A file: a program that writes without end may not hear that nobody reads any more where a worker has it ignore that signal.
  writeFileSync(path.join(root, "root/flood"), `${FLOOD_WORDS}\n`.repeat(FLOOD_LINES));
  const place = files === undefined ? "" : `s#//127.0.0.1/#//127.0.0.1:${files}/#`;
  const fetch = `#!/bin/sh\nexec wget -q "$(echo "$1" | sed '${place}')"\n`;
  writeFileSync(path.join(root, "bin/fetch-overlay"), fetch);
  chmodSync(path.join(root, "bin/fetch-overlay"), 0o755);
  const command = path.join(dir, "dut.sh");
  const shell = `env -i PATH=/bin HOME=/root TERM=dumb PS1='root@dut:~# ' /bin/busybox chroot ${shellQuote(root)} /bin/sh -i`;
  writeFileSync(command, `#!/bin/sh\necho 'Linux version 6.1.0 (a local shell)'\nexec ${shell}\n`);
  chmodSync(command, 0o755);
  return command;
}

/** A job of one test definition with these steps. */
export const localJob = (
  steps: readonly string[],
  deviceType = DEVICE_TYPE,
): string => `device_type: ${deviceType}
job_name: a local shell
timeouts:
  job: {minutes: 15}
  action: {minutes: 10}
  connection: {minutes: 1}
priority: medium
visibility: public
actions:
- deploy:
    to: overlay
    os: oe
- boot:
    method: minimal
    reset: false
    prompts: ['root@dut:~#']
    transfer_overlay:
      download_command: fetch-overlay
      unpack_command: tar -C / -xzf
- test:
    definitions:
    - from: inline
      name: t
      path: inline/t.yaml
      repository:
        metadata: {format: Lava-Test Test Definition 1.0, name: t, description: steps}
        run:
          steps:
${steps.map((step) => `          - ${JSON.stringify(step)}`).join("\n")}
`;
