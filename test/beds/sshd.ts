import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { freePort, untilListening } from "../support/loopback-ports.ts";
import type { Bed } from "./bed.ts";

const SSHD = "/usr/sbin/sshd";

/** Why this machine can't have this bed; undefined when it can. */
export const cannotStart = (): string | undefined => {
  if (!existsSync(SSHD)) return `${SSHD} is missing: install openssh-server`;
  return process.getuid?.() === 0 ? undefined : "a root file system of its own needs root";
};

export interface SshBed extends Bed {
  readonly port: number;
  readonly identity: string;
  /** The DUT's root file system on this machine. */
  readonly root: string;
}

/**
 * A system that runs already: sshd with its own keys on a loopback port, in a root file system of its own that has this
 * machine's programs and nothing else of it. All of it is gone when its process is.
 */
export async function start(
  folder: string,
  say: (line: string) => void = () => {},
  { sftp = true }: { sftp?: boolean } = {},
): Promise<SshBed> {
  const problem = cannotStart();
  if (problem) throw new Error(problem);
  const root = path.join(folder, "root-fs");
  const identity = path.join(folder, "dut");
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", identity]);
  makeRoot(root, readFileSync(`${identity}.pub`, "utf8"));
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", path.join(root, "etc/host")]);
  const port = await freePort();
  writeFileSync(path.join(root, "etc/sshd"), sshdConfig(port, sftp));
  const script = `set -e
for dir in /usr /dev /etc/alternatives; do mount --rbind "$dir" "$1$dir"; done
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts" 2>/dev/null || true
mount -t proc proc "$1/proc"
exec chroot "$1" ${SSHD} -D -e -f /etc/sshd`;
  const unshare = ["--mount", "--pid", "--fork", "--kill-child=SIGKILL"];
  const child = spawn("unshare", [...unshare, "sh", "-c", script, "sh", root], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const exited = once(child, "exit");
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    say(text.trim());
  });
  const failed = exited.then(() => {
    throw new Error(`sshd ended: ${said}`);
  });
  failed.catch(() => {});
  await Promise.race([untilListening(port), failed]);
  return {
    port,
    identity,
    root,
    dictionary: `{% extends 'ssh.jinja2' %}
{% set ssh_host = '127.0.0.1' %}
{% set ssh_port = ${port} %}
{% set ssh_identity_file = '${identity}' %}
`,
    hints: [`ssh -i ${identity} -p ${port} root@127.0.0.1`],
    close: async () => {
      // Sshd is what `unshare` waits for; with it go its sessions, whose process 1 it is.
      const sshd = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim();
      if (sshd !== "") process.kill(Number(sshd), "SIGTERM");
      await exited;
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const sshdConfig = (port: number, sftp: boolean): string => `Port ${port}
ListenAddress 127.0.0.1
HostKey /etc/host
PidFile none
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PrintMotd no
PrintLastLog no
${sftp ? "Subsystem sftp internal-sftp" : ""}
`;

function makeRoot(root: string, key: string): void {
  for (const dir of "usr dev proc etc/alternatives etc/pam.d etc/schroot/chroot.d root/.ssh tmp var/lib/schroot/session run/sshd".split(
    " ",
  )) {
    mkdirSync(path.join(root, dir), { recursive: true });
  }
  for (const dir of ["bin", "sbin", "lib", "lib64"])
    symlinkSync(`usr/${dir}`, path.join(root, dir));
  const files = {
    "root/.ssh/authorized_keys": key,
    "root/.bashrc": "PS1='${SCHROOT_CHROOT_NAME:+($SCHROOT_CHROOT_NAME)}root@dut:\\w# '\n",
    "root/.profile": ". ~/.bashrc\n",
    "etc/passwd":
      "root:x:0:0:root:/root:/bin/bash\nsshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\n",
    "etc/os-release": "NAME=DUT\n",
    // The whole system once more, by the name of a chroot.
    "etc/schroot/schroot.conf": "[unstable]\ntype=plain\ndirectory=/\nroot-users=root\n",
    "etc/pam.d/schroot":
      "auth required pam_permit.so\naccount required pam_permit.so\nsession required pam_permit.so\n",
  };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(path.join(root, name), content, { mode: 0o600 });
  }
}
