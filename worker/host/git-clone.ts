import { rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { JobFailure } from "../pipeline/job-failure.ts";
import { hasRules, NO_RULES, requireReachable, type DownloadRules } from "./download-rules.ts";
import { openGuardedProxy, type GuardedProxy } from "./guarded-proxy.ts";
import { requireOpenFile } from "./local-file.ts";
import { proxyFor } from "./network/proxy.ts";
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
  /** Which hosts may be reached; but for the metadata of clouds all when not given. */
  readonly rules?: DownloadRules | undefined;
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
  const { url, rules = NO_RULES } = clone;
  checkUrl(url);
  if (isLocal(url)) requireOpenFile(url.replace(/^file:\/\//, ""));
  else await requireReachable(rules, { url, host: hostIn(url), isProxied: isByProxy(url) });
  // git follows redirects and knows submodules: what these lead to is looked at on the way.
  const proxy =
    hasRules(rules) && !isLocal(url) && !isByProxy(url) ? await openGuardedProxy(rules) : undefined;
  try {
    return await cloneBy(clone, gitEnvironment(clone, proxy), () => {
      const refused = proxy?.refused();
      if (refused !== undefined) throw refused;
    });
  } finally {
    proxy?.close();
  }
}

/** `throwIfRefused` is asked when git gives up: it would say no more than that it was refused. */
async function cloneBy(
  clone: GitClone,
  env: Record<string, string>,
  throwIfRefused: () => void,
): Promise<string> {
  const { url, target, branch, revision, signal, onLine } = clone;
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
    const argv = ["git", "-c", "core.hooksPath=/dev/null", ...args] as [string, ...string[]];
    const { status, output } = await runCommand(argv, {
      cwd: path.dirname(target),
      env,
      ...(signal ? { signal } : {}),
      ...(onLine ? { onLine } : {}),
    });
    if (status === 0) return output.trim();
    throwIfRefused();
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
      const isOver = missing || (error instanceof JobFailure && error.type === "Job");
      if (left === 0 || isOver) throw error;
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

const hostIn = (url: string): string =>
  URL.canParse(url) ? new URL(url).hostname : (/@([^:]+):/.exec(url)?.[1] ?? "");

const isByProxy = (url: string): boolean =>
  /^https?:/.test(url) && proxyFor(new URL(url), process.env) !== undefined;

/** Nobody is there to answer git's questions, and a remote repository may not reach into local ones. */
function gitEnvironment(
  { url, recursive = false }: GitClone,
  proxy: GuardedProxy | undefined,
): Record<string, string> {
  // Submodules by other ways than the proxy's would go wherever they like.
  const scheme = /^(\w+):\/\//.exec(url)?.[1] ?? "ssh";
  const ways = proxy && recursive ? `http:https:${scheme}` : "http:https:git:ssh";
  const by = proxy?.url ?? "";
  return hostEnvironment({
    GIT_TERMINAL_PROMPT: "0",
    GIT_ASKPASS: "true",
    GIT_SSH_COMMAND: "ssh -o BatchMode=yes",
    GIT_ALLOW_PROTOCOL: `${ways}${isLocal(url) ? ":file" : ""}`,
    ...(proxy
      ? { http_proxy: by, https_proxy: by, HTTPS_PROXY: by, no_proxy: "", NO_PROXY: "" }
      : {}),
  });
}
