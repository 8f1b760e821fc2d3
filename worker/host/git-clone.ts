import { rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { JobFailure } from "../pipeline/job-failure.ts";
import { requireOpenFile } from "./local-file.ts";
import { hostEnvironment, runCommand } from "./spawn.ts";

export interface GitClone {
  readonly url: string;
  /** Must not exist yet. */
  readonly target: string;
  readonly branch?: string | undefined;
  readonly revision?: string | undefined;
  /** Only the last commit; true when not given, and always false with a revision (TEST-SHELL.md 8). */
  readonly shallow?: boolean | undefined;
  /** False removes `.git` afterwards. */
  readonly history?: boolean | undefined;
  readonly recursive?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onLine?: (line: string) => void;
  /** Pause between tries; 5 s when not given. */
  readonly pauseMs?: number | undefined;
}

const TRIES = 6;

/**
 * Clones a repository and returns the commit that is checked out.
 *
 * @throws JobFailure Job for a URL or name that git would take for something else, Infrastructure when
 * all tries fail.
 */
export async function gitClone(clone: GitClone): Promise<string> {
  const { url, target, branch, revision, signal, onLine } = clone;
  checkUrl(url);
  if (isLocal(url)) requireOpenFile(url.replace(/^file:\/\//, ""));
  for (const [what, name] of Object.entries({ branch, revision })) {
    if (name?.startsWith("-")) {
      throw new JobFailure("Job", `${what} '${name}': a name of git doesn't begin with "-"`);
    }
  }
  const shallow = revision === undefined && clone.shallow !== false;
  const options = [
    ...(clone.recursive ? ["--recurse-submodules"] : []),
    ...(branch === undefined ? [] : ["-b", branch]),
    ...(shallow ? ["--depth=1"] : []),
    ...(shallow && clone.recursive ? ["--shallow-submodules"] : []),
  ];
  const git = async (args: readonly string[]): Promise<string> => {
    const env = gitEnvironment(url);
    const argv = ["git", "-c", "core.hooksPath=/dev/null", ...args] as [string, ...string[]];
    const { status, output } = await runCommand(argv, {
      cwd: path.dirname(target),
      env,
      ...(signal ? { signal } : {}),
      ...(onLine ? { onLine } : {}),
    });
    if (status === 0) return output.trim();
    const all = output.trim().split("\n");
    const reasons = all.filter((line) => /^(fatal|error|ERROR):/.test(line));
    const said = (reasons.length > 0 ? reasons : all).slice(-3).join("; ");
    throw new JobFailure(
      "Infrastructure",
      `Unable to clone '${url}': ${said || `git ended with ${status}`}`,
    );
  };
  for (let left = TRIES - 1; ; left--) {
    try {
      await git(["clone", ...options, "--", url, target]);
      break;
    } catch (error) {
      await rm(target, { recursive: true, force: true });
      signal?.throwIfAborted();
      const missing =
        error instanceof JobFailure && error.message.startsWith("Cannot find command");
      if (left === 0 || missing) throw error;
      await sleep(clone.pauseMs ?? 5000, undefined, { signal }).catch(() =>
        signal?.throwIfAborted(),
      );
    }
  }
  if (revision !== undefined) {
    await git(["-C", target, "checkout", "--detach", revision, "--"]);
    if (clone.recursive) await git(["-C", target, "submodule", "update", "--init", "--recursive"]);
  }
  const commit = await git(["-C", target, "rev-parse", "HEAD"]);
  if (clone.history === false) {
    await rm(path.join(target, ".git"), { recursive: true, force: true });
  }
  return commit;
}

/** git runs programs for URLs of some forms (`ext::`, a leading `-`): only plain addresses pass. */
function checkUrl(url: string): void {
  const isAddress = /^(https?|git|ssh|file):\/\//.test(url);
  const isScp = /^[\w.-]+@[\w.-]+:(?!:)[^\s]+$/.test(url);
  const isFolder = url.startsWith("/");
  if ((isAddress || isScp || isFolder) && !/[\0\n\r]/.test(url)) return;
  throw new JobFailure(
    "Job",
    `repository '${url}': expected an address that begins with https://, http://, git://, ssh:// or file://`,
  );
}

const isLocal = (url: string): boolean => url.startsWith("/") || url.startsWith("file://");

/** Nobody is there to answer git's questions, and a remote repository may not reach into local ones. */
function gitEnvironment(url: string): Record<string, string> {
  return hostEnvironment({
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "true",
    GIT_SSH_COMMAND: "ssh -o BatchMode=yes",
    GIT_ALLOW_PROTOCOL: `http:https:git:ssh${isLocal(url) ? ":file" : ""}`,
  });
}
