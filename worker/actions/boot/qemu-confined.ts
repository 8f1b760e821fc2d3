import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import path from "node:path";
import { checkContainerDevice } from "../../drivers/container-devices.ts";
import { listOfTexts } from "../../host/list-of-texts.ts";
import { requireOpenFile } from "../../host/local-file.ts";
import { hostEnvironment, runCommand } from "../../host/spawn.ts";
import type { JobContext } from "../../pipeline/action.ts";
import { JobFailure } from "../../pipeline/job-failure.ts";

type Words = readonly [string, ...string[]];

/** What the worker's setting `qemu_confinement` wants; `where it can` when it doesn't say. */
export type Confinement = "required" | "off" | "where it can";

/** @throws JobFailure Configuration for a value that is none. */
export function wantedConfinement(dispatcher: JobContext["dispatcher"]): Confinement {
  // Programs that QEMU starts (bridge helpers, scripts) need what a confined one has not.
  if (dispatcher["qemu_may_spawn"] === true) return "off";
  const value = dispatcher["qemu_confinement"] ?? "where it can";
  if (value === "off" || value === false) return "off";
  if (value === "required" || value === "where it can") return value;
  throw new JobFailure(
    "Configuration",
    `the worker's setting qemu_confinement: expected required or off, not ${JSON.stringify(value)}`,
  );
}

/**
 * Why this machine can't confine that program: the last that was said when it was tried; undefined when it can. It costs as much
 * as starting the program once. Nothing of a job has a say in it.
 */
export async function whyUnconfined(
  program: string,
  scratch: string,
  signal?: AbortSignal,
): Promise<string | undefined> {
  if (isInSystem(realpathSync(scratch)))
    return "the work folder is in one that the guest has to see";
  try {
    const argv = confined(program, ["--version"], scratch, []);
    const { status, output } = await runCommand(argv, { ...(signal ? { signal } : {}) });
    return status === 0 ? undefined : (output.trim().split("\n").at(-1) ?? `exit code ${status}`);
  } catch (error) {
    // There is no unshare(1), say.
    signal?.throwIfAborted();
    return (error as Error).message;
  } finally {
    removeRoot(scratch);
  }
}

/** When no QEMU of the job runs any more. */
export const removeRoot = (scratch: string): void =>
  rmSync(rootOf(scratch), { recursive: true, force: true });

/** Where a root is made: beside the job's folder, which is mounted there itself. */
const rootOf = (scratch: string): string => `${scratch}.root`;

/**
 * The command line that starts a QEMU of a job in a user and mount namespace of its own, without any capability: it sees its
 * system's programs, the job's folder, what the worker's setting `qemu_files` lists, and of what its words name the files that
 * everybody may read and the devices that a container of the job would get. From the job's folder nothing is run or loaded.
 */
export function confineQemu(job: JobContext, program: string, words: readonly string[]): Words {
  const listed = listOfTexts(job.dispatcher["qemu_files"]).map((file) => path.resolve(file));
  const named = pathsIn(words).flatMap((file): Mount[] => {
    if (file.startsWith("/dev/")) return isDevice(job, file) ? [[AS_IT_IS, file]] : [];
    return isOpenFile(file) ? [[DATA, file]] : [];
  });
  const usb = words.some((word) => word.includes("usb-host")) ? USB : [];
  const more = [...listed.map((file): Mount => [AS_IT_IS, file]), ...usb, ...named];
  return confined(program, words, job.scratch, more);
}

/** How it is mounted, by options of mount(8), and which file or folder: at its own path. */
type Mount = readonly [options: string, file: string];

const AS_IT_IS = "";
const PROGRAMS = "ro,nosuid,nodev";
const DATA = "ro,nosuid,nodev,noexec";
/** A library of the job's that is no program's can't be loaded either (`-plugin`). */
const OWN = "nosuid,nodev,noexec";

const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"];
const DEVICES = ["null", "zero", "full", "random", "urandom", "kvm", "net/tun", "vhost-net"];
const USB: readonly Mount[] = [
  [AS_IT_IS, "/dev/bus/usb"],
  [DATA, "/sys/bus/usb"],
  [DATA, "/sys/devices"],
  [DATA, "/run/udev"],
];
/** For names, addresses and the loader: files that everybody reads. */
const ETC = ["ld.so.cache", "resolv.conf", "hosts", "nsswitch.conf", "localtime", "passwd"];

/**
 * Makes a root of its own in memory, mounts there, leaves the old one behind for good, and becomes QEMU: the same process, so
 * that signals reach it. A constant, with as few programs as will do: what differs comes as words. /proc has nothing but the
 * process itself.
 */
