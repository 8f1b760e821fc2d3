import { readdir } from "node:fs/promises";
import path from "node:path";
import { runCommand } from "../host/spawn.ts";
import { JobFailure } from "../pipeline/job-failure.ts";

/**
 * Appends everything below `folder` to an uncompressed tar archive, owned by root; whoever unpacks it gets these
 * files last, so they win. Folders that the archive has, perhaps as symbolic links, are not written again.
 *
 * @throws JobFailure Job when it isn't an uncompressed tar archive.
 */
export async function appendTar(
  archive: string,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const known = new Set<string>();
  const dot = { isUsed: false };
  const tar = async (args: string[], options: Parameters<typeof runCommand>[1]): Promise<void> => {
    const argv = ["tar", "--force-local", "--file", archive, ...args] as [string, ...string[]];
    const { status, output } = await runCommand(argv, { signal, ...options });
    if (status === 0) return;
    const said = output.trim().split("\n").slice(-2).join("; ");
    const message = `${path.basename(archive)}: expected a tar archive without compression: ${said}`;
    throw new JobFailure("Job", message);
  };
  await tar(["--list", "--quoting-style=literal", "--absolute-names"], {
    onLine: (line) => {
      if (line.startsWith("./")) dot.isUsed = true;
      known.add(bare(line));
    },
  });
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .map((entry) => ({
      name: path.relative(folder, path.join(entry.parentPath, entry.name)),
      isFolder: entry.isDirectory(),
    }))
    .filter(({ name, isFolder }) => !isFolder || !known.has(name))
    .map(({ name }) => (dot.isUsed ? `./${name}` : name))
    .sort();
  if (names.length === 0) return;
  const owner = ["--owner=0", "--group=0", "--numeric-owner"];
  const list = ["--no-recursion", "--null", "--verbatim-files-from", "--files-from=-"];
  await tar(["--append", ...owner, "--directory", folder, ...list], {
    input: `${names.join("\0")}\0`,
  });
}

const bare = (name: string): string => name.replace(/^(\.?\/)+/, "").replace(/\/$/, "");
