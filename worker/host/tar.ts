import { mkdir } from "node:fs/promises";
import { JobFailure } from "../pipeline/job-failure.ts";
import { runCommand } from "./spawn.ts";

/**
 * Unpacks a tar archive (compressed or not) that nobody vouches for into `target`, which is made.
 *
 * @throws JobFailure Job when it isn't a tar archive or has a member that could reach out of `target`:
 * an absolute path, a `..`, something below a symbolic link of the archive, a device.
 */
export async function unpackTar(
  archive: string,
  target: string,
  { stripComponents = 0, signal }: { stripComponents?: number; signal?: AbortSignal } = {},
): Promise<void> {
  const tar = async (args: readonly string[]): Promise<string[]> => {
    const argv = ["tar", "--force-local", "--file", archive, ...args] as [string, ...string[]];
    const lines: string[] = [];
    const { status, output } = await runCommand(argv, {
      ...(signal ? { signal } : {}),
      onLine: (line) => {
        if (lines.length <= MAX_MEMBERS) lines.push(line);
      },
    });
    const last = output.trim().split("\n").slice(-3).join("; ");
    if (status !== 0) throw new JobFailure("Job", `the archive can't be unpacked: ${last}`);
    if (lines.length <= MAX_MEMBERS) return lines;
    throw new JobFailure("Job", `the archive has more than ${MAX_MEMBERS} members`);
  };
  // --absolute-names: names as they stand in the archive, not as tar would make them safe.
  const listing = await tar([
    "--list",
    "--verbose",
    "--numeric-owner",
    "--absolute-names",
    QUOTING,
  ]);
  for (const line of listing) checkMember(line);
  await mkdir(target, { recursive: true });
  await tar([
    "--extract",
    "--directory",
    target,
    "--no-same-owner",
    "--no-same-permissions",
    `--strip-components=${stripComponents}`,
  ]);
}

const QUOTING = "--quoting-style=escape";
const MAX_MEMBERS = 200_000;

/** A line such as `-rw-r--r-- 0/0  12 2026-01-01 00:00 folder/file`, with ` -> target` for links. */
function checkMember(line: string): void {
  const match = /^([-dlhbcpCsVMSx])\S*\s+\S+\s+\S+\s+\S+\s+\S+ (.*)$/.exec(line);
  if (!match) return;
  const [, kind = "", rest = ""] = match;
  const name = kind === "l" ? (rest.split(" -> ")[0] ?? "") : rest;
  const names = kind === "h" ? name.split(" link to ") : [name];
  for (const each of names) {
    if (each.startsWith("/") || each.split("/").includes("..")) {
      throw new JobFailure("Job", `the archive has a member outside of its folder: '${each}'`);
    }
  }
  if (!"-dlh".includes(kind)) {
    throw new JobFailure("Job", `the archive has a member that is no file or folder: '${name}'`);
  }
}