const SCRIPT = `set -e
root=$1 table=$2 scratch=$3 links=$4 etc=$5 mounts=$6
shift 6
mount -t tmpfs -o size=4m,mode=755 tmpfs "$root"
cd "$root"
mkdir -p usr etc dev/pts dev/net "proc/$$" old ".$scratch"
if [ -n "$links" ]; then ln -s $links .; fi
ln -s pts/ptmx /proc/self/fd dev
ln -s "$$" proc/self
cp -L $etc etc
while [ "$1" != -- ]; do
  folder=\${1%/*}
  if [ -d "$1" ]; then folder=$1; fi
  if [ ! -d ".$folder" ]; then mkdir -p ".$folder"; fi
  if [ ! -d "$1" ]; then : > ".$1"; fi
  shift
done
shift
printf '%s\\n' "/proc/$$ $table/proc/$$ none bind" \\
  "devpts $table/dev/pts devpts newinstance,ptmxmode=0666" "$mounts" > old/fstab
mount -a -T old/fstab
mount -o remount,bind,ro .
pivot_root . old
umount -l old
cd "$scratch"
exec setpriv --no-new-privs --inh-caps -all --bounding-set -all -- "$@"
`;

function confined(
  program: string,
  words: readonly string[],
  scratch: string,
  more: readonly Mount[],
): Words {
  const root = rootOf(scratch);
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const there = SYSTEM.filter((folder) => existsSync(folder));
  // As `/bin` is `usr/bin`: one program makes all of them. What else is a link is mounted as what it leads to.
  const links = there.filter((folder) => linkAt(folder).endsWith(folder));
  const etc = ETC.map((name) => `/etc/${name}`).filter((file) => isOpenFile(file));
  const mounts = withoutInner([
    ...there.filter((folder) => !links.includes(folder)).map((folder): Mount => [PROGRAMS, folder]),
    [OWN, scratch],
    ...DEVICES.map((name): Mount => [AS_IT_IS, `/dev/${name}`]),
    [DATA, "/etc/alternatives"],
    ...programFolders(program, scratch).map((folder): Mount => [PROGRAMS, folder]),
    ...more,
  ]).filter(([, file]) => existsSync(file));
  const line = ([options, file]: Mount): string =>
    `${inTable(file)} ${inTable(`${root}${file}`)} none rbind${options && `,${options}`}`;
  return [
    ...["unshare", "-Urm", "--", "sh", "-c", SCRIPT, "sh"],
    ...[root, inTable(root), scratch, links.map(linkAt).join(" "), etc.join(" ")],
    ...[mounts.map(line).join("\n"), ...mounts.map(([, file]) => file)],
    ...["--", program, ...words],
  ] as unknown as Words;
}

const linkAt = (file: string): string =>
  lstatSync(file).isSymbolicLink() ? readlinkSync(file) : "";

/** As fstab(5) has it. */
const inTable = (file: string): string =>
  file.replace(/[\s\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, "0")}`);

/** Each path once, and none in a folder that is mounted before it. */
function withoutInner(mounts: readonly Mount[]): Mount[] {
  const kept: Mount[] = [];
  for (const mount of mounts) {
    if (!kept.some(([, file]) => isIn(file, mount[1]))) kept.push(mount);
  }
  return kept;
}

/** Where a program that isn't the system's has its libraries and its data: beside itself, as it was installed. */
function programFolders(program: string, scratch: string): string[] {
  const folders = (hostEnvironment()["PATH"] ?? "").split(":");
  const places = program.includes("/") ? [program] : folders.map((one) => path.join(one, program));
  const found = places.find((place) => isProgram(place));
  if (found === undefined) return [];
  const real = path.dirname(realpathSync(found));
  const beside = ["lib", "lib64", "libexec", "share"].map((name) => path.join(real, "..", name));
  return [path.dirname(path.resolve(found)), real, ...(isInSystem(real) ? [] : beside)].filter(
    (folder) => !isInSystem(folder) && !isIn(folder, realpathSync(scratch)),
  );
}

const isInSystem = (file: string): boolean => SYSTEM.some((folder) => isIn(folder, file));

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** What may be a path in words of QEMU: `file=/a,format=raw`, `file:/a`, `unix:/a,server`, `/a`, `json:{"filename": "/a"}`. */
const pathsIn = (words: readonly string[]): string[] =>
  words
    .flatMap((word) => [...word.matchAll(/(?:^|[=:"])(\/(?:[^,"]|,,)+)/g)])
    .map(([, found = ""]) => path.normalize(found.replaceAll(",,", ",")));

function isOpenFile(file: string): boolean {
  try {
    requireOpenFile(file);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Terminals are the guest's own; those of the worker may be another job's console. */
function isDevice(job: JobContext, file: string): boolean {
  if (/^\/dev\/(?:pts|ptmx|fd|std\w+)(?:\/|$)/.test(file)) return false;
  try {
    return checkContainerDevice(job, file) === file && statSync(file).isCharacterDevice();
  } catch {
    return false;
  }
}

const isIn = (folder: string, file: string): boolean =>
  file === folder || file.startsWith(`${folder}/`);
