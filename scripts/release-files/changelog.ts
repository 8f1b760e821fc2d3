import { execFileSync } from "node:child_process";

/** Where a commit belongs that touches files here: the first that matches one of its files. */
const AREAS: readonly [title: string, files: RegExp][] = [
  ["Worker", /^worker\//],
  ["Server and pages", /^(control-plane|device-templates)\//],
  ["Cloud and containers", /^infra\//],
  ["Documentation", /^(docs\/|README)/],
  ["Tests and tools", /./],
];
/** Says nothing to a reader. */
const IS_TIDYING = /^(format|lint|types?|style|typo|wip)\b.{0,12}$/i;

/** What was committed since the version before (its tag is `vVERSION`), by area, newest first, as Markdown. */
export function changelog(checkout: string, version: string): string {
  const git = (...args: string[]): string =>
    execFileSync("git", args, {
      cwd: checkout,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
      stdio: ["ignore", "pipe", "ignore"],
    });
  const before = tagBefore(git, version);
  const range = before ? [`${before}..HEAD`] : ["HEAD"];
  const log = git(
    "log",
    "--no-merges",
    "--name-only",
    "--abbrev=12",
    "--format=%x00%h %s",
    ...range,
    "--",
  );
  const byArea = new Map<string, string[]>(AREAS.map(([title]) => [title, []]));
  for (const entry of log.split("\0").filter(Boolean)) {
    const [head = "", ...files] = entry.split("\n").filter(Boolean);
    const [, commit, subject = ""] = /^(\S+) (.*)$/.exec(head) ?? [];
    if (IS_TIDYING.test(subject)) continue;
    const area = AREAS.find(([, pattern]) => files.some((file) => pattern.test(file)));
    byArea.get(area?.[0] ?? "Tests and tools")?.push(`- ${plain(subject)} (${commit})\n`);
  }
  const since = before ? `Since ${before}.` : "The first release: all that was committed.";
  const parts = [...byArea]
    .filter(([, lines]) => lines.length > 0)
    .map(([title, lines]) => `\n## ${title}\n\n${lines.join("")}`);
  return `# Pumice ${version}\n\n${since}\n${parts.join("")}`;
}

function tagBefore(git: (...args: string[]) => string, version: string): string | undefined {
  const like = ["--match=v[0-9]*", `--exclude=v${version}`];
  try {
    return git("describe", "--tags", "--abbrev=0", ...like).trim();
  } catch {
    return undefined;
  }
}

/** Markdown's own characters stand for themselves. */
const plain = (text: string): string => text.replace(/[\\`*_<>[\]#]/g, "\\$&");
