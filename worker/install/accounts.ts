import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";

/** Groups that own what jobs use: serial ports, USB devices, QEMU's accelerator. */
export const DEVICE_GROUPS = ["dialout", "plugdev", "kvm"];

export interface Account {
  readonly uid: number;
  readonly gid: number;
}

/** A user by the passwd file of a system; undefined when it has none of this name. */
export function findAccount(root: string, name: string): Account | undefined {
  const fields = linesOf(root, "etc/passwd").find(([user]) => user === name);
  return fields && { uid: Number(fields[2]), gid: Number(fields[3]) };
}

/** Those of the device groups which this system has and the user is not in yet. */
export function missingGroups(root: string, user: string): string[] {
  const groups = linesOf(root, "etc/group");
  const gid = linesOf(root, "etc/passwd").find(([name]) => name === user)?.[3];
  return DEVICE_GROUPS.filter((wanted) => {
    const [, , id, members = ""] = groups.find(([name]) => name === wanted) ?? [];
    return id !== undefined && id !== gid && !members.split(",").includes(user);
  });
}

/** Makes a system user with a group of its name. Throws with what the system's own program said. */
export function makeUser(root: string, name: string, home: string): void {
  const shell = "/usr/sbin/nologin";
  if (hasProgram("useradd")) {
    const kind = ["--system", "--user-group", "--no-create-home", "--home-dir", home];
    runTool("useradd", [
      ...at(root),
      ...kind,
      "--shell",
      shell,
      "--comment",
      "Pumice worker",
      name,
    ]);
    return;
  }
  // Alpine's, which know no other root.
  if (root !== "") throw new Error(`a user can't be made in ${root} without useradd`);
  runTool("addgroup", ["-S", name]);
  runTool("adduser", ["-S", "-D", "-H", "-h", home, "-s", "/sbin/nologin", "-G", name, name]);
}

/** Makes a user a member of groups that are there. */
export function joinGroups(root: string, user: string, groups: readonly string[]): void {
  if (hasProgram("usermod")) {
    runTool("usermod", [...at(root), "--append", "--groups", groups.join(","), user]);
  } else for (const group of groups) runTool("addgroup", [user, group]);
}

/** Runs a program of the system to its end. Throws with what it said when it fails. */
export function runTool(program: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    timeout: 120_000,
  });
  if (status === 0) return;
  const why = error?.message ?? (stderr.trim() || `exit code ${status}`);
  throw new Error(`${program} ${args.join(" ")}: ${why}`);
}

const at = (root: string): string[] => (root === "" ? [] : ["--prefix", root]);

const hasProgram = (name: string): boolean =>
  ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].some((folder) => existsSync(path.join(folder, name)));

function linesOf(root: string, file: string): string[][] {
  const where = path.join(root, "/", file);
  if (!existsSync(where)) return [];
  return readFileSync(where, "utf8")
    .split("\n")
    .map((line) => line.split(":"));
}
