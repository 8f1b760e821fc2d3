import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";

const cache = path.resolve(import.meta.dirname, "../../.cache/init-tree");

/** Why a system of our own can't be run in namespaces here; undefined when it can. */
export function lacksForInits(): string | undefined {
  if (process.getuid?.() !== 0) return "services of root need root";
  for (const [tool, from] of [
    ["mmdebstrap", "mmdebstrap"],
    ["useradd", "passwd"],
  ] as const) {
    if (spawnSync("sh", ["-c", `command -v ${tool}`], { env }).status !== 0) {
      return `${tool} is missing: install Debian's package ${from}`;
    }
  }
  const { status, stderr } = spawnSync("unshare", ["--mount", "--pid", "--fork", "true"], {
    encoding: "utf8",
  });
  return status === 0 ? undefined : `unshare: ${stderr?.trim()}`;
}

/** A Debian with runit and OpenRC, as an archive. Made once: the folder's name says how. */
export function makeInitTree(say: (line: string) => void): string {
  const recipe = createHash("sha256").update(readFileSync(import.meta.filename));
  const made = path.join(cache, `${recipe.digest("hex").slice(0, 8)}.tar`);
  if (existsSync(made)) return made;
  mkdirSync(cache, { recursive: true });
  const work = path.join(cache, `work-${process.pid}.tar`);
  say("Making a Debian with runit and OpenRC (once): fetching its packages ...");
  try {
    const packages = "--include=runit,openrc,procps";
    const args = ["--quiet", "--variant=minbase", packages, ...LEAVE_OUT, "bookworm", work];
    execFileSync("mmdebstrap", args, { env, stdio: ["ignore", "ignore", "inherit"] });
    renameSync(work, made);
  } finally {
    rmSync(work, { force: true });
  }
  return made;
}

const LEAVE_OUT = ["doc", "man", "locale", "info"].map(
  (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
);

const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };

/** Runs a script as the first process of such a system, on this machine's network; whatever it leaves ends with it. */
export function bootScript(tree: string): [string, string[]] {
  const clean = "exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  const mounts = `mount --bind /dev "$1/dev" && mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/run"`;
  const script = `${mounts} && ${clean} chroot "$1" /bin/sh /script`;
  return [
    "unshare",
    ["--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", tree],
  ];
}
