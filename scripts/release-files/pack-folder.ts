import { execFileSync } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { runProgram } from "../single-file/run-program.ts";

/**
 * Writes the members of a folder (all of it) as a `.tar.gz`. The same files give the same bytes, whoever packs them, when and
 * in what order the folder lists them: owner 0, one time for all, modes 755 and 644.
 */
export async function packFolder({
  from,
  into,
  seconds,
  members = ["."],
}: {
  from: string;
  into: string;
  /** Since 1970. */
  seconds: number;
  members?: readonly string[];
}): Promise<void> {
  const plain = `${into}.tar`;
  const same = [
    "--format=ustar",
    "--sort=name",
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    "--mode=u=rwX,go=rX",
    `--mtime=@${seconds}`,
  ];
  try {
    await runProgram(["tar", ...same, "-cf", plain, "-C", from, ...members], { cwd: from });
    await writeFile(into, gzipSync(await readFile(plain), { level: 9 }));
  } finally {
    await rm(plain, { force: true });
  }
}

/**
 * The files of these folders that git knows, by their names from `folder` on: what it ignores is in a checkout too, be it the token
 * that `infra/deploy` has left there.
 */
export function committedIn(folder: string, members: readonly string[]): string[] {
  const listed = execFileSync("git", ["ls-files", "-z", "--", ...members], {
    cwd: folder,
    encoding: "utf8",
  });
  return listed.split("\0").filter((name) => name !== "");
}
