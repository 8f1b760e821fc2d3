import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const cache = path.join(root, ".cache/uboot-fastboot");

/** What it takes to build it: as Debian's packages. */
const PACKAGES =
  "gcc-aarch64-linux-gnu gcc libc6-dev make bison flex bc libssl-dev libgnutls28-dev device-tree-compiler dpkg-dev patch";

/** U-Boot's address of what fastboot downloads, and how much that may be. */
export const BUFFER = { address: 0x48000000, bytes: 0x8000000 };

const CONFIG = [
  ...[
    "UDP_FUNCTION_FASTBOOT",
    "FASTBOOT",
    "CMD_FASTBOOT",
    "FASTBOOT_FLASH",
    "FASTBOOT_FLASH_MMC",
  ].flatMap(on),
  ...["MMC", "DM_MMC", "MMC_PCI", "MMC_SDHCI", "CMD_MMC", "CMD_GPT", "EFI_PARTITION"].flatMap(on),
  // QEMU's card reader does it, but not with the addresses that U-Boot gives it.
  ...["MMC_SDHCI_SDMA", "TOOLS_MKEFICAPSULE", "EFI_CAPSULE_AUTHENTICATE"].flatMap((name) => [
    "-d",
    name,
  ]),
  "--set-val",
  "FASTBOOT_FLASH_MMC_DEV",
  "0",
  "--set-val",
  "FASTBOOT_BUF_ADDR",
  `0x${BUFFER.address.toString(16)}`,
  "--set-val",
  "FASTBOOT_BUF_SIZE",
  `0x${BUFFER.bytes.toString(16)}`,
];

function on(name: string): string[] {
  return ["-e", name];
}

/**
 * U-Boot for QEMU's arm64 machine with fastboot over UDP, which Debian's own has not: built from Debian's source, once
 * (a minute on two cores). The file's name says how.
 *
 * @throws with what to install when something is missing.
 */
export function makeFastbootUboot(say: (line: string) => void): string {
  const recipe = createHash("sha256").update(JSON.stringify(CONFIG)).digest("hex");
  const made = path.join(cache, `u-boot-${recipe.slice(0, 8)}.bin`);
  if (existsSync(made)) return made;
  const missing = [
    "aarch64-linux-gnu-gcc",
    "make",
    "bison",
    "flex",
    "bc",
    "dtc",
    "dpkg-source",
  ].filter((tool) => !has(tool));
  if (missing.length > 0) {
    throw new Error(
      `${missing.join(", ")} missing: apt-get install --no-install-recommends ${PACKAGES}`,
    );
  }
  const work = path.join(cache, `work-${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    say("Making U-Boot with fastboot (once): fetching Debian's source ...");
    const source = fetchSource(work);
    say("Making U-Boot with fastboot: a minute or two ...");
    renameSync(build(source, path.join(work, "out")), made);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return made;
}

/** Debian's source package, by an apt of its own: this machine's list of sources stays as it is. */
function fetchSource(work: string): string {
  const release = readFileSync("/etc/os-release", "utf8");
  const codename = /^VERSION_CODENAME=(\w+)/m.exec(release)?.[1] ?? "stable";
  const targets = run("apt-get", ["indextargets", "--format", "$(REPO_URI) $(CODENAME)"]);
  const mirror = targets
    .split("\n")
    .find((line) => line.endsWith(` ${codename}`))
    ?.split(" ")[0];
  const list = path.join(work, "sources.list");
  writeFileSync(list, `deb-src ${mirror ?? "http://deb.debian.org/debian/"} ${codename} main\n`);
  mkdirSync(path.join(work, "lists/partial"), { recursive: true });
  const own = [
    "-o",
    `Dir::Etc::sourcelist=${list}`,
    "-o",
    "Dir::Etc::sourceparts=/nonexistent",
    "-o",
    `Dir::State::lists=${path.join(work, "lists")}`,
    "-o",
    "APT::Sandbox::User=root",
  ];
  run("apt-get", [...own, "update"]);
  run("apt-get", [...own, "source", "u-boot"], work);
  const folder = readdirSync(work).find((name) => /^u-boot-\d/.test(name));
  if (folder === undefined) throw new Error("apt-get source brought no folder u-boot-*");
  return path.join(work, folder);
}

function build(source: string, out: string): string {
  const env = { ARCH: "arm", CROSS_COMPILE: "aarch64-linux-gnu-", KBUILD_OUTPUT: out };
  run("make", ["-s", "qemu_arm64_defconfig"], source, env);
  run("scripts/config", ["--file", path.join(out, ".config"), ...CONFIG], source, env);
  run("make", ["-s", "olddefconfig"], source, env);
  run("make", ["-s", "-j2", "u-boot.bin"], source, env);
  return path.join(out, "u-boot.bin");
}

function run(program: string, args: string[], cwd = "/", env: Record<string, string> = {}): string {
  try {
    return execFileSync(program, args, {
      cwd,
      env: { ...process.env, LC_ALL: "C", ...env },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      maxBuffer: 2 ** 28,
    });
  } catch (error) {
    const said = String((error as { stderr?: unknown }).stderr ?? "").trim();
    throw new Error(`${program} ${args.slice(0, 3).join(" ")}: ${said.slice(-2000)}`, {
      cause: error,
    });
  }
}

function has(tool: string): boolean {
  try {
    execFileSync("sh", ["-c", 'command -v "$1"', "sh", tool], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
