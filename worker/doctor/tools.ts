import { accessSync, constants } from "node:fs";
import { userInfo } from "node:os";
import { requireTool } from "../host/tool.ts";
import { bootParameters, methodsOf, type CheckedDevice } from "./checked-device.ts";
import { missing, note, ok, wrong, type Finding } from "./finding.ts";

interface Tool {
  readonly name: string;
  readonly package: string;
  readonly use: string;
  /** Without it most jobs fail. */
  readonly isBasic?: boolean;
  /** Devices with one of these methods need it. */
  readonly methods?: readonly string[];
  /** Device types list its methods for nearly every board: that one of them needs it is not said by that. */
  readonly isMaybe?: boolean;
  /** Other programs that do as well. */
  readonly or?: readonly string[];
}

const TOOLS: readonly Tool[] = [
  { name: "tar", package: "tar", use: "overlays and archives", isBasic: true },
  { name: "git", package: "git", use: "test definitions from git", isBasic: true },
  { name: "xz", package: "xz-utils", use: "compression: xz", isBasic: true },
  { name: "bzip2", package: "bzip2", use: "compression: bz2" },
  { name: "zstd", package: "zstd", use: "compression: zstd" },
  { name: "mke2fs", package: "e2fsprogs", use: "the overlay's drive of guests", methods: ["qemu"] },
  { name: "debugfs", package: "e2fsprogs", use: "overlays into ext4 images" },
  {
    name: "ssh",
    package: "openssh-client",
    use: "deploy and boot: ssh",
    methods: ["ssh"],
    isMaybe: true,
  },
  {
    name: "fastboot",
    package: "fastboot",
    use: "deploy and boot: fastboot",
    methods: ["fastboot"],
  },
  {
    name: "nbd-server",
    package: "nbd-server",
    use: "deploy: nbd",
    methods: ["nbd"],
    isMaybe: true,
  },
  { name: "mount.nfs", package: "nfs-common", use: "persistent_nfs with an overlay" },
  {
    name: "mkimage",
    package: "u-boot-tools",
    use: "FIT images for depthcharge",
    methods: ["depthcharge"],
  },
  {
    name: "docker",
    package: "docker.io or podman",
    use: "containers",
    methods: ["docker", "fvp"],
    or: ["podman"],
  },
  { name: "sz", package: "lrzsz", use: "transfer_overlay by zmodem" },
];

/** Known of certain devices only: not worth a line where there is none of them. */
const RARE_TOOLS: readonly Tool[] = [
  { name: "dfu-util", package: "dfu-util", use: "boot: dfu", methods: ["dfu"], isMaybe: true },
  { name: "pyocd", package: "python3-pyocd", use: "boot: pyocd", methods: ["pyocd"] },
  { name: "openocd", package: "openocd", use: "boot: openocd", methods: ["openocd"] },
  { name: "JLinkExe", package: "SEGGER's J-Link software", use: "boot: jlink", methods: ["jlink"] },
  { name: "uuu", package: "uuu", use: "deploy and boot: uuu", methods: ["uuu"], isMaybe: true },
  { name: "qdl", package: "qdl", use: "deploy and boot: qdl", methods: ["qdl"] },
];

/** The programs that these devices need, each with which of them does; without devices all that jobs may need. */
export function toolFindings(devices: readonly CheckedDevice[] | undefined): Finding[] {
  if (!devices) return [...TOOLS, QEMU].map((tool) => finding(tool, []));
  const findings = [...TOOLS, ...RARE_TOOLS].flatMap((tool) => {
    const { methods } = tool;
    const users = devices.filter((device) => methods?.some((name) => methodsOf(device).has(name)));
    return methods && users.length === 0 ? [] : [finding(tool, users)];
  });
  const needsDocker = devices.some((device) => methodsOf(device).has("docker"));
  return [...findings, ...(needsDocker ? dockerFindings() : []), ...qemuFindings(devices)];
}

const QEMU: Tool = {
  name: "qemu-system-x86_64",
  package: "qemu-system-x86",
  use: "boot: qemu",
};

function finding(tool: Tool, users: readonly CheckedDevice[]): Finding {
  const { name, package: debian, use, isBasic = false, isMaybe = false, or = [] } = tool;
  const found = [name, ...or].find(isThere);
  const forWhom = users.length === 0 ? use : `${use} (${namesOf(users)})`;
  if (found !== undefined) return ok(found, forWhom);
  const tell = isBasic || (users.length > 0 && !isMaybe) ? missing : note;
  return tell(name, `not found, for ${forWhom}: install ${debian}`);
}

/** podman needs no server, and so no leave. */
function dockerFindings(): Finding[] {
  const what = "docker's socket";
  const socket = "/var/run/docker.sock";
  if (!isThere("docker") || process.env["DOCKER_HOST"]) return [];
  try {
    accessSync(socket, constants.R_OK | constants.W_OK);
    return [ok(what, socket)];
  } catch (error) {
    const { username } = userInfo();
    const mayNot = (error as NodeJS.ErrnoException).code === "EACCES";
    return [
      mayNot
        ? wrong(what, `user ${username} may not use ${socket}: usermod -aG docker ${username}`)
        : note(what, `${socket} isn't there: is docker running? podman needs none`),
    ];
  }
}

/** Guests: each device names its own emulator; without KVM they are some ten times slower. */
function qemuFindings(devices: readonly CheckedDevice[]): Finding[] {
  const guests = devices.filter((device) => methodsOf(device).has("qemu"));
  const programs = new Map<string, CheckedDevice[]>();
  for (const device of guests) {
    const { command } = bootParameters(device, "qemu");
    const name = typeof command === "string" && command !== "" ? command : "qemu-system-x86_64";
    programs.set(name, [...(programs.get(name) ?? []), device]);
  }
  const findings = [...programs].map(([name, users]) => {
    const forWhom = `boot: qemu (${namesOf(users)})`;
    return isThere(name)
      ? ok(name, forWhom)
      : missing(name, `not found, for ${forWhom}: install ${qemuPackage(name)}`);
  });
  return guests.length === 0 ? [] : [...findings, kvmFinding()];
}

function qemuPackage(name: string): string {
  if (/x86|i386/.test(name)) return "qemu-system-x86";
  return /arm|aarch64/.test(name) ? "qemu-system-arm" : "the qemu-system package of its kind";
}

function kvmFinding(): Finding {
  try {
    accessSync("/dev/kvm", constants.R_OK | constants.W_OK);
    return ok("/dev/kvm", "guests of this machine's own architecture run at full speed");
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EACCES";
    const why = isThere
      ? "this user may not open it: add it to the group kvm"
      : "this machine has none";
    return note("/dev/kvm", `${why}; guests are emulated, and slow`);
  }
}

export const namesOf = (devices: readonly CheckedDevice[]): string => {
  const names = devices.map(({ hostname }) => hostname);
  return names.length > 4
    ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`
    : names.join(", ");
};

export function isThere(program: string): boolean {
  try {
    requireTool(program);
    return true;
  } catch {
    return false;
  }
}
